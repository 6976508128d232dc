#include "direct/scram.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/parse.h"
#include "base/status.h"
#include "direct/openssl.h"

static int
wrong(const char **what, const char *phrase)
{
	*what = phrase;
	return STATUS_CORRUPT;
}

void
scram_init(struct scram *s, bool wide, const char *user, const char *password)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789";

	*s = (struct scram){.wide = wide, .user = user, .password = password};
	for (size_t i = 0; i + 1 < sizeof(s->nonce); i++)
		s->nonce[i] = letters[arc4random_uniform(sizeof(letters) - 1)];
}

/* Printed whole, or it is too long. */
static int
fit(int len)
{
	return len < 0 || len >= SCRAM_TEXT_MAX ? STATUS_TOO_BIG : 0;
}

int
scram_first(struct scram *s, char out[SCRAM_TEXT_MAX])
{
	struct buf name;
	int rc = 0;

	buf_init(&name, SCRAM_TEXT_MAX);
	for (const char *c = s->user; rc == 0 && *c != '\0'; c++)
		rc = *c == ','  ? buf_add_str(&name, "=2C")
		    : *c == '=' ? buf_add_str(&name, "=3D")
				: buf_add_8(&name, (uint8_t)*c);
	if (rc == 0)
		rc = fit(snprintf(s->first, sizeof(s->first), "n=%.*s,r=%s",
		    (int)name.len, (const char *)name.data, s->nonce));
	if (rc == 0)
		rc = fit(snprintf(out, SCRAM_TEXT_MAX, "n,,%s", s->first));
	buf_release(&name);
	return rc;
}

/* The value of NAME= in a message, of *len bytes; NULL: it is not there. */
static const char *
attribute(const char *message, char name, size_t *len)
{
	while (*message != '\0') {
		*len = strcspn(message, ",");
		if (message[0] == name && message[1] == '=') {
			*len -= 2;
			return message + 2;
		}
		message += *len;
		message += *message == ',';
	}
	return NULL;
}

struct challenge {
	const char *nonce;
	size_t nonce_len;
	struct buf salt;
	int iterations;
};

static int
parse_challenge(const struct scram *s, const char *text, struct challenge *c,
    const char **what)
{
	size_t own = strlen(s->nonce), len;
	const char *value;
	char number[16];
	int64_t n;

	c->nonce = attribute(text, 'r', &c->nonce_len);
	if (c->nonce == NULL || c->nonce_len <= own ||
	    memcmp(c->nonce, s->nonce, own) != 0)
		return wrong(what, "its nonce is not made of ours");
	value = attribute(text, 's', &len);
	if (value == NULL || len == 0 ||
	    base64_decode((const uint8_t *)value, len, &c->salt) != 0)
		return wrong(what, "it has no salt");
	value = attribute(text, 'i', &len);
	if (value == NULL || len >= sizeof(number))
		return wrong(what, "it has no number of iterations");
	memcpy(number, value, len);
	number[len] = '\0';
	if (parse_int(number, SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX, &n) !=
	    0)
		return wrong(what,
		    "it wants fewer than 4096 iterations, or over a million");
	c->iterations = (int)n;
	return 0;
}

static int
hmac(const EVP_MD *md, const unsigned char *key, size_t key_len,
    const void *text, size_t len, unsigned char *out)
{
	unsigned int out_len;

	return openssl.HMAC(md, key, (int)key_len, text, len, out, &out_len) !=
		NULL
	    ? 0
	    : ENOMEM;
}

/* From the password to the proof, and the signature to be expected. */
static int
prove(struct scram *s, const struct challenge *c, const char *message,
    unsigned char proof[SCRAM_HASH_MAX], size_t *size)
{
	const EVP_MD *md =
	    s->wide ? openssl.EVP_sha512() : openssl.EVP_sha256();
	size_t len = s->wide ? 64 : 32, message_len = strlen(message);
	unsigned char salted[SCRAM_HASH_MAX], key[SCRAM_HASH_MAX];
	unsigned char stored[SCRAM_HASH_MAX], signature[SCRAM_HASH_MAX];
	int rc;

	if (openssl.PKCS5_PBKDF2_HMAC(s->password, (int)strlen(s->password),
		c->salt.data, (int)c->salt.len, c->iterations, md, (int)len,
		salted) != 1)
		return ENOMEM;
	rc = hmac(md, salted, len, "Client Key", 10, key);
	if (rc == 0 &&
	    openssl.EVP_Digest(key, len, stored, NULL, md, NULL) != 1)
		rc = ENOMEM;
	if (rc == 0)
		rc = hmac(md, stored, len, message, message_len, signature);
	for (size_t i = 0; i < len; i++)
		proof[i] = rc == 0 ? key[i] ^ signature[i] : 0;
	if (rc == 0)
		rc = hmac(md, salted, len, "Server Key", 10, key);
	if (rc == 0)
		rc = hmac(md, key, len, message, message_len, s->signature);
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(key, sizeof(key));
	explicit_bzero(stored, sizeof(stored));
	*size = len;
	return rc;
}

static int
answer(struct scram *s, const struct challenge *c, const char *server_first,
    char out[SCRAM_TEXT_MAX])
{
	unsigned char proof[SCRAM_HASH_MAX];
	char message[3 * SCRAM_TEXT_MAX], final[SCRAM_TEXT_MAX];
	struct buf text;
	size_t size;
	/* "biws" is "n,,": no channel binding. */
	int rc = fit(snprintf(final, sizeof(final), "c=biws,r=%.*s",
	    (int)c->nonce_len, c->nonce));

	if (rc != 0)
		return rc;
	(void)snprintf(message, sizeof(message), "%s,%s,%s", s->first,
	    server_first, final);
	rc = prove(s, c, message, proof, &size);
	buf_init(&text, SCRAM_TEXT_MAX);
	if (rc == 0)
		rc = base64_encode(&text, proof, size);
	if (rc == 0)
		rc = fit(snprintf(out, SCRAM_TEXT_MAX, "%s,p=%.*s", final,
		    (int)text.len, (const char *)text.data));
	buf_release(&text);
	return rc;
}

int
scram_final(struct scram *s, const char *server_first, char out[SCRAM_TEXT_MAX],
    const char **what)
{
	struct challenge c = {.nonce = NULL};
	int rc;

	if (strlen(server_first) >= SCRAM_TEXT_MAX)
		return wrong(what, "it is too long");
	buf_init(&c.salt, SCRAM_TEXT_MAX);
	rc = parse_challenge(s, server_first, &c, what);
	if (rc == 0)
		rc = answer(s, &c, server_first, out);
	buf_release(&c.salt);
	return rc == STATUS_TOO_BIG ? wrong(what, "it is too long") : rc;
}

int
scram_verify(const struct scram *s, const char *server_final, const char **what)
{
	size_t len, size = s->wide ? 64 : 32;
	const char *value = attribute(server_final, 'v', &len);
	struct buf signature;
	int rc = 0;

	buf_init(&signature, SCRAM_TEXT_MAX);
	if (value == NULL ||
	    base64_decode((const uint8_t *)value, len, &signature) != 0 ||
	    signature.len != size ||
	    memcmp(signature.data, s->signature, size) != 0)
		rc = wrong(what, "it does not know the password itself");
	buf_release(&signature);
	return rc;
}
