/*
 * A receiver whose sender ends: well, or before it has sent what it offered.
 */

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "replicate/receiver.h"
#include "sinks.h"
#include "tap.h"

/* --- a sink that takes anything ------------------------------------------- */

static int topics_fail;		/* each other one */

static int
any_topic(struct sink *s, size_t topic, const struct sink_topic *t,
    struct fault *f)
{
	if (topics_fail > 0 && topics_fail++ % 2 == 0)
		return STATUS_FAILED;
	return sinks_topic(s, topic, t, f);
}

static int
any_append(struct sink *s, size_t topic, int32_t partition, int64_t segment,
    uint8_t *data, size_t len, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)segment;
	(void)data;
	(void)len;
	(void)f;
	/* The disk of the last one is full. */
	return partition == 2 ? STATUS_FAILED : 0;
}

static int
any_sync(struct sink *s, size_t topic, int32_t partition, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)f;
	return 0;
}

static int
any_clean(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	(void)start;
	return any_sync(s, topic, partition, f);
}

static int commits;
static char committed[400];

static int
any_commit(struct sink *s, size_t topic, const struct sink_position *positions,
    size_t count, struct fault *f)
{
	char one[80];

	(void)s;
	(void)f;
	commits++;
	for (size_t i = 0; i < count; i++) {
		snprintf(one, sizeof(one), "%s/%d=%lld%.*s ",
		    positions[i].group, (int)positions[i].partition,
		    (long long)positions[i].offset,
		    (int)positions[i].metadata.len,
		    (const char *)positions[i].metadata.data);
		strlcat(committed, one, sizeof(committed));
	}
	return topic > 0 ? STATUS_FAILED : 0;
}

static const struct sink_ops ops = {.topic = any_topic,
    .state = sinks_state,
    .append = any_append,
    .sync = any_sync,
    .clean = any_clean,
    .commit = any_commit};

/* --- frames --------------------------------------------------------------- */

#define END ((struct frame){.type = FRAME_END})

static struct frame
topic_of(const char *name, int32_t count)
{
	return (struct frame){.type = FRAME_TOPIC,
	    .count = count,
	    .data = {(const uint8_t *)name, strlen(name) + 1}};
}

static struct frame
offer(int32_t partition, int64_t to)
{
	return (struct frame){.type = FRAME_OFFER,
	    .partition = partition,
	    .end = to};
}

static struct frame
part_frame(enum frame_type type, int32_t partition, int64_t to)
{
	return (struct frame){.type = type,
	    .partition = partition,
	    .end = to,
	    .status = type == FRAME_REFUSE ? 1 : 0,
	    .data = {(const uint8_t *)"x",
		type == FRAME_REFUSE || type == FRAME_DATA ? 1 : 0}};
}

static struct frame
done(int32_t partition, int64_t start, int64_t to)
{
	return (struct frame){.type = FRAME_DONE,
	    .partition = partition,
	    .start = start,
	    .end = to};
}

/* DATA without any. */
static struct frame
segment(int32_t partition, int64_t base)
{
	return (struct frame){.type = FRAME_DATA,
	    .partition = partition,
	    .offset = base};
}

/*
 * What a receiver of a topic of three partitions says to the last of some
 * frames, where the others are all right; *what, or "" if that is, too.
 */
static int
last_of(const char *name, bool pulls, const struct frame *frames, size_t count,
    char what[200])
{
	struct receiver_options o = {.named = name[0] != '\0', .pulls = pulls};
	struct frame topic = topic_of(name, 3);
	struct sink snk = {&ops};
	struct receiver *r;
	const char *why = "";
	struct buf out;
	int rc;

	buf_init(&out, 1 << 20);
	if (receiver_new(&snk, &o, &r) != 0 ||
	    receiver_frame(r, &topic, &out, &why) != 0)
		abort();
	for (size_t i = 0; i + 1 < count; i++)
		if (receiver_frame(r, &frames[i], &out, &why) != 0)
			abort();
	rc = receiver_frame(r, &frames[count - 1], &out, &why);
	strlcpy(what, rc == STATUS_CORRUPT ? why : "", 200);
	receiver_free(r);
	buf_release(&out);
	return rc;
}

/* The same of END behind them. */
#define END_AFTER(name, pulls, what, ...)                                      \
	last_of(name, pulls, (const struct frame[]){__VA_ARGS__, END},         \
	    sizeof((const struct frame[]){__VA_ARGS__, END}) /                 \
		sizeof(struct frame),                                          \
	    what)

/* --- tests ---------------------------------------------------------------- */

/* Each partition is done, or given up, by either side. */
static void
test_whole(void)
{
	char what[200];

	sinks_end = 9;
	tap_int(END_AFTER("", true, what, offer(0, 9), done(0, 0, 9)),
	    STATUS_END, "all is done");
	/* It was cut, or what stood last was compacted, since. */
	tap_int(END_AFTER("", true, what, offer(0, 10), done(0, 0, 9)),
	    STATUS_END, "the source has less than it had");
	tap_int(END_AFTER("", true, what, offer(0, 19),
		    part_frame(FRAME_REFUSE, 0, 0)),
	    STATUS_END, "the sender has given it up");
	tap_int(END_AFTER("", true, what, offer(2, 19),
		    part_frame(FRAME_DATA, 2, 0)),
	    STATUS_END, "we have given it up");
	tap_int(END_AFTER("", true, what, offer(0, 9), done(0, 0, 9),
		    part_frame(FRAME_EXTENT, 0, 12), segment(0, 12),
		    done(0, 0, 12)),
	    STATUS_END, "it has grown, and a segment that begins there came");
	tap_int(END_AFTER("", true, what, offer(0, 19), done(0, 19, 19)),
	    STATUS_END, "all of it was deleted");
	/* What was on its way then is dropped, until it is offered again. */
	topics_fail = 1;
	tap_int(END_AFTER("", true, what, offer(0, 19), topic_of("", 3),
		    segment(0, 12), topic_of("", 3), done(0, 0, 19)),
	    STATUS_END, "the topic has failed for a while");
	topics_fail = 0;
	/* Whoever pushes may stop at any time. */
	tap_int(END_AFTER("", false, what, offer(0, 19)), STATUS_END,
	    "a sender that was stopped by its user");
	sinks_end = 0;
}

