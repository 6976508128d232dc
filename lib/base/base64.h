#ifndef BASE_BASE64_H
#define BASE_BASE64_H

/* Base 64 with the standard alphabet and padding (RFC 4648, section 4). */

#include <stddef.h>
#include <stdint.h>

struct buf;

/* Append the text of data to out.  Errors as buf_reserve(). */
int base64_encode(struct buf *out, const uint8_t *data, size_t len);
/*
 * Append the bytes that text stands for to out.  STATUS_SYNTAX for anything
 * that base64_encode() would not have written.
 */
int base64_decode(const uint8_t *text, size_t len, struct buf *out);

#endif
