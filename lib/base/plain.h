#ifndef BASE_PLAIN_H
#define BASE_PLAIN_H

/*
 * Text that somebody else wrote, for a line of our own on a terminal.
 */

#include <stddef.h>

/*
 * Copy len bytes to out, at most size - 1, and end them with NUL.  What a
 * terminal might obey becomes "?": control characters, those of C1 (ECMA-48),
 * too, bytes that are not of UTF-8, which may be such, and what has no width or
 * turns the direction of the letters around it.
 */
void plain_copy(const void *text, size_t len, char *out, size_t size);

/* The same of a string, whose ends of lines become spaces. */
void plain_line(const char *text, char *out, size_t size);

#endif
