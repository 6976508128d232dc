#include "session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "base/now.h"
#include "base/plain.h"
#include "base/status.h"

enum {
	TICK_MS = 1000,		/* the longest wait */
	STOP_MS = 10000,	/* stopped: for the other side to end, too */
	LOOK_MS = 1000,		/* following: look, whatever was told */
	POLL_MS = 100,		/* where nothing tells of changes */
	TAKE_MS = 100,		/* frames are taken, before all else */
};

int
session_open(struct session *s, int in, int out)
{
	*s = (struct session){.status = 0};
	return link_init(&s->link, in, out);
}

void
session_close(struct session *s)
{
	link_release(&s->link);
}

static int fail(struct session *s, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
fail(struct session *s, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->text, sizeof(s->text), fmt, ap);
	va_end(ap);
	s->status = status;
	return status;
}

/* An error of ours, or of the link. */
static int
fail_with(struct session *s, int rc, const struct fault *f)
{
	char text[SESSION_TEXT_LEN];

	if (rc == STATUS_END || rc == EPIPE || rc == ECONNRESET)
		return fail(s, CLI_FAIL, "the connection was closed");
	if (rc == STATUS_TIMEOUT) {
		s->dead = true;
		return fail(s, CLI_FAIL, "nothing was heard for %.3g s",
		    (double)s->link.dead_ms / 1000);
	}
	report_reason_at(&s->place, rc, f, text, sizeof(text));
	s->about = f != NULL && f->file[0] != '\0' ? SESSION_TOLD
	    : rc == STATUS_MISMATCH                ? SESSION_HERE
						   : SESSION_LINK;
	return fail(s, report_status(rc), "%s", text);
}

/* ERROR, which ends everything. */
static int
fail_as_told(struct session *s, const struct frame *f)
{
	char text[SESSION_TEXT_LEN];

	plain_copy(f->data.data, f->data.len, text, sizeof(text));
	s->about = SESSION_THEIRS;
	return fail(s, f->status > 0 ? f->status : CLI_FAIL, "%s", text);
}

/* What cannot be understood. */
static int
fail_garbled(struct session *s, const char *what)
{
	char garbage[80];

	link_garbage(&s->link, garbage, sizeof(garbage));
	if (!s->greeted && garbage[0] != '\0')
		return fail(s, CLI_FAIL,
		    "something else answers than logreplicate: \"%s\"",
		    garbage);
	return fail(s, CLI_FAIL, "not understood: %s", what);
}

/* Is this the end, by who runs us? */
static bool
is_stopped(struct session *s)
{
	if (s->stop == NULL || *s->stop == 0)
		return false;
	if (s->stop_ms == 0)
		s->stop_ms = now_mono_ms();
	return true;
}

/* Wait for one frame of a type. */
static int
await(struct session *s, enum frame_type type, struct frame *f)
{
	bool ready;
	int rc;

	for (;;) {
		if (is_stopped(s))
			return fail(s, CLI_FAIL, "stopped");
		if (s->progress != NULL)
			s->progress(s);
		rc = link_next(&s->link, f);
		if (rc == EAGAIN)
			rc = link_poll(&s->link, true, -1, TICK_MS, &ready);
		else if (rc == STATUS_CORRUPT)
			return fail_garbled(s, s->link.what);
		else if (rc == 0 && f->type == FRAME_ERROR)
			return fail_as_told(s, f);
		else if (rc == 0 && f->type == type)
			return CLI_DONE;
		else if (rc == 0 && f->type != FRAME_ALIVE)
			return fail_garbled(s, frame_name(f->type));
		if (rc != 0)
			return fail_with(s, rc, NULL);
	}
}

/* Encode a frame, which then goes when it can. */
static int
put(struct session *s, const struct frame *f)
{
	int rc = frame_encode(f, &s->link.output);

	return rc == 0 ? CLI_DONE : fail_with(s, rc, NULL);
}

