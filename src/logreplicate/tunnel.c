#include "tunnel.h"

#include <sys/types.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/plain.h"
#include "base/status.h"
#include "direct/login.h"
#include "direct/talk.h"
#include "kafka/error.h"
#include "kafka/messages.h"

enum {
	STEP_NONCE,
	STEP_PROOF,
	STEP_FRAMES,
	/* Of one request, and requests without an answer. */
	PIECE_BYTES = 1 << 20,
	PIECES_MAX = 8,
};

struct carrier {
	const struct tunnel *o;
	struct login *login;
	struct talk *talk;
	struct trust trust;
	struct talk_answer answer;
	uint8_t *piece;		/* the count, and what is read */
	int in, out;
	bool ended;		/* nothing more comes from in */
	bool has_failed;	/* and that was told */
};

static int
say(struct carrier *c, int status, const struct fault *f, const char *text)
{
	/* Where it is all about, our parent says itself. */
	if (!c->has_failed && f != NULL && f->file[0] != '\0' &&
	    strcmp(f->file, c->o->place->brokers) != 0)
		fprintf(stderr, "%s: %s\n", f->file, text);
	else if (!c->has_failed)
		fprintf(stderr, "%s\n", text);
	c->has_failed = true;
	return status;
}

static int
fail(struct carrier *c, int rc, const struct fault *f)
{
	return say(c, CLI_FAIL, f,
	    f->what != NULL && rc != ENOMEM ? f->what : status_text(rc));
}

/* What the server answers instead of what was wanted. */
static int
refused(struct carrier *c, const struct replicate_response *r)
{
	char said[400], text[512];

	if (r->error_message.len <= 0)
		return say(c, TUNNEL_REFUSED, NULL, error_text(r->error_code));
	plain_copy(r->error_message.data, (size_t)r->error_message.len, said,
	    sizeof(said));
	snprintf(text, sizeof(text), "the server says: %s", said);
	return say(c, TUNNEL_REFUSED, NULL, text);
}

/* --- proofs --------------------------------------------------------------- */

static struct view
view_of(struct bytes b)
{
	return (struct view){b.data, b.len > 0 ? (size_t)b.len : 0};
}

static int
ask(struct carrier *c, int step, struct view data, struct view *said)
{
	struct replicate_request q = {.step = (int8_t)step,
	    .data = {data.data, (int32_t)data.len}};
	struct fault f = {.file = ""};
	struct replicate_response r;
	int rc = talk_call(c->talk, API_REPLICATE, &q, &c->answer, &r, &f);

	if (rc != 0)
		return fail(c, rc, &f);
	if (r.error_code != 0)
		return refused(c, &r);
	*said = view_of(r.data);
	return CLI_DONE;
}

static int
prove(struct carrier *c)
{
	uint8_t proof[TRUST_PROOF_LEN];
	struct view said;
	int status, rc = trust_init(&c->trust, false);

	if (rc != 0)
		return say(c, CLI_FAIL, NULL, status_text(rc));
	status = ask(c, STEP_NONCE, trust_nonce(&c->trust), &said);
	if (status != CLI_DONE)
		return status;
	if (trust_take_nonce(&c->trust, said) != 0)
		return say(c, TUNNEL_REFUSED, NULL, "its nonce is none");
	trust_prove(&c->trust, c->o->secret, proof);
	status = ask(c, STEP_PROOF, (struct view){proof, sizeof(proof)}, &said);
	if (status == CLI_DONE && !trust_check(&c->trust, c->o->secret, said))
		status = say(c, TUNNEL_REFUSED, NULL,
		    "it does not know the secret itself");
	return status;
}

/* --- carrying ------------------------------------------------------------- */

static int
send_piece(struct carrier *c, size_t len)
{
	uint8_t tag[TRUST_TAG_LEN];
	struct replicate_request q = {.step = STEP_FRAMES,
	    .data = {c->piece, (int32_t)(TRUST_COUNT_LEN + len)},
	    .tag = {tag, sizeof(tag)}};
	struct fault f = {.file = ""};
	int rc;

	trust_seal(&c->trust, c->piece, TRUST_COUNT_LEN + len, tag);
	rc = talk_send(c->talk, API_REPLICATE, &q, &f);
	return rc == 0 ? CLI_DONE : fail(c, rc, &f);
}

