/*
 * A sender and a receiver with nothing but buffers in between, over
 * directories: what is said, how much of it, and what is refused.
 */

#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "replicate/disk_sink.h"
#include "replicate/disk_source.h"
#include "replicate/receiver.h"
#include "replicate/sender.h"
#include "store/groups.h"
#include "store/partition.h"
#include "store/properties.h"
#include "store/topic.h"
#include "sinks.h"
#include "tap.h"

static const char *root;
static char source_path[256], copy_path[256];

/* What went over, by type of frame. */
static int sent[FRAME_TYPES], answered[FRAME_TYPES];
static int64_t in_flight_max;
static bool checksum;		/* of the next runs */
static int64_t said_bytes;	/* in both directions, all but data */

static void
run_command(const char *command, const char *a, const char *b)
{
	char text[700];

	snprintf(text, sizeof(text), "%s %s %s", command, a, b);
	if (system(text) != 0)
		abort();
}

static void
fresh(void)
{
	static int count;
	struct properties p;

	snprintf(source_path, sizeof(source_path), "%s/a%d", root, count);
	snprintf(copy_path, sizeof(copy_path), "%s/b%d", root, count++);
	properties_init(&p);
	if (properties_set_pair(&p, "segment.bytes=100000", NULL) != 0 ||
	    topic_create(source_path, &p, 2, 0777) != 0)
		abort();
}

/* Batches of one record each. */
static void
append(const char *path, int number, int count, char letter)
{
	struct partition_append a;
	struct batch_builder bb;
	struct partition *p;
	char name[300], value[100];
	const uint8_t *data;
	size_t size;

	snprintf(name, sizeof(name), "%s/%d", path, number);
	if (partition_open(name, PARTITION_WRITE, &partition_defaults, &p,
		NULL) != 0)
		abort();
	memset(value, letter, sizeof(value));
	batch_builder_init(&bb, CODEC_NONE, 0, 1 << 20);
	for (int i = 0; i < count; i++) {
		struct record r = {.timestamp = 1,
		    .key = BYTES_NULL,
		    .value = {(const uint8_t *)value, sizeof(value)}};

		if (batch_builder_add(&bb, &r) != 0 ||
		    batch_builder_finish(&bb, &data, &size) != 0)
			abort();
		a = (struct partition_append){.data = bb.raw.data,
		    .len = size,
		    .expect = -1};
		if (partition_append(p, &a, NULL) != 0)
			abort();
	}
	if (partition_sync(p, NULL) != 0)
		abort();
	batch_builder_release(&bb);
	partition_close(p);
}

/* Carry what stands in buf to the other side. */
static int
carry_to_receiver(struct buf *buf, struct receiver *r, struct buf *out)
{
	struct view v = {buf->data, buf->len};
	const char *what;
	struct frame f;
	int64_t flight = 0;
	int rc = 0;

	while (rc == 0 && v.len > 0) {
		if (frame_decode(&v, &f, NULL, NULL) != 0)
			abort();
		sent[f.type]++;
		said_bytes += (int64_t)f.data.len + FRAME_HEADER_LEN + 60;
		if (f.type == FRAME_DATA)
			flight += (int64_t)f.data.len;
		rc = receiver_frame(r, &f, out, &what);
	}
	if (flight > in_flight_max)
		in_flight_max = flight;
	buf->len = 0;
	return rc == STATUS_END ? 0 : rc;
}

static int
carry_to_sender(struct buf *buf, struct sender *s, struct buf *out)
{
	struct view v = {buf->data, buf->len};
	const char *what;
	struct frame f;
	int rc = 0;

	while (rc == 0 && v.len > 0) {
		if (frame_decode(&v, &f, NULL, NULL) != 0)
			abort();
		answered[f.type]++;
		said_bytes += (int64_t)f.data.len + FRAME_HEADER_LEN + 60;
		rc = sender_frame(s, &f, out, &what);
	}
	buf->len = 0;
	return rc;
}

