#include "base/hmac.h"

#include <sys/types.h>

#include <sha2.h>
#include <string.h>

/* Begin a hash with a key's block, each byte changed by pad. */
static void
begin(SHA2_CTX *ctx, const uint8_t block[SHA256_BLOCK_LENGTH], uint8_t pad)
{
	uint8_t padded[SHA256_BLOCK_LENGTH];

	for (size_t i = 0; i < sizeof(padded); i++)
		padded[i] = block[i] ^ pad;
	SHA256Init(ctx);
	SHA256Update(ctx, padded, sizeof(padded));
	explicit_bzero(padded, sizeof(padded));
}

void
hmac_sha256(const void *key, size_t key_len, const struct iovec *parts,
    int count, uint8_t out[HMAC_LEN])
{
	uint8_t block[SHA256_BLOCK_LENGTH] = {0};
	SHA2_CTX ctx;

	if (key_len <= sizeof(block)) {
		memcpy(block, key, key_len);
	} else {
		SHA256Init(&ctx);
		SHA256Update(&ctx, key, key_len);
		SHA256Final(block, &ctx);
	}
	begin(&ctx, block, 0x36);
	for (int i = 0; i < count; i++)
		SHA256Update(&ctx, parts[i].iov_base, parts[i].iov_len);
	SHA256Final(out, &ctx);
	begin(&ctx, block, 0x5c);
	SHA256Update(&ctx, out, HMAC_LEN);
	SHA256Final(out, &ctx);
	explicit_bzero(block, sizeof(block));
	explicit_bzero(&ctx, sizeof(ctx));
}

bool
hmac_is_equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *p = a, *q = b;
	uint8_t differ = 0;

	for (size_t i = 0; i < len; i++)
		differ = (uint8_t)(differ | (p[i] ^ q[i]));
	return differ == 0;
}
