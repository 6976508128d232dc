#include "direct/login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/status.h"
#include "client/place.h"
#include "client/settings.h"
#include "direct/openssl.h"
#include "direct/scram.h"
#include "direct/talk.h"
#include "direct/tls.h"
#include "direct/trouble.h"
#include "kafka/error.h"
#include "kafka/messages.h"

enum mechanism {
	NONE,
	PLAIN,
	SCRAM_SHA_256,
	SCRAM_SHA_512,
};

static const char *const mechanisms[] = {
    [PLAIN] = "PLAIN",
    [SCRAM_SHA_256] = "SCRAM-SHA-256",
    [SCRAM_SHA_512] = "SCRAM-SHA-512",
};

struct login {
	struct tls_context *tls;
	enum mechanism mechanism;
	const char *client_id;
	const char *user;
	const char *password;
};

/* Those of "security.", "ssl.", "sasl." that count. */
static const char *const known[] = {"security.protocol", "sasl.mechanism",
    "sasl.mechanisms", "sasl.username", "sasl.password", "ssl.ca.location",
    "ssl.ca.pem", "ssl.certificate.location", "ssl.key.location",
    "ssl.key.password", "ssl.cipher.suites",
    "ssl.endpoint.identification.algorithm"};

static bool
is_known(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return strncmp(name, "security.", 9) != 0 &&
	    strncmp(name, "ssl.", 4) != 0 && strncmp(name, "sasl.", 5) != 0;
}

struct tls_context *
login_tls(const struct login *l)
{
	return l->tls;
}

const char *
login_client_id(const struct login *l)
{
	return l->client_id;
}

/* --- what the properties say ---------------------------------------------- */

/* security.protocol, where kafka+tls:// says half of it. */
static int
parse_protocol(const struct settings *s, const struct place *place, bool *tls,
    bool *sasl, struct fault *f)
{
	const char *said = settings_get(s, "security.protocol");

	*tls = place->tls;
	*sasl = false;
	if (said == NULL || strcasecmp(said, "plaintext") == 0)
		return 0;
	*sasl = strncasecmp(said, "sasl_", 5) == 0;
	if (strcasecmp(said, "ssl") == 0 || strcasecmp(said, "sasl_ssl") == 0)
		*tls = true;
	else if (strcasecmp(said, "sasl_plaintext") != 0)
		return trouble(f, STATUS_CLUSTER, "security.protocol",
		    "%s: not plaintext, ssl, sasl_plaintext or sasl_ssl", said);
	return 0;
}

static int
parse_mechanism(struct login *l, const struct settings *s, struct fault *f)
{
	const char *said = settings_get(s, "sasl.mechanism");

	if (said == NULL)
		said = settings_get(s, "sasl.mechanisms");
	if (said == NULL)
		return trouble(f, STATUS_CLUSTER, "sasl.mechanism",
		    "not given, and security.protocol wants one");
	for (size_t i = PLAIN; i <= SCRAM_SHA_512; i++)
		if (strcasecmp(said, mechanisms[i]) == 0)
			l->mechanism = (enum mechanism)i;
	if (l->mechanism == NONE)
		return trouble(f, STATUS_CLUSTER, "sasl.mechanism",
		    "%s: not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", said);
	l->user = settings_get(s, "sasl.username");
	l->password = settings_get(s, "sasl.password");
	if (l->user == NULL || l->password == NULL)
		return trouble(f, STATUS_CLUSTER,
		    l->user == NULL ? "sasl.username" : "sasl.password",
		    "not given, and %s wants it", said);
	if (l->mechanism != PLAIN && openssl_load() != 0)
		return status_fault(f, STATUS_CLIENT, "", -1, -1,
		    openssl_why());
	return 0;
}

int
login_new(const struct settings *s, const struct place *place,
    struct login **out, struct fault *f)
{
	struct login *l;
	bool tls, sasl;
	int rc = 0;

