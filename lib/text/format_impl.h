#ifndef TEXT_FORMAT_IMPL_H
#define TEXT_FORMAT_IMPL_H

/*
 * The inside of format.h, shared by format.c (compiling, writing) and
 * format_read.c (reading).  Nobody else includes it.
 */

#include "text/format.h"

/* Bytes of a number in binary; 0: it is decimal. */
size_t format_binary_len(enum format_modifier m);

#endif
