#include "store/codec.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/status.h"
#include "tap.h"

enum {
	BIG = 3 << 20,
	ROOM = 64 << 20,
	THREADS = 4,
};

static const enum codec all[] = {CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY,
    CODEC_LZ4, CODEC_ZSTD};

enum kind {
	RANDOM,
	ZEROES,
	TEXT,
	KINDS,
};

static void
fill(uint8_t *p, size_t len, enum kind kind)
{
	static const char words[] = "the quick brown fox jumps over the dog ";

	for (size_t i = 0; i < len; i++) {
		if (kind == RANDOM)
			p[i] = (uint8_t)(tap_random() >> 32);
		else if (kind == ZEROES)
			p[i] = 0;
		else
			p[i] = (uint8_t)(i % 61 == 0
				? 'a' + tap_random() % 26
				: (uint8_t)words[i % (sizeof(words) - 1)]);
	}
}

static bool
round_trip(enum codec c, int level, const uint8_t *in, size_t len)
{
	struct buf packed, out;
	bool ok;

	buf_init(&packed, ROOM);
	buf_init(&out, len + 1);
	ok = codec_compress(c, level, in, len, &packed) == 0 &&
	    codec_decompress(c, packed.data, packed.len, &out) == 0 &&
	    out.len == len && (len == 0 || memcmp(out.data, in, len) == 0);
	buf_release(&packed);
	buf_release(&out);
	return ok;
}

static void
test_round_trips(void)
{
	static const size_t sizes[] = {0, 1, 100, 31 << 10, 32 << 10,
	    (32 << 10) + 1, 64 << 10, (64 << 10) + 1, 1 << 20, BIG};
	uint8_t *data = malloc(BIG);

	for (int k = 0; k < KINDS; k++) {
		fill(data, BIG, (enum kind)k);
		for (size_t c = 0; c < 5; c++) {
			bool ok = true;

			for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes);
			     s++)
				ok = ok &&
				    round_trip(all[c], INT_MIN, data, sizes[s]);
			tap(ok, "%s: what goes in comes out, kind %d",
			    codec_name(all[c]), k);
		}
	}
	tap(round_trip(CODEC_GZIP, 1, data, BIG) &&
		round_trip(CODEC_GZIP, 9, data, 100000) &&
		round_trip(CODEC_LZ4, 12, data, 100000) &&
		round_trip(CODEC_LZ4, 1, data, BIG) &&
		round_trip(CODEC_ZSTD, 19, data, 100000) &&
		round_trip(CODEC_ZSTD, -5, data, BIG),
	    "levels");
	free(data);
}

static void
test_append(void)
{
	struct buf packed, out;

	for (size_t c = 0; c < 5; c++) {
		buf_init(&packed, 1000);
		buf_init(&out, 1000);
		buf_add_str(&packed, "xyz");
		buf_add_str(&out, "abc");
		tap(codec_compress(all[c], INT_MIN, "hello", 5, &packed) == 0 &&
			memcmp(packed.data, "xyz", 3) == 0 &&
			codec_decompress(all[c], packed.data + 3,
			    packed.len - 3, &out) == 0 &&
			out.len == 8 && memcmp(out.data, "abchello", 8) == 0,
		    "%s: output is appended", codec_name(all[c]));
		buf_release(&packed);
		buf_release(&out);
	}
}

static void
test_damage(void)
{
	static const uint8_t masks[] = {0x01, 0x80, 0xff, 0x10};
	uint8_t data[700], *copy;
	struct buf packed, out;

	for (size_t c = 1; c < 5; c++) {
		int odd = 0, whole = 0, cut = 0;

		fill(data, sizeof(data), TEXT);
		buf_init(&packed, 4000);
		buf_init(&out, 100000);
		codec_compress(all[c], INT_MIN, data, sizeof(data), &packed);
		for (size_t i = 0; i < packed.len * 4; i++) {
			int rc;

			/* Its own memory: the sanitizer sees a read beyond. */
			copy = malloc(packed.len);
			memcpy(copy, packed.data, packed.len);
			copy[i / 4] ^= masks[i % 4];
			out.len = 0;
			rc = codec_decompress(all[c], copy, packed.len, &out);
			if (rc != 0 && rc != STATUS_CORRUPT &&
			    rc != STATUS_TOO_BIG)
				odd++;
			if (rc != 0 && out.len != 0)
				odd++;
			whole += rc == 0;
			free(copy);
		}
		tap_int(odd, 0, "%s: damage is told as such (%d unseen)",
		    codec_name(all[c]), whole);
		for (size_t len = 0; len < packed.len; len++) {
			copy = malloc(len + 1);
			memcpy(copy, packed.data, len);
			out.len = 0;
			if (codec_decompress(all[c], copy, len, &out) !=
			    STATUS_CORRUPT)
				cut++;
			free(copy);
		}
		/* Java's framing has no end: its header alone is empty. */
		tap_int(cut, all[c] == CODEC_SNAPPY ? 1 : 0,
		    "%s: cut anywhere is corrupt", codec_name(all[c]));
		buf_add_8(&packed, 0x1f);
		tap_int(codec_decompress(all[c], packed.data, packed.len, &out),
		    STATUS_CORRUPT, "%s: a byte too many", codec_name(all[c]));
		buf_release(&packed);
		buf_release(&out);
	}
}