int
session_greet(struct session *s)
{
	static const char version[] = CLI_VERSION;
	struct frame f = {.type = FRAME_HELLO,
	    .magic = FRAME_MAGIC,
	    .version_min = FRAME_VERSION,
	    .version_max = FRAME_VERSION,
	    .capabilities = FRAME_EXAMINES,
	    .window = FRAME_WINDOW,
	    .data = {(const uint8_t *)version, sizeof(version) - 1}};
	int status = put(s, &f);

	if (status == CLI_DONE)
		status = await(s, FRAME_HELLO, &f);
	if (status != CLI_DONE)
		return status;
	s->hello = f;
	s->hello.data = (struct view){NULL, 0};
	plain_copy(f.data.data, f.data.len, s->version, sizeof(s->version));
	s->greeted = true;
	if (f.magic != FRAME_MAGIC || f.window < FRAME_WINDOW_MIN ||
	    f.window > INT32_MAX)
		return fail_garbled(s, "HELLO");
	if (f.version_min > FRAME_VERSION || f.version_max < FRAME_VERSION)
		return fail(s, CLI_FAIL,
		    "its logreplicate %s speaks versions %d to %d of the "
		    "protocol, this one (%s) version %d",
		    s->version, f.version_min, f.version_max, CLI_VERSION,
		    FRAME_VERSION);
	return CLI_DONE;
}

int
session_ask(struct session *s, const struct request *r)
{
	struct frame f = {.type = FRAME_REQUEST};
	struct buf data;
	int rc, status;

	buf_init(&data, FRAME_TEXT_MAX);
	rc = request_encode(r, &data);
	f.data = (struct view){data.data, data.len};
	status = rc == 0 ? put(s, &f) : fail_with(s, rc, NULL);
	buf_release(&data);
	return status;
}

int
session_hear(struct session *s, struct request *r)
{
	char bad[128];
	struct frame f;
	int rc, status = await(s, FRAME_REQUEST, &f);

	if (status != CLI_DONE)
		return status;
	rc = request_decode(f.data, r, bad, sizeof(bad));
	if (rc == STATUS_SYNTAX)
		return fail(s, CLI_FAIL,
		    "logreplicate %s does not know what it is asked: %s",
		    CLI_VERSION, bad);
	return rc == 0 ? CLI_DONE : fail_with(s, rc, NULL);
}

/* One frame for who is at work here; STATUS_END: it was the last. */
typedef int take_frame(void *arg, const struct frame *f, struct buf *out,
    const char **what);

/*
 * Give the frames that have come to take(): all, or as many as there is time
 * for, since what they ask for may take long.  0; STATUS_END; else it is over
 * and s->status says how.
 */
static int
take_all(struct session *s, take_frame *take, void *arg)
{
	int64_t until = now_mono_ms() + TAKE_MS;
	const char *what = "";
	struct frame f;
	int rc;

	while ((rc = link_next(&s->link, &f)) == 0) {
		if (f.type == FRAME_ALIVE)
			continue;
		if (f.type == FRAME_ERROR) {
			(void)fail_as_told(s, &f);
			return STATUS_FAILED;
		}
		rc = take(arg, &f, &s->link.output, &what);
		if (rc == STATUS_END)
			return rc;
		if (rc == STATUS_CORRUPT)
			(void)fail(s, CLI_FAIL, "%s: %s", frame_name(f.type),
			    what);
		else if (rc == STATUS_NOT_TOPIC) {
			s->about = SESSION_HERE;
			(void)fail(s, CLI_FAIL, "%s", what);
		} else if (rc != 0)
			(void)fail_with(s, rc, s->fault);
		if (rc != 0)
			return STATUS_FAILED;
		if (is_stopped(s) || now_mono_ms() >= until)
			return 0;
	}
	if (rc == EAGAIN)
		return 0;
	if (rc == STATUS_CORRUPT)
		(void)fail_garbled(s, s->link.what);
	else
		(void)fail_with(s, rc, NULL);
	return STATUS_FAILED;
}