/* A whole run; the worst status of a partition, or an error below 0. */
static int
run(bool cut, uint32_t window)
{
	struct disk_source_options so = {.partitions = NULL};
	struct disk_sink_options ko = {.dry_run = false};
	struct sender_options o = {.window = window,
	    .checksum = checksum,
	    .examines = true};
	struct receiver_options ro = {.cut = cut};
	struct source *src;
	struct sink *snk;
	struct sender *s;
	struct receiver *r;
	struct buf to, from;
	struct fault f = {.file = ""};
	int rc = 0, status;

	memset(sent, 0, sizeof(sent));
	memset(answered, 0, sizeof(answered));
	in_flight_max = said_bytes = 0;
	if (disk_source_open(source_path, &so, &src, &f) != 0 ||
	    disk_sink_open(copy_path, &ko, &snk) != 0 ||
	    sender_new(src, &o, &s) != 0 || receiver_new(snk, &ro, &r) != 0)
		abort();
	buf_init(&to, 1 << 28);
	buf_init(&from, 1 << 28);
	while (rc == 0) {
		/* All that it says without an answer. */
		while (rc == 0)
			rc = sender_step(s, &to, &f);
		if (rc == EAGAIN)
			rc = carry_to_receiver(&to, r, &from);
		if (rc == 0)
			rc = carry_to_sender(&from, s, &to);
	}
	status = rc == STATUS_END ? sender_totals(s)->status : -1;
	sender_free(s);
	receiver_free(r);
	src->ops->close(src);
	snk->ops->close(snk);
	buf_release(&to);
	buf_release(&from);
	return status;
}

static void
test_run(void)
{
	char a[300], b[300];

	fresh();
	append(source_path, 0, 12000, 'x');
	append(source_path, 1, 10, 'y');
	tap_int(run(false, FRAME_WINDOW_MIN), 0, "a first run");
	tap(in_flight_max < FRAME_WINDOW_MIN + (600 << 10),
	    "the window holds: %lld bytes", (long long)in_flight_max);
	tap_int(sent[FRAME_OFFER], 2, "two partitions");
	tap_int(answered[FRAME_SYNCED], 2, "both on the disk");
	snprintf(a, sizeof(a), "%s/0/%020d.log", source_path, 0);
	snprintf(b, sizeof(b), "%s/0/%020d.log", copy_path, 0);
	run_command("cmp", a, b);
	tap_int(run(false, FRAME_WINDOW_MIN), 0, "nothing new");
	tap_int(in_flight_max, 0, "no bytes of batches");
	append(source_path, 1, 1, 'z');
	tap_int(run(false, FRAME_WINDOW_MIN), 0, "one record more");
	tap(in_flight_max > 0 && in_flight_max < 300, "is one batch: %lld",
	    (long long)in_flight_max);
}

/* Halving: of 3000 batches that differ somewhere a dozen are looked at. */
static void
test_diverged(void)
{
	char other[300];
	uint32_t at = (uint32_t)(tap_random() % 2000) + 100;

	fresh();
	append(source_path, 0, (int)at, 'x');
	tap_int(run(false, FRAME_WINDOW), 0, "the same on both sides");
	snprintf(other, sizeof(other), "%s.other", source_path);
	run_command("cp -r", source_path, other);
	append(source_path, 0, 1000, 'y');
	append(other, 0, 1000, 'z');
	tap_int(run(false, FRAME_WINDOW), 0, "one of them is copied");
	strlcpy(source_path, other, sizeof(source_path));
	tap_int(run(false, FRAME_WINDOW), 4, "the other one is refused");
	tap(sent[FRAME_ASK] > 0 && sent[FRAME_ASK] < 14, "after %d questions",
	    sent[FRAME_ASK]);
	tap_int(sent[FRAME_DIVERGED], 1, "it has diverged");
	tap_int(run(true, FRAME_WINDOW), 0, "unless it may be cut");
	tap_int(run(false, FRAME_WINDOW), 0, "then all is well");
	tap_int(in_flight_max, 0, "and the same");
}