static void
test_garbage(void)
{
	uint8_t data[64];
	struct buf out;
	int odd = 0;

	buf_init(&out, 1 << 20);
	for (int i = 0; i < 20000; i++) {
		size_t len = tap_random() % sizeof(data);
		int rc;

		fill(data, len, RANDOM);
		out.len = 0;
		rc = codec_decompress(all[1 + i % 4], data, len, &out);
		if (rc != 0 && rc != STATUS_CORRUPT && rc != STATUS_TOO_BIG)
			odd++;
	}
	tap_int(odd, 0, "noise is corrupt or too big");
	buf_release(&out);
}

static void
test_bounds(void)
{
	const size_t len = 16 << 20;
	uint8_t *zeroes = calloc(1, len);
	struct buf packed, out;

	for (size_t c = 0; c < 5; c++) {
		const char *name = codec_name(all[c]);

		buf_init(&packed, ROOM);
		codec_compress(all[c], INT_MIN, zeroes, len, &packed);
		buf_init(&out, 1 << 20);
		buf_add_str(&out, "kept");
		tap_int(codec_decompress(all[c], packed.data, packed.len, &out),
		    STATUS_TOO_BIG, "%s: a bomb", name);
		tap(out.len == 4 && out.cap <= 1 << 20,
		    "%s: the buffer is as it was", name);
		buf_release(&out);
		buf_init(&out, len - 1);
		tap_int(codec_decompress(all[c], packed.data, packed.len, &out),
		    STATUS_TOO_BIG, "%s: a byte over", name);
		buf_release(&out);
		buf_init(&out, len);
		tap_int(codec_decompress(all[c], packed.data, packed.len, &out),
		    0, "%s: just fits", name);
		buf_release(&out);
		buf_init(&out, packed.len);
		tap_int(codec_compress(all[c], INT_MIN, zeroes, len, &out), 0,
		    "%s: compressed just fits", name);
		buf_release(&out);
		buf_init(&out, packed.len - 1);
		tap_int(codec_compress(all[c], INT_MIN, zeroes, len, &out),
		    STATUS_TOO_BIG, "%s: compressed a byte over", name);
		tap_int(out.len, 0, "%s: nothing is left of it", name);
		buf_release(&out);
		buf_release(&packed);
	}
	free(zeroes);
}

/* A small input that says it is large must not cost memory. */
static void
test_claims(void)
{
	static const uint8_t snappy[] = {0xff, 0xff, 0xff, 0x3f, 0x00, 'a'};
	struct buf out;

	buf_init(&out, 256 << 20);
	tap_int(codec_decompress(CODEC_SNAPPY, snappy, sizeof(snappy), &out),
	    STATUS_CORRUPT, "snappy: a length that cannot be");
	tap(out.cap < 1 << 20, "snappy: no memory was taken");
	buf_release(&out);
}

static bool
unpacks_to(enum codec c, const void *in, size_t len, const char *want)
{
	struct buf out;
	bool ok;

	buf_init(&out, 1000);
	ok = codec_decompress(c, in, len, &out) == 0 &&
	    out.len == strlen(want) &&
	    (out.len == 0 || memcmp(out.data, want, out.len) == 0);
	buf_release(&out);
	return ok;
}

static void
test_snappy_forms(void)
{
	/* Length 8; two literals; copy 6 bytes from 2 back. */
	static const uint8_t raw[] = {8, 0x04, 'a', 'b', 0x09, 0x02};
	static const uint8_t framed[] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
	    0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 6, 8, 0x04, 'a', 'b', 0x09, 0x02,
	    0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0,
	    0, 3, 1, 0x00, 'c'};
	static const uint8_t header[] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
	    0, 0, 0, 1, 0, 0, 0, 1};
	static const uint8_t empty = 0;
	uint8_t data[40000] = {0};
	struct buf out;
	size_t first;

	tap(unpacks_to(CODEC_SNAPPY, raw, sizeof(raw), "abababab"),
	    "snappy: a raw block");
	tap(unpacks_to(CODEC_SNAPPY, &empty, 1, ""), "snappy: an empty one");
	tap(unpacks_to(CODEC_SNAPPY, framed, sizeof(framed), "ababababc"),
	    "snappy: two framed streams");
	buf_init(&out, 100000);
	codec_compress(CODEC_SNAPPY, INT_MIN, data, sizeof(data), &out);
	tap(memcmp(out.data, header, 16) == 0, "snappy: Java's header");
	first = buf_get_32(out.data + 16);
	tap_int(buf_get_32(out.data + 20 + first), out.len - 24 - first,
	    "snappy: two blocks");
	buf_release(&out);
}