/* Write what is left. */
static void
drain(struct session *s)
{
	bool ready;

	while (link_pending(&s->link) > 0 &&
	    link_poll(&s->link, true, -1, TICK_MS, &ready) == 0)
		continue;
}

void
session_tell(struct session *s, int status, const char *text)
{
	struct frame f = {.type = FRAME_ERROR,
	    .status = status,
	    .data = {(const uint8_t *)text, strlen(text)}};

	if (put(s, &f) == CLI_DONE)
		drain(s);
}

static int
sender_take(void *arg, const struct frame *f, struct buf *out,
    const char **what)
{
	return sender_frame(arg, f, out, what);
}

/* Is there more at the source? */
struct follower {
	struct source *src;
	bool follow;
	int64_t looked_ms;
};

static int
look(struct session *s, struct sender *snd, struct follower *w, bool woken,
    struct fault *f)
{
	int64_t now = now_mono_ms();

	if (!woken && now - w->looked_ms < LOOK_MS)
		return 0;
	w->looked_ms = now;
	return sender_look(snd, &s->link.output, f);
}

/* Do what can be done; *idle: nothing, until something comes. */
static int
work(struct session *s, struct sender *snd, bool *idle, struct fault *f)
{
	int rc = 0;

	*idle = false;
	while (rc == 0 && link_pending(&s->link) < LINK_OUT_BYTES)
		rc = sender_step(snd, &s->link.output, f);
	*idle = rc == EAGAIN;
	return rc == EAGAIN ? 0 : rc;
}

static void
note_progress(struct session *s)
{
	if (s->progress != NULL)
		s->progress(s);
}

/* Is it time to count how far behind this side is? */
static bool
is_counting(struct session *s)
{
	int64_t now = now_mono_ms();

	if (s->counted_ms > 0 && now - s->counted_ms < TICK_MS)
		return false;
	s->counted_ms = now;
	return true;
}

static void
note_sent(struct session *s, const struct sender *snd)
{
	const struct sender_totals *t = sender_totals(snd);

	s->bytes = t->bytes;
	s->partitions = t->partitions;
	s->cut = t->cut;
	s->compared = t->compared;
	s->skipped = t->skipped;
	s->done = t->done;
	s->wanted = t->wanted;
	if (is_counting(s))
		s->behind = sender_behind(snd, &s->behind_in);
	note_progress(s);
}

static void
note_received(struct session *s, const struct receiver *r)
{
	const struct receiver_totals *t = receiver_totals(r);

	s->bytes = t->bytes;
	s->partitions = t->partitions;
	s->cut = t->cut;
	s->done = t->done;
	s->wanted = t->wanted;
	if (is_counting(s))
		s->behind = receiver_behind(r, &s->behind_in);
	note_progress(s);
}

/*
 * The source's turn, and the wait for what comes: of the other side, or of the
 * source.
 */
static int
rest(struct session *s, struct sender *snd, struct follower *w, bool idle,
    bool *changed, struct fault *f)
{
	struct source *src = w->src;
	bool full = link_pending(&s->link) >= LINK_OUT_BYTES, ready, wait;
	int fd = src->ops->wait_fd(src), rc;

	rc = src->ops->turn(src, changed, f);
	if (rc != 0)
		return rc;
	if (*changed)
		sender_resume(snd);
	wait = (idle || full) && !*changed && !link_has_more(&s->link);
	return link_poll(&s->link, wait, idle ? fd : -1,
	    fd < 0 && w->follow ? POLL_MS : TICK_MS, &ready);
}

/* Nothing more is begun; the other side makes durable what it has. */
static int
stop_sending(struct session *s, struct sender *snd)
{
	sender_stop(snd);
	return now_mono_ms() - s->stop_ms < STOP_MS ? 0 : STATUS_TIMEOUT;
}

