#ifndef DIRECT_TROUBLE_H
#define DIRECT_TROUBLE_H

/*
 * Errors of a cluster in words: a fault whose what is made for the occasion.
 */

struct fault;

/*
 * Fill f, which may be NULL, and return rc.  The words are valid until the next
 * call; what the broker said in them is made one printable line.
 */
int trouble(struct fault *f, int rc, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
