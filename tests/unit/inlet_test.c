/*
 * The receiving end as a server has it, told frames in pieces of any length.
 */

#include "replicate/inlet.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "replicate/frame.h"
#include "store/batch.h"
#include "tap.h"

static const char *root;

static void
say(struct buf *b, struct frame f, const void *data, size_t len)
{
	f.data = (struct view){data, len};
	if (frame_encode(&f, b) != 0)
		abort();
}

/* All up to the first data, for a topic of one partition. */
static void
say_beginning(struct buf *b, const char *request, size_t len)
{
	say(b,
	    (struct frame){.type = FRAME_HELLO,
		.magic = FRAME_MAGIC,
		.version_min = 1,
		.version_max = 1,
		.window = FRAME_WINDOW},
	    "1", 1);
	say(b, (struct frame){.type = FRAME_REQUEST}, request, len);
	say(b, (struct frame){.type = FRAME_TOPIC, .count = 1}, "", 1);
	say(b, (struct frame){.type = FRAME_OFFER, .end = 1000}, NULL, 0);
}

static void
say_batch(struct buf *b, int64_t offset, size_t value_len)
{
	struct batch_builder bb;
	struct record r = {.timestamp = 1, .key = BYTES_NULL};
	uint8_t *value = calloc(1, value_len), *copy;
	const uint8_t *data;
	size_t size;

	r.value = (struct bytes){value, (int32_t)value_len};
	batch_builder_init(&bb, CODEC_NONE, 0, 64 << 20);
	if (value == NULL || batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &size) != 0)
		abort();
	copy = malloc(size);
	memcpy(copy, data, size);
	buf_put_64(copy, (uint64_t)offset);
	buf_put_32(copy + BATCH_LEADER_EPOCH, 0);
	say(b, (struct frame){.type = FRAME_DATA}, copy, size);
	batch_builder_release(&bb);
	free(copy);
	free(value);
}

static struct inlet *
open_inlet(void)
{
	struct inlet_options o = {.root = root,
	    .version = "1",
	    .open_max = 4,
	    .parts_max = 10};
	struct inlet *in;

	if (inlet_new(&o, &in) != 0)
		abort();
	return in;
}

static int
take(struct inlet *in, struct buf *b, struct buf *out)
{
	int rc = inlet_take(in, (struct view){b->data, b->len}, out);

	b->len = 0;
	return rc;
}

/* The types of the frames in out, a letter each: "HVC" ... */
static const char *
answers(struct buf *out)
{
	static const char letters[] = "?hrtovadDnSgCleRXNkKx";
	static char text[64];
	struct view v = {out->data, out->len};
	struct frame f;
	size_t n = 0;

	while (v.len > 0 && n + 1 < sizeof(text)) {
		if (frame_decode(&v, &f, NULL, NULL) != 0)
			abort();
		text[n++] = letters[f.type];
	}
	text[n] = '\0';
	out->len = 0;
	return text;
}

static const char ask_t[] = "mode=receive\0path=t";

static void
test_pieces(void)
{
	struct inlet *in = open_inlet();
	struct buf all, out;
	int rc = 0;

	buf_init(&all, 64 << 20);
	buf_init(&out, 1 << 20);
	say_beginning(&all, ask_t, sizeof(ask_t));
	say_batch(&all, 0, 10);
	say_batch(&all, 1, 6000000);
	say_batch(&all, 2, 10);
	say(&all, (struct frame){.type = FRAME_ALIVE}, NULL, 0);
	say(&all, (struct frame){.type = FRAME_DONE, .end = 3}, NULL, 0);
	say(&all, (struct frame){.type = FRAME_END}, NULL, 0);
	for (size_t at = 0, len; rc == 0 && at < all.len; at += len) {
		len = 1 + (size_t)(tap_random() % 300);
		if (at > 1000)
			len *= 1000;
		if (len > all.len - at)
			len = all.len - at;
		rc = inlet_take(in, (struct view){all.data + at, len}, &out);
		if (at > 2000000 && at < 2300000)
			tap(inlet_memory(in) >= at / 2 &&
				inlet_memory(in) < 4 * at,
			    "memory is told: %zu", inlet_memory(in));
	}
	tap_int(rc, STATUS_END, "until the end");
	tap(strcmp(answers(&out), "hNvCCClSe") == 0, "each is answered");
	tap(inlet_bytes(in) > 6000000 && inlet_text(in)[0] == '\0' &&
		strcmp(inlet_path(in), "t") == 0,
	    "what it was");
	tap_int(inlet_take(in, (struct view){all.data, 10}, &out), STATUS_END,
	    "then nothing more");
	inlet_free(in);
	buf_release(&all);
	buf_release(&out);
}

