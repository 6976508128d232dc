#ifndef REPLICATE_TRUST_H
#define REPLICATE_TRUST_H

/*
 * Two ends of a connection that share a secret: each proves to the other that
 * it knows it, and that what comes later is from the same one, in order and
 * whole.  The secret itself is never sent.
 *
 *	client				server
 *	nonce			---->
 *				<----	nonce
 *	proof			---->
 *				<----	proof
 *	count bytes, tag	<--->	count bytes, tag
 *
 *	nonce	32 random bytes, new for each connection
 *	proof	HMAC(secret, "logkit replica 1" role nonce-c nonce-s)
 *		role: "C" or "S", of who proves; HMAC is that with SHA-256
 *	key	the first 16 bytes of the same with role "c" or "s", of who
 *		sends: one for each direction
 *	count	8 bytes, big-endian: 0, 1, 2 ... in each direction
 *	tag	SipHash-2-4 (128 bits) with key, of count and bytes
 *
 *  1. The client proves first: a server gives nothing away to a stranger.
 *  2. Both nonces are in each proof: one that was heard on another connection
 *     is worth nothing.  A proof is taken once, and a wrong one ends it.
 *  3. Who stands in between and passes all of it on cannot add, change, leave
 *     out or repeat a message: the tags tell.  They do not hide anything.
 *  4. What can be guessed is found by who has heard a proof: a secret is
 *     random, 16 bytes at least.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hmac.h"
#include "base/view.h"

enum {
	TRUST_SECRET_MIN = 16,
	TRUST_SECRET_MAX = 4096,
	TRUST_NONCE_LEN = 32,
	TRUST_PROOF_LEN = HMAC_LEN,
	TRUST_TAG_LEN = 16,
	TRUST_COUNT_LEN = 8,
};

struct trust_secret {
	uint8_t bytes[TRUST_SECRET_MAX];
	size_t len;
};

/*
 * The content of a file, without blanks and newlines at its end.  *why is then
 * a constant phrase: EPERM, others than the owner may do something with it;
 * STATUS_SYNTAX, it is too short or too long.  Else errno; *why is NULL.
 */
int trust_read(const char *path, struct trust_secret *out, const char **why);

struct trust {
	bool is_server;
	bool is_proven;		/* the other end has; it may be believed */
	uint8_t nonces[2][TRUST_NONCE_LEN];	/* the client's, the server's */
	uint64_t keys[2][2];
	uint64_t counts[2];
};

/* With a nonce of its own.  errno: there is no random number. */
int trust_init(struct trust *t, bool is_server);
/* Ours, to be told. */
struct view trust_nonce(const struct trust *t);
/* The other end's.  STATUS_CORRUPT: it is none. */
int trust_take_nonce(struct trust *t, struct view nonce);
/* Our own proof, when the nonces are known. */
void trust_prove(const struct trust *t, const struct trust_secret *s,
    uint8_t out[TRUST_PROOF_LEN]);
/* Is that the other end's? */
bool trust_check(struct trust *t, const struct trust_secret *s,
    struct view proof);

/* Fill in the count, in front of what is sent, and make the tag. */
void trust_seal(struct trust *t, uint8_t *data, size_t len,
    uint8_t tag[TRUST_TAG_LEN]);
/*
 * What has come: *data is then what stands behind the count.  STATUS_CORRUPT:
 * it is not what the other end sent next.
 */
int trust_open(struct trust *t, struct view *data, struct view tag);

#endif