/* All is compared, and little is said. */
static void
test_checked(void)
{
	char path[600];
	FILE *file;

	fresh();
	append(source_path, 0, 12000, 'x');
	tap_int(run(false, FRAME_WINDOW), 0, "a copy of 2 MB");
	checksum = true;
	tap_int(run(false, FRAME_WINDOW), 0, "is the same");
	tap(sent[FRAME_CHECK] > 0 && sent[FRAME_CHECK] < 5, "by %d questions",
	    sent[FRAME_CHECK]);
	tap(said_bytes < 2000, "in %lld bytes", (long long)said_bytes);
	snprintf(path, sizeof(path), "%s/0/%020d.log", copy_path, 0);
	file = fopen(path, "r+");
	if (file == NULL || fseek(file, 50000, SEEK_SET) != 0 ||
	    fputc('!', file) == EOF || fclose(file) != 0)
		abort();
	tap_int(run(false, FRAME_WINDOW), 3, "until it is damaged");
	tap(sent[FRAME_CHECK] > 5 && sent[FRAME_CHECK] < 20,
	    "found by %d questions", sent[FRAME_CHECK]);
	tap_int(in_flight_max, 0, "no bytes of batches");
	tap_int(run(true, FRAME_WINDOW), 0, "it may be cut");
	checksum = false;
}

/* A receiver takes nothing that it was not told of. */
static void
test_refused(void)
{
	struct disk_sink_options ko = {.dry_run = true};
	struct receiver_options ro = {.named = true};
	static const char *const names[] = {"../x", ".x", "a/b", "", "..",
	    "topic name"};
	struct receiver *r;
	struct sink *snk;
	struct buf out;
	const char *what;
	struct frame f;

	if (disk_sink_open(root, &ko, &snk) != 0)
		abort();
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (receiver_new(snk, &ro, &r) != 0)
			abort();
		f = (struct frame){.type = FRAME_TOPIC,
		    .count = 1,
		    .data = {(const uint8_t *)names[i], strlen(names[i]) + 1}};
		tap_int(receiver_frame(r, &f, &out, &what),
		    names[i][0] == '\0' ? STATUS_NOT_TOPIC : STATUS_CORRUPT,
		    "no topic \"%s\"", names[i]);
		f = (struct frame){.type = FRAME_DATA};
		tap_int(receiver_frame(r, &f, &out, &what), STATUS_CORRUPT,
		    "no data of it");
		receiver_free(r);
	}
	snk->ops->close(snk);
	buf_release(&out);
}

/* Why a topic of the sender's is not taken. */
static void
test_empty(void)
{
	struct disk_sink_options ko = {.dry_run = false};
	struct receiver_options ro = {.named = true};
	struct frame f = {.type = FRAME_TOPIC,
	    .data = {(const uint8_t *)"none", 5}};
	struct receiver *r;
	struct sink *snk;
	struct view v;
	struct buf out;
	const char *what;
	char text[200];

	buf_init(&out, 1 << 20);
	if (disk_sink_open(root, &ko, &snk) != 0 ||
	    receiver_new(snk, &ro, &r) != 0)
		abort();
	tap_int(receiver_frame(r, &f, &out, &what), 0, "no partitions");
	v = (struct view){out.data, out.len};
	if (frame_decode(&v, &f, NULL, NULL) != 0)
		abort();
	tap_int(f.type, FRAME_REFUSE, "is refused");
	snprintf(text, sizeof(text), "%.*s", (int)f.data.len,
	    (const char *)f.data.data);
	tap(strstr(text, "none: the source has no partitions") != NULL, "%s",
	    text);
	receiver_free(r);
	snk->ops->close(snk);
	buf_release(&out);
}

