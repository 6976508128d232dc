#ifndef DIRECT_SCRAM_H
#define DIRECT_SCRAM_H

/*
 * SCRAM-SHA-256 and SCRAM-SHA-512, the client's side (RFC 5802, RFC 7677):
 * a password is proved and not sent, and the broker proves that it knows it.
 * Without channel binding, as Kafka has it.  OpenSSL must be loaded.
 *
 * Messages are NUL-terminated text.  STATUS_CORRUPT: the other side's is not
 * one, and *what says why; ENOMEM.
 */

#include <stdbool.h>
#include <stddef.h>

enum {
	SCRAM_TEXT_MAX = 4096,
	SCRAM_NONCE_LEN = 33,	/* with its NUL */
	/* What a broker may ask for: more would be a way to keep us busy. */
	SCRAM_ITERATIONS_MIN = 4096,
	SCRAM_ITERATIONS_MAX = 1000000,
	SCRAM_HASH_MAX = 64,
};

struct scram {
	bool wide;		/* SHA-512 */
	const char *user;
	const char *password;
	char nonce[SCRAM_NONCE_LEN];
	char first[SCRAM_TEXT_MAX];	/* client-first-message-bare */
	unsigned char signature[SCRAM_HASH_MAX]; /* that is expected */
};

/* user and password must stay. */
void scram_init(struct scram *s, bool wide, const char *user,
    const char *password);
/* What is said first. */
int scram_first(struct scram *s, char out[SCRAM_TEXT_MAX]);
/* The answer to the server's first message. */
int scram_final(struct scram *s, const char *server_first,
    char out[SCRAM_TEXT_MAX], const char **what);
/* Is the server's last message the proof that it is to be? */
int scram_verify(const struct scram *s, const char *server_final,
    const char **what);

#endif