	for (size_t i = 0; i < s->count; i++)
		if (!is_known(s->pairs[i].name))
			return trouble(f, STATUS_CLUSTER, s->pairs[i].name,
			    "not a property that is known here");
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return ENOMEM;
	l->client_id = settings_get(s, "client.id");
	if (l->client_id == NULL)
		l->client_id = "logkit";
	rc = parse_protocol(s, place, &tls, &sasl, f);
	if (rc == 0 && sasl)
		rc = parse_mechanism(l, s, f);
	if (rc == 0 && tls)
		rc = tls_context_new(s, &l->tls, f);
	if (rc != 0) {
		login_free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void
login_free(struct login *l)
{
	if (l == NULL)
		return;
	tls_context_free(l->tls);
	free(l);
}

/* --- logging in ----------------------------------------------------------- */

static int
shake_hands(const struct login *l, struct talk *t, struct talk_answer *a,
    struct fault *f)
{
	const char *name = mechanisms[l->mechanism];
	struct sasl_handshake_request q = {.mechanism = bytes_of(name)};
	struct sasl_handshake_response r;
	int rc = talk_call(t, API_SASL_HANDSHAKE, &q, a, &r, f);

	if (rc == 0 && r.error_code == KAFKA_UNSUPPORTED_SASL_MECHANISM)
		return trouble(f, EACCES, talk_name(t),
		    "the broker does not take %s", name);
	if (rc == 0 && r.error_code != 0)
		return trouble(f, EACCES, talk_name(t), "%s",
		    error_text(r.error_code));
	return rc;
}

/* Say what, and hear what the other side says to it, as text. */
static int
exchange(struct talk *t, struct talk_answer *a, struct bytes what,
    char heard[SCRAM_TEXT_MAX], struct fault *f)
{
	struct sasl_authenticate_request q = {.auth_bytes = what};
	struct sasl_authenticate_response r;
	int rc = talk_call(t, API_SASL_AUTHENTICATE, &q, a, &r, f);

	if (rc != 0)
		return rc;
	if (r.error_code != 0)
		return trouble(f, EACCES, talk_name(t), "%s%s%.*s",
		    error_text(r.error_code),
		    r.error_message.len > 0 ? ": " : "",
		    r.error_message.len > 0 ? r.error_message.len : 0,
		    (const char *)r.error_message.data);
	if (r.auth_bytes.len >= SCRAM_TEXT_MAX)
		return trouble(f, EACCES, talk_name(t),
		    "what it says to the login is too long");
	memcpy(heard, r.auth_bytes.data, (size_t)r.auth_bytes.len);
	heard[r.auth_bytes.len] = '\0';
	return 0;
}

/* RFC 4616: NUL name NUL password. */
static int
log_in_plainly(const struct login *l, struct talk *t, struct talk_answer *a,
    struct fault *f)
{
	char heard[SCRAM_TEXT_MAX];
	struct buf b;
	int rc;

	buf_init(&b, SCRAM_TEXT_MAX);
	rc = buf_add_8(&b, 0);
	if (rc == 0)
		rc = buf_add_str(&b, l->user);
	if (rc == 0)
		rc = buf_add_8(&b, 0);
	if (rc == 0)
		rc = buf_add_str(&b, l->password);
	if (rc == STATUS_TOO_BIG)
		rc = trouble(f, EACCES, "sasl.password", "too long");
	if (rc == 0)
		rc = exchange(t, a, (struct bytes){b.data, (int32_t)b.len},
		    heard, f);
	buf_release(&b);
	return rc;
}

static int
log_in_by_scram(const struct login *l, struct talk *t, struct talk_answer *a,
    struct fault *f)
{
	char said[SCRAM_TEXT_MAX], heard[SCRAM_TEXT_MAX];
	const char *what = "it cannot be answered";
	struct scram s;
	int rc;

	scram_init(&s, l->mechanism == SCRAM_SHA_512, l->user, l->password);
	rc = scram_first(&s, said);
	if (rc == STATUS_TOO_BIG)
		return trouble(f, EACCES, "sasl.username", "too long");
	if (rc == 0)
		rc = exchange(t, a, bytes_of(said), heard, f);
	if (rc == 0)
		rc = scram_final(&s, heard, said, &what);
	if (rc == 0)
		rc = exchange(t, a, bytes_of(said), heard, f);
	if (rc == 0)
		rc = scram_verify(&s, heard, &what);
	if (rc == STATUS_CORRUPT)
		rc = trouble(f, EACCES, talk_name(t),
		    "what it says to the login is not right: %s", what);
	return rc;
}

int
login_run(const struct login *l, struct talk *t, struct fault *f)
{
	struct talk_answer a;
	int rc;

	if (l->mechanism == NONE)
		return 0;
	talk_answer_init(&a);
	rc = shake_hands(l, t, &a, f);
	if (rc == 0 && l->mechanism == PLAIN)
		rc = log_in_plainly(l, t, &a, f);
	else if (rc == 0)
		rc = log_in_by_scram(l, t, &a, f);
	talk_answer_release(&a);
	return rc;
}
