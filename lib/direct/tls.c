#include "direct/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/status.h"
#include "client/settings.h"
#include "direct/openssl.h"
#include "direct/trouble.h"

struct tls_context {
	SSL_CTX *ctx;
	const struct settings *s;
	bool verify;		/* the certificate is to be one we trust */
	bool check_name;	/* and to be for the host */
};

struct tls {
	SSL *ssl;
	char host[256];
	bool verify;
};

/* --- what is common ------------------------------------------------------- */

/* The reason that OpenSSL gives, of what the property says. */
static int
refuse(const char *property, const char *value, struct fault *f)
{
	const char *reason =
	    openssl.ERR_reason_error_string(openssl.ERR_get_error());

	openssl.ERR_clear_error();
	return trouble(f, STATUS_CLUSTER, property, "%s: %s", value,
	    reason != NULL ? reason : "cannot be used");
}

static bool
is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Certificates in a text of PEM. */
static int
trust_text(struct tls_context *c, const char *pem, struct fault *f)
{
	BIO *bio = openssl.BIO_new_mem_buf(pem, -1);
	X509_STORE *store = openssl.SSL_CTX_get_cert_store(c->ctx);
	X509 *cert;
	int count = 0;

	if (bio == NULL)
		return ENOMEM;
	while (
	    (cert = openssl.PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		count += openssl.X509_STORE_add_cert(store, cert);
		openssl.X509_free(cert);
	}
	openssl.BIO_free(bio);
	openssl.ERR_clear_error();
	return count > 0
	    ? 0
	    : trouble(f, STATUS_CLUSTER, "ssl.ca.pem", "no certificate in it");
}

static int
trust(struct tls_context *c, struct fault *f)
{
	const char *path = settings_get(c->s, "ssl.ca.location");
	const char *pem = settings_get(c->s, "ssl.ca.pem");
	int ok;

	if (pem != NULL)
		return trust_text(c, pem, f);
	if (path == NULL || *path == '\0' || strcmp(path, "probe") == 0) {
		(void)openssl.SSL_CTX_set_default_verify_paths(c->ctx);
		return 0;
	}
	ok = is_directory(path)
	    ? openssl.SSL_CTX_load_verify_dir(c->ctx, path)
	    : openssl.SSL_CTX_load_verify_file(c->ctx, path);
	return ok == 1 ? 0 : refuse("ssl.ca.location", path, f);
}

static int
give_password(char *out, int size, int writing, void *arg)
{
	const char *password = arg;
	size_t len = password != NULL ? strlen(password) : 0;

	(void)writing;
	if (len > (size_t)size)
		return 0;
	memcpy(out, password, len);
	return (int)len;
}

/* The certificate of the client, if it has one. */
static int
identify(struct tls_context *c, struct fault *f)
{
	const char *cert = settings_get(c->s, "ssl.certificate.location");
	const char *key = settings_get(c->s, "ssl.key.location");
	const char *password = settings_get(c->s, "ssl.key.password");

	openssl.SSL_CTX_set_default_passwd_cb(c->ctx, give_password);
	openssl.SSL_CTX_set_default_passwd_cb_userdata(c->ctx,
	    (void *)(uintptr_t)password);
	if (cert != NULL &&
	    openssl.SSL_CTX_use_certificate_chain_file(c->ctx, cert) != 1)
		return refuse("ssl.certificate.location", cert, f);
	if (key != NULL &&
	    openssl.SSL_CTX_use_PrivateKey_file(c->ctx, key,
		SSL_FILETYPE_PEM) != 1)
		return refuse("ssl.key.location", key, f);
	if (cert != NULL && openssl.SSL_CTX_check_private_key(c->ctx) != 1)
		return refuse("ssl.key.location", key != NULL ? key : "none",
		    f);
	return 0;
}

static bool
is_word(const struct settings *s, const char *name, const char *word)
{
	const char *value = settings_get(s, name);

	return value != NULL && strcasecmp(value, word) == 0;
}

int
tls_context_new(const struct settings *s, struct tls_context **out,
    struct fault *f)
{
	const char *ciphers = settings_get(s, "ssl.cipher.suites");
	struct tls_context *c;
	int rc = openssl_load();

	if (rc != 0)
		return status_fault(f, rc, "", -1, -1, openssl_why());
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return ENOMEM;
	c->s = s;
	c->verify = !is_word(s, "enable.ssl.certificate.verification", "false");
	c->check_name = c->verify &&
	    !is_word(s, "ssl.endpoint.identification.algorithm", "none");
	c->ctx = openssl.SSL_CTX_new(openssl.TLS_client_method());
	rc = c->ctx == NULL ? ENOMEM : 0;
	if (rc == 0) {
		openssl.SSL_CTX_set_verify(c->ctx,
		    c->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
		/* As SSL_CTX_set_min_proto_version() and SSL_CTX_set_mode(). */
		(void)openssl.SSL_CTX_ctrl(c->ctx,
		    SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
		(void)openssl.SSL_CTX_ctrl(c->ctx, SSL_CTRL_MODE,
		    SSL_MODE_ENABLE_PARTIAL_WRITE |
			SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER,
		    NULL);
		/* Frames tell their own end. */
		(void)openssl.SSL_CTX_set_options(c->ctx,
		    SSL_OP_IGNORE_UNEXPECTED_EOF);
		rc = trust(c, f);
	}
	if (rc == 0)
		rc = identify(c, f);
	if (rc == 0 && ciphers != NULL &&
	    openssl.SSL_CTX_set_cipher_list(c->ctx, ciphers) != 1)
		rc = refuse("ssl.cipher.suites", ciphers, f);
	if (rc != 0) {
		tls_context_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void
tls_context_free(struct tls_context *c)
{
	if (c == NULL)
		return;
	if (c->ctx != NULL)
		openssl.SSL_CTX_free(c->ctx);
	free(c);
}

/* --- one connection ------------------------------------------------------- */

static bool
is_address(const char *host)
{
	struct in6_addr any;

	return inet_pton(AF_INET, host, &any) == 1 ||
	    inet_pton(AF_INET6, host, &any) == 1;
}

/* Whose certificate it has to be; an address is in no SNI. */
static bool
expect_host(struct tls *t, const char *host, bool check)
{
	if (is_address(host))
		return !check ||
		    openssl
			.X509_VERIFY_PARAM_set1_ip_asc(openssl.SSL_get0_param(
							   t->ssl),
			    host) == 1;
	/* As SSL_set_tlsext_host_name(). */
	(void)openssl.SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
	    TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host);
	return !check || openssl.SSL_set1_host(t->ssl, host) == 1;
}

int
tls_open(struct tls_context *c, int fd, const char *host, struct tls **out,
    struct fault *f)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ENOMEM;
	t->verify = c->verify;
	strlcpy(t->host, host, sizeof(t->host));
	t->ssl = openssl.SSL_new(c->ctx);
	if (t->ssl == NULL || openssl.SSL_set_fd(t->ssl, fd) != 1 ||
	    !expect_host(t, host, c->check_name)) {
		tls_close(t);
		return trouble(f, STATUS_CLUSTER, host, "TLS cannot be begun");
	}
	*out = t;
	return 0;
}

void
tls_close(struct tls *t)
{
	if (t == NULL)
		return;
	if (t->ssl != NULL)
		openssl.SSL_free(t->ssl);
	free(t);
}

/* OpenSSL's own words for what went wrong. */
static int
broken(struct tls *t, unsigned long code, struct fault *f)
{
	const char *reason = openssl.ERR_reason_error_string(code);
	long verified = openssl.SSL_get_verify_result(t->ssl);

	openssl.ERR_clear_error();
	if (t->verify && verified != X509_V_OK)
		return trouble(f, EACCES, t->host,
		    "its certificate is not trusted: %s",
		    openssl.X509_verify_cert_error_string(verified));
	return trouble(f, STATUS_CLUSTER, t->host, "TLS: %s",
	    reason != NULL ? reason : "it broke off");
}

/* What a call that returned not 1 has met; saved is its errno. */
static int
outcome(struct tls *t, int result, int saved, short *events, struct fault *f)
{
	int kind = openssl.SSL_get_error(t->ssl, result);
	unsigned long code = openssl.ERR_get_error();

	switch (kind) {
	case SSL_ERROR_WANT_READ:
		*events = POLLIN;
		return EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*events = POLLOUT;
		return EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return STATUS_END;
	case SSL_ERROR_SYSCALL:
		if (code != 0)
			break;
		return saved == 0 ? STATUS_END
				  : trouble(f, STATUS_CLUSTER, t->host, "%s",
					strerror(saved));
	default:
		break;
	}
	return broken(t, code, f);
}

int
tls_shake_hands(struct tls *t, short *events, struct fault *f)
{
	int result, rc;

	openssl.ERR_clear_error();
	errno = 0;
	result = openssl.SSL_connect(t->ssl);
	if (result == 1)
		return 0;
	rc = outcome(t, result, errno, events, f);
	return rc == STATUS_END
	    ? trouble(f, STATUS_CLUSTER, t->host, "it ended the TLS handshake")
	    : rc;
}

int
tls_read(struct tls *t, void *data, size_t len, size_t *done, short *events,
    struct fault *f)
{
	int result;

	*done = 0;
	openssl.ERR_clear_error();
	errno = 0;
	result = openssl.SSL_read_ex(t->ssl, data, len, done);
	return result == 1 ? 0 : outcome(t, result, errno, events, f);
}

int
tls_write(struct tls *t, const void *data, size_t len, size_t *done,
    short *events, struct fault *f)
{
	int result;

	*done = 0;
	openssl.ERR_clear_error();
	errno = 0;
	result = openssl.SSL_write_ex(t->ssl, data, len, done);
	return result == 1 ? 0 : outcome(t, result, errno, events, f);
}
