#ifndef BASE_BASE64_H
#define BASE_BASE64_H

/* Base 64 with the standard alphabet and padding (RFC 4648, section 4). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* The alphabet for names and URLs (section 5). */
#define BASE64_URL                                                             \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* Append the text of data to out.  Errors as buf_reserve(). */
int base64_encode(struct buf *out, const uint8_t *data, size_t len);
/*
 * Append the bytes that text stands for to out.  STATUS_SYNTAX for anything
 * that base64_encode() would not have written.
 */
int base64_decode(const uint8_t *text, size_t len, struct buf *out);

/* An id of 16 bytes, as Kafka writes them: with BASE64_URL, without padding. */
enum { BASE64_ID_LEN = 22 };
void base64_id_encode(const uint8_t id[16], char out[BASE64_ID_LEN + 1]);
/* A new one: a UUID of version 4.  errno of getentropy(3). */
int base64_id_make(char out[BASE64_ID_LEN + 1]);
/* False: it is none; out is then anything. */
bool base64_id_decode(const char *text, uint8_t out[16]);

#endif