/* It is said that all was sent, and that is not so. */
static void
test_skipped(void)
{
	struct frame frames[] = {offer(0, 9), done(0, 0, 9)};
	char what[200];

	tap_int(last_of("orders", true, frames, 2, what), STATUS_CORRUPT,
	    "nothing of it came");
	tap_str(what,
	    "orders/0 is not whole: offsets up to 8 were offered, none came");
	sinks_end = 8;
	tap_int(last_of("orders", true, frames, 2, what), STATUS_CORRUPT,
	    "one is missing");
	tap_str(what,
	    "orders/0 is not whole: offsets up to 8 were offered, those up to "
	    "7 came");
	sinks_end = 0;
	tap_int(last_of("orders", false, frames, 2, what), 0,
	    "a cluster may have a gap at its end");
}

static void
test_short(void)
{
	char what[200];

	sinks_end = 0;
	tap_int(END_AFTER("", true, what, offer(0, 9)), STATUS_CORRUPT,
	    "nothing of it came");
	tap_str(what,
	    "partition 0 is not whole: offsets up to 8 were offered, none "
	    "came");
	sinks_end = 5;
	tap_int(END_AFTER("orders", true, what, offer(1, 9)), STATUS_CORRUPT,
	    "what is new did not come");
	tap_str(what,
	    "orders/1 is not whole: offsets up to 8 were offered, those up to "
	    "4 came");
	tap_int(END_AFTER("orders", true, what, offer(0, 5), done(0, 0, 5),
		    offer(1, 9), offer(2, 9)),
	    STATUS_CORRUPT, "two did not");
	tap_str(what,
	    "orders/1 is not whole: offsets up to 8 were offered, those up to "
	    "4 came; nor is 1 other");
	tap_int(END_AFTER("orders", true, what, offer(0, 5), done(0, 0, 5),
		    part_frame(FRAME_EXTENT, 0, 8)),
	    STATUS_CORRUPT, "it has grown, and that did not come");
	tap_int(END_AFTER("orders", true, what, offer(0, 5), done(0, 0, 5),
		    offer(0, 9)),
	    STATUS_CORRUPT, "it was offered anew, and that was all");
	tap_int(END_AFTER("orders", true, what, offer(0, 5)), STATUS_CORRUPT,
	    "it was not said whether what is there is the same");
	tap_str(what, "orders/0 was offered, and is not done");
	sinks_end = 0;
}

static void
give(struct receiver *r, const struct frame *f, struct buf *out)
{
	const char *what;

	if (receiver_frame(r, f, out, &what) != 0)
		abort();
}

static void
give_group(struct receiver *r, const char *group, int32_t partition,
    int64_t offset, struct buf *out)
{
	char data[100];
	int len = snprintf(data, sizeof(data), "%s%cm", group, 0);
	struct frame f = {.type = FRAME_GROUP,
	    .partition = partition,
	    .offset = offset,
	    .data = {(const uint8_t *)data, (size_t)len}};

	give(r, &f, out);
}

/* All that a sender has to say of groups is one commit, if it is not much. */
static void
test_groups(void)
{
	struct receiver_options o = {.named = false};
	struct frame topic = topic_of("", 2),
		     all = {.type = FRAME_GROUP,
	    .data = {(const uint8_t *)"", 1}};
	struct sink snk = {&ops};
	struct receiver *r;
	struct frame f;
	struct buf out;
	char name[20];

	sinks_end = 9;
	buf_init(&out, 1 << 20);
	if (receiver_new(&snk, &o, &r) != 0)
		abort();
	give(r, &topic, &out);
	for (int32_t n = 0; n < 2; n++) {
		f = offer(n, 9);
		give(r, &f, &out);
		f = done(n, 0, 9);
		give(r, &f, &out);
	}
	give_group(r, "g", 0, 1, &out);
	give_group(r, "g", 1, 2, &out);
	give_group(r, "h", 0, 3, &out);
	give_group(r, "i", 1, 4, &out);
	tap_int(receiver_tick(r, true, &out), 0, "more may come");
	tap_int(commits, 0, "nothing yet");
	give(r, &all, &out);
	tap_int(commits, 1, "together");
	tap_str(committed, "g/0=1m g/1=2m h/0=3m i/1=4m ");
	give_group(r, "g", 0, 5, &out);
	give(r, &topic, &out);
	tap_int(commits, 2, "what comes next waits for them");
	f = offer(0, 9);
	give(r, &f, &out);
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "group%d", i);
		give_group(r, name, 0, 1, &out);
	}
	give(r, &all, &out);
	tap_int(commits, 5, "of many some thousands together");
	receiver_free(r);
	buf_release(&out);
	sinks_end = 0;
}

int
main(void)
{
	test_groups();
	test_whole();
	test_short();
	test_skipped();
	return tap_done();
}