/* Two at a time: the second finds that the copy is not where it was. */
static void
test_two(void)
{
	struct inlet *one = open_inlet(), *two = open_inlet();
	struct buf b, out;

	buf_init(&b, 1 << 20);
	buf_init(&out, 1 << 20);
	say_beginning(&b, ask_t, sizeof(ask_t));
	take(one, &b, &out);
	say_beginning(&b, ask_t, sizeof(ask_t));
	take(two, &b, &out);
	out.len = 0;
	say_batch(&b, 3, 10);
	say_batch(&b, 4, 10);
	tap_int(take(one, &b, &out), 0, "the first appends");
	tap(strcmp(answers(&out), "CC") == 0, "twice");
	say_batch(&b, 3, 10);
	tap_int(take(two, &b, &out), STATUS_END, "the other cannot");
	tap(strcmp(answers(&out), "X") == 0 &&
		strstr(inlet_text(two), "at the same time") != NULL,
	    "and is told why: %s", inlet_text(two));
	say_batch(&b, 4, 10);
	tap_int(take(one, &b, &out), 0, "an offset that is there");
	tap(strcmp(answers(&out), "RC") == 0, "is refused, and no more");
	inlet_free(one);
	inlet_free(two);
	buf_release(&b);
	buf_release(&out);
}

/* Open partitions of this process. */
static int
count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	char target[PATH_MAX];
	struct dirent *e;
	int count = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		ssize_t len = readlinkat(dirfd(dir), e->d_name, target,
		    sizeof(target) - 1);

		target[len > 0 ? len : 0] = '\0';
		count += strstr(target, "/partition.lock") != NULL;
	}
	if (dir != NULL)
		closedir(dir);
	return count;
}

/* However many partitions there are, few of them are open. */
static void
test_open(void)
{
	static const char ask_many[] = "mode=receive\0path=many";
	struct inlet *in = open_inlet();
	struct buf b, out;

	buf_init(&b, 1 << 20);
	buf_init(&out, 1 << 20);
	say(&b,
	    (struct frame){.type = FRAME_HELLO,
		.magic = FRAME_MAGIC,
		.version_min = 1,
		.version_max = 1,
		.window = FRAME_WINDOW},
	    "1", 1);
	say(&b, (struct frame){.type = FRAME_REQUEST}, ask_many,
	    sizeof(ask_many));
	say(&b, (struct frame){.type = FRAME_TOPIC, .count = 8}, "", 1);
	for (int32_t i = 0; i < 8; i++)
		say(&b, (struct frame){.type = FRAME_OFFER, .partition = i},
		    NULL, 0);
	tap_int(take(in, &b, &out), 0, "eight partitions");
	tap(strcmp(answers(&out), "hNvvvvvvvv") == 0, "each is answered");
	tap_int(count_open(), 4, "so many of them are open");
	inlet_free(in);
	buf_release(&b);
	buf_release(&out);
}

static void
test_refused(void)
{
	static const struct {
		const char *what, *strings;
		size_t len;
	} asked[] = {
	    {"to send", "mode=send\0path=t", 17},
	    {"a path", "mode=receive\0path=a/b", 22},
	    {"a parent", "mode=receive\0path=..", 21},
	    {"a hidden one", "mode=receive\0path=.t", 21},
	    {"the root", "mode=receive\0path=/", 20},
	    {"many in one", "mode=receive\0path=t\0named=1", 28},
	    {"what is not known", "mode=receive\0path=t\0x=1", 24},
	    {"no end", "mode=receive", 12},
	};
	struct inlet *in;
	struct buf b, out;

	buf_init(&b, 1 << 20);
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		in = open_inlet();
		say_beginning(&b, asked[i].strings, asked[i].len);
		tap_int(take(in, &b, &out), STATUS_END, "%s", asked[i].what);
		tap(strcmp(answers(&out), "hX") == 0, "is refused: %s",
		    inlet_text(in));
		inlet_free(in);
	}
	in = open_inlet();
	if (buf_add(&b, "GET / HTTP/1.1\r\n\r\n", 18) != 0)
		abort();
	tap_int(take(in, &b, &out), STATUS_END, "no frame at all");
	inlet_free(in);
	buf_release(&b);
	buf_release(&out);
}

