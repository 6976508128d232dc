#include "replicate/inlet.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "replicate/disk_sink.h"
#include "replicate/frame.h"
#include "replicate/receiver.h"
#include "replicate/request.h"
#include "store/topic.h"

enum {
	TEXT_LEN = 800,
	/* Of a buffer that was larger for one frame, no more is kept. */
	KEEP_BYTES = 4 << 20,
	EXIT_FAIL = 1,		/* exit status of a program */
};

enum inlet_state {
	GREETING,
	ASKED,
	RECEIVING,
	OVER,
};

struct inlet {
	struct inlet_options o;
	enum inlet_state state;
	struct buf input;	/* a frame that is not whole, what follows */
	size_t taken;		/* of input, by frames */
	char path[TOPIC_NAME_MAX + 2];
	char *real;		/* the same, on the disk */
	struct sink *sink;
	struct receiver *receiver;
	char text[TEXT_LEN];	/* why it is over */
};

int
inlet_new(const struct inlet_options *o, struct inlet **out)
{
	struct inlet *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return ENOMEM;
	in->o = *o;
	buf_init(&in->input, 2 * (size_t)FRAME_PAYLOAD_MAX);
	*out = in;
	return 0;
}

void
inlet_free(struct inlet *in)
{
	if (in == NULL)
		return;
	receiver_free(in->receiver);
	if (in->sink != NULL)
		in->sink->ops->close(in->sink);
	buf_release(&in->input);
	free(in->real);
	free(in);
}

/* --- the end -------------------------------------------------------------- */

static int fail(struct inlet *in, struct buf *out, int status, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));

/* Tell the other side, and be over. */
static int
fail(struct inlet *in, struct buf *out, int status, const char *fmt, ...)
{
	struct frame f = {.type = FRAME_ERROR, .status = status};
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(in->text, sizeof(in->text), fmt, ap);
	va_end(ap);
	in->state = OVER;
	f.data = (struct view){(const uint8_t *)in->text, strlen(in->text)};
	rc = frame_encode(&f, out);
	return rc == 0 ? STATUS_END : rc;
}

static int
fail_with(struct inlet *in, struct buf *out, int rc)
{
	char why[200];

	report_reason(rc, NULL, why, sizeof(why));
	return fail(in, out, report_status(rc), "%s", why);
}

static int
fail_garbled(struct inlet *in, struct buf *out, const char *what)
{
	return fail(in, out, EXIT_FAIL, "not understood: %s", what);
}

/* The other side's last word. */
static int
end_as_told(struct inlet *in, const struct frame *f)
{
	snprintf(in->text, sizeof(in->text), "%.*s",
	    (int)(f->data.len < TEXT_LEN ? f->data.len : TEXT_LEN - 1),
	    f->data.data != NULL ? (const char *)f->data.data : "");
	in->state = OVER;
	return STATUS_END;
}

/* --- frames --------------------------------------------------------------- */

static int
take_hello(struct inlet *in, const struct frame *f, struct buf *out)
{
	const struct frame hello = {.type = FRAME_HELLO,
	    .capabilities = FRAME_EXAMINES,
	    .magic = FRAME_MAGIC,
	    .version_min = FRAME_VERSION,
	    .version_max = FRAME_VERSION,
	    .window = FRAME_WINDOW,
	    .data = {(const uint8_t *)in->o.version, strlen(in->o.version)}};
	int rc = frame_encode(&hello, out);

	if (rc != 0)
		return rc;
	if (f->type != FRAME_HELLO || f->magic != FRAME_MAGIC)
		return fail_garbled(in, out, frame_name(f->type));
	if (f->version_min > FRAME_VERSION || f->version_max < FRAME_VERSION)
		return fail(in, out, EXIT_FAIL,
		    "logserve %s speaks version %d of the protocol",
		    in->o.version, FRAME_VERSION);
	in->state = ASKED;
	return 0;
}

/* What it may be asked, and where that is; NULL: it is all right. */
static const char *
check_request(struct inlet *in, const struct request *r, char path[PATH_MAX])
{
	bool is_root = strcmp(r->path, "/") == 0;

	if (r->send)
		return "it only receives; to read from it is for kafka://";
	if (!is_root && (!topic_is_name(r->path) || r->path[0] == '.'))
		return "not a name of a topic";
	if (is_root && !r->named)
		return "one topic cannot be the root";
	if (!is_root && r->named)
		return "many topics cannot be one";
	if (snprintf(path, PATH_MAX, "%s/%s", in->o.root,
		is_root ? "" : r->path) >= PATH_MAX)
		return "a path too long";
	strlcpy(in->path, r->path, sizeof(in->path));
	return NULL;
}