/* The first batch of the source, as a frame. */
static void
first_data(struct frame *f, struct buf *data)
{
	char name[300];
	FILE *file;

	snprintf(name, sizeof(name), "%s/0/%020d.log", source_path, 0);
	file = fopen(name, "r");
	if (file == NULL || buf_reserve(data, 1 << 16) != 0)
		abort();
	data->len = fread(data->data, 1, 1 << 16, file);
	fclose(file);
	*f =
	    (struct frame){.type = FRAME_DATA, .data = {data->data, data->len}};
}

/* A sink that notes what is asked of it. */
static char asked[64];

static int
note_append(struct sink *s, size_t topic, int32_t partition, int64_t segment,
    uint8_t *data, size_t len, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)segment;
	(void)data;
	(void)len;
	(void)f;
	strlcat(asked, "append ", sizeof(asked));
	return 0;
}

static int
note_sync(struct sink *s, size_t topic, int32_t partition, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)f;
	strlcat(asked, "sync ", sizeof(asked));
	return 0;
}

static int
note_clean(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)start;
	(void)f;
	return 0;
}

/* What has been said by when it is synced. */
static void
test_synced(void)
{
	static const struct sink_ops ops = {.topic = sinks_topic,
	    .state = sinks_state,
	    .append = note_append,
	    .sync = note_sync,
	    .clean = note_clean};
	struct frame frames[] = {{.type = FRAME_TOPIC,
				     .count = 1,
				     .data = {(const uint8_t *)"", 1}},
	    {.type = FRAME_OFFER, .end = 1},
	    {.type = FRAME_DATA, .data = {(const uint8_t *)"x", 1}},
	    {.type = FRAME_DONE, .end = 1}};
	struct receiver_options o = {.cut = false};
	struct sink snk = {&ops};
	struct receiver *r;
	const char *what;
	struct frame f;
	struct view v;
	struct buf out;

	buf_init(&out, 1 << 20);
	if (receiver_new(&snk, &o, &r) != 0)
		abort();
	for (size_t i = 0; i < 3; i++)
		if (receiver_frame(r, &frames[i], &out, &what) != 0)
			abort();
	tap_str(asked, "append ");
	out.len = 0;
	tap_int(receiver_frame(r, &frames[3], &out, &what), 0, "DONE");
	v = (struct view){out.data, out.len};
	tap_int(frame_decode(&v, &f, NULL, NULL), 0, "is answered");
	tap_int(f.type, FRAME_SYNCED, "SYNCED");
	tap_str(asked, "append sync ");
	receiver_free(r);
	buf_release(&out);
}

/* A receiver that did not know that its link was dead, and the next one. */
static void
test_two_receivers(void)
{
	struct disk_sink_options ko = {.dry_run = false};
	struct receiver_options ro = {.cut = false};
	struct frame topic = {.type = FRAME_TOPIC,
	    .count = 1,
	    .data = {(const uint8_t *)"", 1}};
	struct frame offer = {.type = FRAME_OFFER, .end = 1};
	struct receiver *r[2];
	struct sink *snk[2];
	const char *what;
	struct buf out, bytes;
	struct frame data;

	fresh();
	append(source_path, 0, 1, 'x');
	buf_init(&out, 1 << 20);
	buf_init(&bytes, 1 << 20);
	first_data(&data, &bytes);
	for (int i = 0; i < 2; i++) {
		if (disk_sink_open(copy_path, &ko, &snk[i]) != 0 ||
		    receiver_new(snk[i], &ro, &r[i]) != 0 ||
		    receiver_frame(r[i], &topic, &out, &what) != 0 ||
		    receiver_frame(r[i], &offer, &out, &what) != 0)
			abort();
	}
	tap_int(receiver_frame(r[0], &data, &out, &what), 0,
	    "the first one still writes what it was sent");
	tap_int(receiver_frame(r[1], &data, &out, &what), STATUS_MISMATCH,
	    "the other one sees that, and does not call it damage");
	for (int i = 0; i < 2; i++) {
		receiver_free(r[i]);
		snk[i]->ops->close(snk[i]);
	}
	buf_release(&out);
	buf_release(&bytes);
}