/* What is there, up to a piece. */
static int
carry_out(struct carrier *c)
{
	ssize_t got = read(c->in, c->piece + TRUST_COUNT_LEN, PIECE_BYTES);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return CLI_DONE;
	if (got <= 0) {
		c->ended = true;
		return CLI_DONE;
	}
	return send_piece(c, (size_t)got);
}

static int
take_answer(struct carrier *c, const struct replicate_response *r)
{
	struct view data = view_of(r->data);
	int rc;

	if (r->error_code != 0)
		return refused(c, r);
	if (trust_open(&c->trust, &data, view_of(r->tag)) != 0)
		return say(c, TUNNEL_REFUSED, NULL,
		    "an answer that is not from the server");
	rc = io_write_full(c->out, data.data, data.len);
	if (rc == EPIPE)
		c->ended = true;
	else if (rc != 0)
		return say(c, CLI_FAIL, NULL, status_text(rc));
	return CLI_DONE;
}

/* All answers that have come in whole. */
static int
carry_back(struct carrier *c)
{
	struct fault f = {.file = ""};
	struct replicate_response r;
	int rc, status = CLI_DONE;

	while (status == CLI_DONE && talk_pending(c->talk) > 0) {
		rc = talk_try(c->talk, &c->answer, &r, &f);
		if (rc == EAGAIN)
			break;
		status = rc == 0 ? take_answer(c, &r) : fail(c, rc, &f);
	}
	return status;
}

/* Both ways, until nothing more comes from in and all is answered. */
static int
carry(struct carrier *c)
{
	struct pollfd fds[2] = {{c->in, POLLIN, 0},
	    {talk_fd(c->talk), POLLIN, 0}};
	int status = CLI_DONE;

	while (
	    status == CLI_DONE && !(c->ended && talk_pending(c->talk) == 0)) {
		bool full = talk_pending(c->talk) >= PIECES_MAX;

		fds[0].fd = c->ended || full ? -1 : c->in;
		fds[0].revents = fds[1].revents = 0;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return say(c, CLI_FAIL, NULL, status_text(errno));
		if (fds[1].revents != 0 && talk_pending(c->talk) == 0)
			return say(c, CLI_FAIL, NULL,
			    "the server closed the connection");
		if (fds[1].revents != 0)
			status = carry_back(c);
		if (status == CLI_DONE && fds[0].revents != 0)
			status = carry_out(c);
	}
	return status;
}

/* --- the connection ------------------------------------------------------- */

static int
begin(struct carrier *c)
{
	struct talk_options to = {.timeout_ms = c->o->timeout_ms};
	struct fault f = {.file = ""};
	int rc = login_new(c->o->settings, c->o->place, &c->login, &f);

	to.login = c->login;
	if (rc == 0)
		rc = talk_open_any(&to, c->o->place->brokers, &c->talk, &f);
	if (rc != 0)
		return fail(c, rc, &f);
	if (talk_version(c->talk, API_REPLICATE, INT16_MAX) < 0)
		return say(c, TUNNEL_REFUSED, NULL,
		    "it takes no copies: it is to be a logserve with "
		    "--replica-secret (another cluster: --reproduce)");
	return prove(c);
}

int
tunnel_run(const struct tunnel *t, int in, int out)
{
	struct carrier c = {.o = t, .in = in, .out = out};
	int status;

	(void)signal(SIGPIPE, SIG_IGN);
	talk_answer_init(&c.answer);
	c.piece = malloc(TRUST_COUNT_LEN + PIECE_BYTES);
	status = c.piece == NULL ? say(&c, CLI_FAIL, NULL, status_text(ENOMEM))
				 : begin(&c);
	if (status == CLI_DONE)
		status = carry(&c);
	talk_close(c.talk);
	login_free(c.login);
	talk_answer_release(&c.answer);
	free(c.piece);
	return status;
}