static int
begin(struct inlet *in, const struct request *r, struct buf *out)
{
	struct disk_sink_options so = {.dry_run = r->dry_run,
	    .cut = r->cut,
	    .open_max = in->o.open_max};
	struct receiver_options ro = {.cut = r->cut,
	    .mirror = r->mirror,
	    .dry_run = r->dry_run,
	    .named = r->named,
	    .source = r->source[0] != '\0' ? r->source : NULL,
	    .parts_max = in->o.parts_max,
	    .reporter = in->o.reporter};
	char path[PATH_MAX];
	const char *why = check_request(in, r, path);
	int rc;

	if (why != NULL)
		return fail(in, out, EXIT_FAIL, "%s", why);
	in->real = strdup(path);
	ro.place = (struct report_place){in->real, in->path};
	rc = in->real == NULL ? ENOMEM : disk_sink_open(path, &so, &in->sink);
	if (rc == 0)
		rc = receiver_new(in->sink, &ro, &in->receiver);
	if (rc != 0)
		return fail_with(in, out, rc);
	in->state = RECEIVING;
	return 0;
}

static int
take_request(struct inlet *in, const struct frame *f, struct buf *out)
{
	struct request r;
	char bad[128];
	int rc;

	if (f->type != FRAME_REQUEST)
		return fail_garbled(in, out, frame_name(f->type));
	rc = request_decode(f->data, &r, bad, sizeof(bad));
	if (rc == STATUS_SYNTAX)
		return fail(in, out, EXIT_FAIL,
		    "logserve %s does not know what it is asked: %s",
		    in->o.version, bad);
	if (rc != 0)
		return fail_with(in, out, rc);
	rc = begin(in, &r, out);
	request_release(&r);
	return rc;
}

static int
take_frame(struct inlet *in, const struct frame *f, struct buf *out)
{
	static const struct frame alive = {.type = FRAME_ALIVE};
	const char *what = "";
	int rc;

	if (f->type == FRAME_ALIVE)
		return frame_encode(&alive, out);
	if (f->type == FRAME_ERROR)
		return end_as_told(in, f);
	if (in->state == GREETING)
		return take_hello(in, f, out);
	if (in->state == ASKED)
		return take_request(in, f, out);
	rc = receiver_frame(in->receiver, f, out, &what);
	if (rc == STATUS_END)
		in->state = OVER;
	if (rc == STATUS_CORRUPT || rc == STATUS_NOT_TOPIC)
		return fail(in, out, EXIT_FAIL, "%s: %s", frame_name(f->type),
		    what);
	return rc == 0 || rc == STATUS_END ? rc : fail_with(in, out, rc);
}

/* Behind what is left of the last piece. */
static int
add_input(struct inlet *in, struct view bytes)
{
	size_t left = in->input.len - in->taken;

	if (in->taken > 0 && left > 0)
		memmove(in->input.data, in->input.data + in->taken, left);
	in->input.len = left;
	in->taken = 0;
	if (left == 0 && in->input.cap > KEEP_BYTES)
		buf_release(&in->input);
	return bytes.len == 0 ? 0 : buf_add(&in->input, bytes.data, bytes.len);
}

int
inlet_take(struct inlet *in, struct view bytes, struct buf *out)
{
	const char *what = NULL;
	struct frame f;
	struct view v;
	int rc;

	if (in->state == OVER)
		return STATUS_END;
	rc = add_input(in, bytes);
	if (rc != 0)
		return fail_with(in, out, rc);
	while (rc == 0) {
		v = (struct view){in->input.data + in->taken,
		    in->input.len - in->taken};
		rc = v.len == 0 ? STATUS_SHORT
				: frame_decode(&v, &f, NULL, &what);
		if (rc == STATUS_CORRUPT)
			return fail_garbled(in, out, what);
		in->taken = in->input.len - v.len;
		if (rc == 0)
			rc = take_frame(in, &f, out);
	}
	if (rc != STATUS_SHORT || in->state != RECEIVING)
		return rc == STATUS_SHORT ? 0 : rc;
	/* Whoever speaks is alive. */
	rc = receiver_tick(in->receiver, true, out);
	return rc == 0 ? 0 : fail_with(in, out, rc);
}

const char *
inlet_path(const struct inlet *in)
{
	return in->path;
}

int64_t
inlet_bytes(const struct inlet *in)
{
	return in->receiver == NULL ? 0 : receiver_totals(in->receiver)->bytes;
}

const char *
inlet_text(const struct inlet *in)
{
	return in->text;
}

size_t
inlet_memory(const struct inlet *in)
{
	size_t size = sizeof(*in) + in->input.cap;

	return in->receiver == NULL ? size
				    : size + receiver_memory(in->receiver);
}