static void
test_lz4_forms(void)
{
	static const uint8_t start[] = {0x04, 0x22, 0x4d, 0x18, 0x60, 0x40,
	    0x82, 6, 0, 0, 0x80, 'h', 'e', 'l', 'l', 'o', '!', 0, 0, 0, 0};
	uint8_t dictionary[sizeof(start)];
	struct buf out;

	buf_init(&out, 1000);
	codec_compress(CODEC_LZ4, INT_MIN, "hello!", 6, &out);
	tap(out.len == sizeof(start) && memcmp(out.data, start, out.len) == 0,
	    "lz4: frame of independent 64 KiB blocks, header checksum only");
	buf_release(&out);
	memcpy(dictionary, start, sizeof(start));
	dictionary[4] |= 1;
	buf_init(&out, 1000);
	tap_int(codec_decompress(CODEC_LZ4, dictionary, sizeof(dictionary),
		    &out),
	    STATUS_CORRUPT, "lz4: a dictionary is refused");
	buf_release(&out);
}

/*
 * A frame that announces 1000 bytes and ends before: the next one, which
 * announces nothing, is none the worse for it.
 */
static void
test_lz4_after_damage(void)
{
	static const uint8_t cut[] = {0x04, 0x22, 0x4d, 0x18, 0x68, 0x40, 0xe8,
	    0x03, 0, 0, 0, 0, 0, 0, 0xf1, 0, 0, 0, 0};
	struct buf packed, out;

	buf_init(&packed, 1000);
	buf_init(&out, 1000);
	if (codec_compress(CODEC_LZ4, INT_MIN, "hello", 5, &packed) != 0)
		abort();
	tap(codec_decompress(CODEC_LZ4, cut, sizeof(cut), &out) ==
		STATUS_CORRUPT,
	    "an lz4 frame shorter than it says");
	tap(codec_decompress(CODEC_LZ4, packed.data, packed.len, &out) == 0 &&
		out.len == 5,
	    "the next one is read");
	buf_release(&packed);
	buf_release(&out);
}

/* Several members or frames one behind the other. */
static void
test_concatenated(void)
{
	static const enum codec several[] = {CODEC_GZIP, CODEC_ZSTD};
	struct buf packed;

	for (size_t i = 0; i < 2; i++) {
		buf_init(&packed, 1000);
		codec_compress(several[i], INT_MIN, "one ", 4, &packed);
		codec_compress(several[i], INT_MIN, "", 0, &packed);
		codec_compress(several[i], INT_MIN, "two", 3, &packed);
		tap(unpacks_to(several[i], packed.data, packed.len, "one two"),
		    "%s: several in a row", codec_name(several[i]));
		buf_release(&packed);
	}
}

static void
write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0)
		abort();
}

static size_t
read_file(const char *path, uint8_t *data, size_t max)
{
	FILE *f = fopen(path, "rb");
	size_t len;

	if (f == NULL)
		return 0;
	len = fread(data, 1, max, f);
	fclose(f);
	return len;
}

/* The tools of the codecs read ours, and we read theirs. */
static void
test_tool(enum codec c, const char *tool, const char *options)
{
	const size_t len = 300000;
	uint8_t *data = malloc(len), *theirs = malloc(2 * len);
	char command[400], path[200];
	struct buf b;
	size_t theirs_len;

	snprintf(command, sizeof(command), "command -v %s >/dev/null", tool);
	if (system(command) != 0) {
		tap(true, "%s # SKIP not installed", tool);
		goto out;
	}
	fill(data, len, TEXT);
	snprintf(path, sizeof(path), "%s/plain", tap_dir());
	write_file(path, data, len);
	buf_init(&b, ROOM);
	codec_compress(c, INT_MIN, data, len, &b);
	snprintf(path, sizeof(path), "%s/packed", tap_dir());
	write_file(path, b.data, b.len);
	snprintf(command, sizeof(command),
	    "%s -t <%s/packed 2>/dev/null && %s -dc <%s/packed | cmp -s - "
	    "%s/plain",
	    tool, tap_dir(), tool, tap_dir(), tap_dir());
	tap(system(command) == 0, "%s reads ours", tool);
	buf_release(&b);
	snprintf(command, sizeof(command), "cat %s/plain | %s %s >%s/theirs",
	    tap_dir(), tool, options, tap_dir());
	tap(system(command) == 0, "%s %s", tool, options);
	snprintf(path, sizeof(path), "%s/theirs", tap_dir());
	theirs_len = read_file(path, theirs, 2 * len);
	buf_init(&b, len);
	tap(codec_decompress(c, theirs, theirs_len, &b) == 0 && b.len == len &&
		memcmp(b.data, data, len) == 0,
	    "%s read by us", tool);
	buf_release(&b);
out:
	free(data);
	free(theirs);
}

