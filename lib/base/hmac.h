#ifndef BASE_HMAC_H
#define BASE_HMAC_H

/*
 * HMAC (RFC 2104) with SHA-256, which libmd has: proof that one who made some
 * bytes knows a key.
 */

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HMAC_LEN = 32 };

/* Of the parts, one behind the other. */
void hmac_sha256(const void *key, size_t key_len, const struct iovec *parts,
    int count, uint8_t out[HMAC_LEN]);
/*
 * Are they the same?  The time that it takes does not tell where they differ.
 */
bool hmac_is_equal(const void *a, const void *b, size_t len);

#endif
