#ifndef DIRECT_LOGIN_H
#define DIRECT_LOGIN_H

/*
 * What it takes to be let in, from the user's properties (client/settings.h):
 * whether connections are over TLS, and who logs in how.
 *
 *	security.protocol	plaintext, ssl, sasl_plaintext, sasl_ssl
 *	sasl.mechanism		(sasl.mechanisms) PLAIN, SCRAM-SHA-256,
 *				SCRAM-SHA-512
 *	sasl.username, sasl.password
 *	ssl.*			see tls.h
 *	client.id
 *
 * Another property of security is an error, and not passed over.  What has
 * nothing to do with a connection is passed over: it is for librdkafka.
 */

#include <stdbool.h>

struct fault;
struct login;
struct place;
struct settings;
struct talk;
struct tls_context;

/*
 * For the brokers of a place.  s must stay.  STATUS_CLIENT: a library is
 * missing; STATUS_CLUSTER: what is said cannot be: f says more.
 */
int login_new(const struct settings *s, const struct place *place,
    struct login **out, struct fault *f);
void login_free(struct login *l);

/* NULL: not over TLS. */
struct tls_context *login_tls(const struct login *l);
const char *login_client_id(const struct login *l);
/*
 * Log in over a connection that was just opened.  EACCES: refused; f says why.
 * Else an error of talk.h.
 */
int login_run(const struct login *l, struct talk *t, struct fault *f);

#endif