/* A path that is too long is refused, and asked for again as well. */
static void
test_long(void)
{
	static const char ask_all[] = "mode=receive\0path=/\0named=1";
	char path[PATH_MAX], name[201];
	struct inlet_options o = {.root = path,
	    .version = "1",
	    .open_max = 4,
	    .parts_max = 10};
	struct frame topic = {.type = FRAME_TOPIC, .count = 1};
	struct buf b, out;
	struct inlet *in;

	memset(path, '/', sizeof(path));
	path[sizeof(path) - 8] = '\0';
	memset(name, 'x', sizeof(name));
	name[200] = '\0';
	buf_init(&b, 1 << 20);
	buf_init(&out, 1 << 20);
	if (inlet_new(&o, &in) != 0)
		abort();
	say(&b,
	    (struct frame){.type = FRAME_HELLO,
		.magic = FRAME_MAGIC,
		.version_min = 1,
		.version_max = 1,
		.window = FRAME_WINDOW},
	    "1", 1);
	say(&b, (struct frame){.type = FRAME_REQUEST}, ask_all,
	    sizeof(ask_all));
	say(&b, topic, name, sizeof(name));
	say(&b, topic, name, sizeof(name));
	tap_int(take(in, &b, &out), 0, "a path too long");
	tap(strcmp(answers(&out), "hRR") == 0, "is refused");
	inlet_free(in);
	buf_release(&b);
	buf_release(&out);
}

/* What is said behind the beginning, and how it ends. */
static void
tap_lie(const char *what, struct frame f, const char *data, size_t len)
{
	struct inlet *in = open_inlet();
	struct buf b, out;

	buf_init(&b, 1 << 20);
	buf_init(&out, 1 << 20);
	say_beginning(&b, ask_t, sizeof(ask_t));
	say(&b, f, data, len);
	tap_int(take(in, &b, &out), STATUS_END, "%s", what);
	tap(strchr(answers(&out), 'X') != NULL, "is refused: %s",
	    inlet_text(in));
	inlet_free(in);
	buf_release(&b);
	buf_release(&out);
}

/* Numbers that no sender has. */
static void
test_lies(void)
{
	static const char origin[] = "\0origin.1=00";
	struct frame f = {.type = FRAME_EXTENT, .end = -1};
	struct inlet *in;
	struct buf b, out;

	tap_lie("an end below 0", f, NULL, 0);
	f = (struct frame){.type = FRAME_GROUP, .partition = 77};
	tap_lie("a group's position in no partition", f, "g\0", 2);
	f = (struct frame){.type = FRAME_GROUP, .offset = 1000000000000000};
	tap_lie("a group's position behind the end", f, "g\0", 2);
	f = (struct frame){.type = FRAME_TOPIC, .count = 1};
	tap_lie("an origin that is none", f, origin, sizeof(origin) - 1);
	/* So far that no sum of them is a number. */
	in = open_inlet();
	buf_init(&b, 1 << 20);
	buf_init(&out, 1 << 20);
	say_beginning(&b, ask_t, sizeof(ask_t));
	f = (struct frame){.type = FRAME_EXTENT, .end = INT64_MAX};
	say(&b, f, NULL, 0);
	f.end = 0;
	say(&b, f, NULL, 0);
	f.end = INT64_MAX;
	say(&b, f, NULL, 0);
	f = (struct frame){.type = FRAME_DATA, .offset = INT64_MAX};
	say(&b, f, NULL, 0);
	tap_int(take(in, &b, &out), 0, "ends that are far");
	tap(strcmp(answers(&out), "hvR") == 0,
	    "and a segment that cannot be is refused");
	inlet_free(in);
	buf_release(&b);
	buf_release(&out);
}

int
main(void)
{
	root = tap_dir();
	test_pieces();
	test_two();
	test_open();
	test_refused();
	test_long();
	test_lies();
	return tap_done();
}
