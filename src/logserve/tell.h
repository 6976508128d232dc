#ifndef LOGSERVE_TELL_H
#define LOGSERVE_TELL_H

/*
 * What the server says on stderr about its work, a line each:
 *
 *	logserve: what: key=value key=value ...
 *
 * A value with a blank, a quote or a control character in it, or none at all,
 * stands in double quotes, with backslashes as in C.  A line is cut at its
 * maximum; -q leaves all of them out but errors.
 */

#include <stddef.h>
#include <stdint.h>

enum { TELL_LINE_MAX = 4096 };

struct tell {
	char line[TELL_LINE_MAX];
	size_t len;
};

/* Begin a line; what is a phrase without a colon. */
void tell_begin(struct tell *t, const char *what);
/* value NULL: nothing is added. */
void tell_text(struct tell *t, const char *key, const char *value);
void tell_number(struct tell *t, const char *key, int64_t value);
/* TOPIC/N */
void tell_partition(struct tell *t, const char *topic, int32_t number);
/* Write it: one that may be left out, or an error. */
void tell_end(struct tell *t);
void tell_error(struct tell *t);

#endif