/* A group's position in partition 0 of the source. */
static void
commit(const char *group, int64_t offset)
{
	struct groups_entry e = {.offset = offset, .leader_epoch = -1};
	struct topic topic;
	struct groups *g;

	if (topic_open(source_path, &topic, NULL) != 0 ||
	    groups_open(source_path, &topic, true, &g, NULL) != 0 ||
	    groups_commit(g, group, &e, 1, NULL) != 0)
		abort();
	groups_close(g);
	topic_close(&topic);
}

/* Both sides at work until they wait; then the source is looked at. */
static void
follow_on(struct sender *s, struct receiver *r, struct buf *to,
    struct buf *from)
{
	struct fault f = {.file = ""};
	int rc = 0;

	memset(sent, 0, sizeof(sent));
	while (rc == 0) {
		while (rc == 0)
			rc = sender_step(s, to, &f);
		if (rc == EAGAIN && to->len == 0)
			break;
		if (rc == EAGAIN)
			rc = carry_to_receiver(to, r, from);
		if (rc == 0)
			rc = carry_to_sender(from, s, to);
	}
	if (rc != EAGAIN)
		abort();
}

/* Until it has looked at groups: it does so once in a second. */
static int
groups_said(struct source *src, struct sender *s, struct receiver *r,
    struct buf *to, struct buf *from)
{
	int64_t until = now_mono_ms() + 1200;
	struct fault f = {.file = ""};
	bool woken;
	int said = 0;

	while (now_mono_ms() < until) {
		if (src->ops->turn(src, &woken, &f) != 0 ||
		    sender_look(s, to, &f) != 0)
			abort();
		follow_on(s, r, to, from);
		said += sent[FRAME_GROUP];
	}
	return said;
}

/* Following, a position is sent once, unless what was cut may need it. */
static void
test_positions(void)
{
	struct disk_source_options so = {.follow = true};
	struct disk_sink_options ko = {.cut = true};
	struct sender_options o = {.follow = true,
	    .groups = true,
	    .window = FRAME_WINDOW};
	struct receiver_options ro = {.cut = true};
	struct frame failed = {.type = FRAME_NOTE, .status = 1};
	struct fault f = {.file = ""};
	struct source *src;
	struct sink *snk;
	struct sender *s;
	struct receiver *r;
	struct buf to, from;
	const char *what;
	char name[20];

	fresh();
	append(source_path, 0, 9, 'x');
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "group%d", i);
		commit(name, i % 9);
	}
	if (disk_source_open(source_path, &so, &src, &f) != 0 ||
	    disk_sink_open(copy_path, &ko, &snk) != 0 ||
	    sender_new(src, &o, &s) != 0 || receiver_new(snk, &ro, &r) != 0)
		abort();
	buf_init(&to, 1 << 20);
	buf_init(&from, 1 << 20);
	follow_on(s, r, &to, &from);
	/* The last one says that this is all. */
	tap_int(sent[FRAME_GROUP], 100 + 1, "all positions");
	commit("group7", 8);
	tap_int(groups_said(src, s, r, &to, &from), 1 + 1,
	    "the one that moved");
	commit("group7", 7);
	tap_int(groups_said(src, s, r, &to, &from), 1 + 1, "and went back");
	/* They were not kept over there. */
	if (sender_frame(s, &failed, &to, &what) != 0)
		abort();
	commit("group7", 6);
	tap_int(groups_said(src, s, r, &to, &from), 100 + 1, "all, once more");
	sender_free(s);
	receiver_free(r);
	src->ops->close(src);
	snk->ops->close(snk);
	buf_release(&to);
	buf_release(&from);
}

int
main(void)
{
	root = tap_dir();
	test_run();
	test_diverged();
	test_checked();
	test_refused();
	test_empty();
	test_two_receivers();
	test_synced();
	test_positions();
	return tap_done();
}