static int
send_loop(struct session *s, struct sender *snd, const struct sender_options *o,
    struct source *src)
{
	struct follower w = {src, o->follow, now_mono_ms()};
	struct fault f = {.file = ""};
	bool idle = false, changed = false, woken = false;
	int rc = 0;

	while (rc == 0) {
		rc = take_all(s, sender_take, snd);
		if (rc == 0 && is_stopped(s))
			rc = stop_sending(s, snd);
		if (rc == 0 && o->follow) {
			rc = look(s, snd, &w, woken, &f);
			woken = false;
		}
		if (rc == 0)
			rc = work(s, snd, &idle, &f);
		note_sent(s, snd);
		if (rc == 0)
			rc = rest(s, snd, &w, idle, &changed, &f);
		woken = woken || changed;
	}
	s->behind = sender_behind(snd, &s->behind_in);
	if (rc == STATUS_END)
		return sender_totals(snd)->status;
	if (rc == STATUS_CLUSTER && f.file[0] == '\0')
		f = *s->fault;
	return rc == STATUS_FAILED ? s->status : fail_with(s, rc, &f);
}

int
session_send(struct session *s, struct source *src,
    const struct sender_options *o)
{
	struct sender_options own = *o;
	struct sender *snd;
	int rc, status;

	own.place = s->place;
	own.window = s->hello.window;
	own.examines = (s->hello.capabilities & FRAME_EXAMINES) != 0;
	rc = sender_new(src, &own, &snd);
	if (rc != 0)
		return fail_with(s, rc, NULL);
	s->fault = sender_fault(snd);
	status = send_loop(s, snd, &own, src);
	s->fault = NULL;
	sender_free(snd);
	return status;
}

static int
receiver_take(void *arg, const struct frame *f, struct buf *out,
    const char **what)
{
	return receiver_frame(arg, f, out, what);
}

/* What has come is made durable, and the other side is told. */
static int
stop_receiving(struct session *s, struct receiver *r)
{
	static const char text[] = "stopped";
	struct frame f = {.type = FRAME_ERROR,
	    .status = CLI_FAIL,
	    .data = {(const uint8_t *)text, sizeof(text) - 1}};
	bool ready;
	int rc = receiver_stop(r, &s->link.output);

	if (rc == 0)
		rc = frame_encode(&f, &s->link.output);
	while (rc == 0 && link_pending(&s->link) > 0 &&
	    now_mono_ms() - s->stop_ms < STOP_MS)
		rc = link_poll(&s->link, true, -1, TICK_MS, &ready);
	return receiver_totals(r)->status;
}

static int
receive_loop(struct session *s, struct receiver *r)
{
	bool ready;
	int rc = 0;

	while (rc == 0) {
		if (is_stopped(s))
			return stop_receiving(s, r);
		rc = take_all(s, receiver_take, r);
		if (rc == 0)
			rc = receiver_tick(r,
			    now_mono_ms() - s->link.heard_ms <
				3 * LINK_ALIVE_MS,
			    &s->link.output);
		note_received(s, r);
		if (rc == 0)
			rc = link_poll(&s->link, !link_has_more(&s->link), -1,
			    TICK_MS, &ready);
	}
	s->behind = receiver_behind(r, &s->behind_in);
	if (rc == STATUS_END) {
		drain(s);
		return receiver_totals(r)->status;
	}
	return rc == STATUS_FAILED ? s->status : fail_with(s, rc, NULL);
}

int
session_receive(struct session *s, struct sink *sink,
    const struct receiver_options *o)
{
	struct receiver_options own = *o;
	struct receiver *r;
	int rc, status;

	own.place = s->place;
	rc = receiver_new(sink, &own, &r);
	if (rc != 0)
		return fail_with(s, rc, NULL);
	status = receive_loop(s, r);
	receiver_free(r);
	return status;
}
