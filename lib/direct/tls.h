#ifndef DIRECT_TLS_H
#define DIRECT_TLS_H

/*
 * TLS over a socket that does not block, as a client, by OpenSSL, which is
 * loaded when the first context is made (openssl.h).
 */

#include <stddef.h>
#include <stdint.h>

struct fault;
struct settings;
struct tls;
struct tls_context;

/*
 * What connections have in common: whom to trust, and the certificate of the
 * client.  Of the properties ssl.ca.location (a file or a directory; else the
 * system's), ssl.ca.pem, ssl.certificate.location, ssl.key.location,
 * ssl.key.password, ssl.cipher.suites, enable.ssl.certificate.verification,
 * ssl.endpoint.identification.algorithm (https or none).
 * STATUS_CLIENT, STATUS_CLUSTER: f says why.
 */
int tls_context_new(const struct settings *s, struct tls_context **out,
    struct fault *f);
void tls_context_free(struct tls_context *c);

/* fd is the caller's.  Nothing is sent yet. */
int tls_open(struct tls_context *c, int fd, const char *host, struct tls **out,
    struct fault *f);
void tls_close(struct tls *t);

/*
 * All: 0; EAGAIN, *events is what to poll for; STATUS_END: closed; else
 * STATUS_CLUSTER, or EACCES if its certificate is not trusted: f says why.
 */
int tls_shake_hands(struct tls *t, short *events, struct fault *f);
int tls_read(struct tls *t, void *data, size_t len, size_t *done, short *events,
    struct fault *f);
int tls_write(struct tls *t, const void *data, size_t len, size_t *done,
    short *events, struct fault *f);

#endif