static bool
is_mapped(const char *library)
{
	char line[600];
	bool found = false;
	FILE *f = fopen("/proc/self/maps", "r");

	while (fgets(line, sizeof(line), f) != NULL)
		found = found || strstr(line, library) != NULL;
	fclose(f);
	return found;
}

static void
test_loading(void)
{
	struct buf out;

	buf_init(&out, 1000);
	tap(codec_compress(CODEC_NONE, INT_MIN, "x", 1, &out) == 0 &&
		codec_compress(CODEC_LZ4, INT_MIN, "x", 1, &out) == 0,
	    "none and lz4");
	tap(is_mapped("liblz4") && !is_mapped("libsnappy") &&
		!is_mapped("libzstd"),
	    "only what is used is loaded");
	tap_int(codec_compress((enum codec)7, INT_MIN, "x", 1, &out),
	    STATUS_UNSUPPORTED, "codec 7");
	tap_int(codec_compress(CODEC_GZIP, 55, "x", 1, &out), EINVAL,
	    "a level that gzip has not");
	buf_release(&out);
}

static atomic_int thread_failures;

static void *
thread_main(void *arg)
{
	uint8_t data[50000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * (size_t)(uintptr_t)arg >> 4);
	for (int i = 0; i < 20; i++)
		for (size_t c = 0; c < 5; c++)
			if (!round_trip(all[c], INT_MIN, data, sizeof(data)))
				thread_failures++;
	return NULL;
}

static void
test_threads(void)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, thread_main,
			(void *)(uintptr_t)(i + 1)) != 0)
			abort();
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	tap_int(thread_failures, 0, "threads at once, each loading first");
}

static void
test_parse(void)
{
	enum codec c;
	int level;

	tap(codec_parse("zstd:-7", &c, &level) == 0 && c == CODEC_ZSTD &&
		level == -7,
	    "zstd:-7");
	tap(codec_parse("gzip", &c, &level) == 0 && c == CODEC_GZIP &&
		level == INT_MIN,
	    "gzip");
	tap(codec_parse("none", &c, &level) == 0 && c == CODEC_NONE, "none");
	tap(codec_parse("lz4:12", &c, &level) == 0 && c == CODEC_LZ4 &&
		level == 12,
	    "lz4:12");
	tap_int(codec_parse("lz4:13", &c, &level), ERANGE, "lz4:13");
	tap_int(codec_parse("gzip:0", &c, &level), ERANGE, "gzip:0");
	tap_int(codec_parse("snappy:1", &c, &level), ERANGE, "snappy:1");
	tap_int(codec_parse("gzip:", &c, &level), STATUS_SYNTAX, "gzip:");
	tap_int(codec_parse("gzip:x", &c, &level), STATUS_SYNTAX, "gzip:x");
	tap_int(codec_parse("zst", &c, &level), STATUS_SYNTAX, "zst");
	tap_int(codec_parse("", &c, &level), STATUS_SYNTAX, "nothing");
	tap_str(codec_name(CODEC_SNAPPY), "snappy");
	tap_str(codec_name((enum codec)9), "?");
}

int
main(void)
{
	test_loading();
	test_threads();
	test_parse();
	test_append();
	test_round_trips();
	test_damage();
	test_garbage();
	test_bounds();
	test_claims();
	test_snappy_forms();
	test_lz4_forms();
	test_lz4_after_damage();
	test_concatenated();
	test_tool(CODEC_GZIP, "gzip", "-1");
	test_tool(CODEC_ZSTD, "zstd", "-q -c --no-check");
	test_tool(CODEC_ZSTD, "zstd", "-q -c --long=24 -9");
	test_tool(CODEC_LZ4, "lz4", "-q -c -BX -B7 -BI");
	test_tool(CODEC_LZ4, "lz4", "-q -c -BD -B4");
	return tap_done();
}
