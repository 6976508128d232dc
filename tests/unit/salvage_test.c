/*
 * Segments of random batches, with sectors of the file swapped, copied, zeroed,
 * bits flipped, base offsets changed: no batch may be kept at another offset than its own, and what
 * is not kept must be told.
 *
 * Many headers lie in two sectors, at the same place of each, so that a swap
 * may give a batch the base offset of another one.
 * SALVAGE_ROUNDS (1000) is how often.
 */

#include <sys/mman.h>

#include <unistd.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "store/batch.h"
#include "store/salvage.h"
#include "tap.h"

enum { SECTOR = 512, BATCHES_MAX = 200, FILE_MAX = 64 << 10 };

static struct {
	int64_t base;
	int64_t last;
	uint32_t crc;		/* tells whose bytes they are */
	bool kept;
} batches[BATCHES_MAX];
static int count;
static uint8_t whole[FILE_MAX], bytes[FILE_MAX];
static size_t size;
static int64_t first, end;
static char damage[200];
static bool is_flip;		/* of one bit, no more */

static int
random_below(int n)
{
	return (int)(tap_random() % (uint64_t)n);
}

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* One batch of that many records at the end of the file. */
static void
add_batch(int64_t base, int records, size_t value_len)
{
	struct batch_builder bb;
	const uint8_t *data;
	uint8_t value[2048];
	size_t len;

	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	for (int i = 0; i < records; i++) {
		struct record r = {.timestamp = 1000 + i};

		for (size_t k = 0; k < value_len; k++)
			value[k] = (uint8_t)tap_random();
		r.value = (struct bytes){value, (int32_t)value_len};
		must(batch_builder_add(&bb, &r) == 0);
	}
	must(batch_builder_finish(&bb, &data, &len) == 0);
	must(size + len < sizeof(whole));
	memcpy(whole + size, data, len);
	batch_assign(whole + size, base, random_below(3));
	batches[count].base = base;
	batches[count].last = base + records - 1;
	batches[count].crc = (uint32_t)buf_get_32(whole + size + BATCH_CRC);
	count++;
	size += len;
	batch_builder_release(&bb);
}

/* The next batch ends at random, or so that the one behind has a torn header */
static size_t
pick_len(int phase)
{
	size_t len = 8 + (size_t)random_below(300);
	size_t stop = size + 80 + len;

	if (random_below(2) == 0)
		return len;
	stop += SECTOR - stop % SECTOR - (size_t)phase;
	return stop - size < 80 ? len : stop - size - 80;
}

static void
make_segment(bool dense)
{
	int64_t base = first = random_below(3) * 250;
	int n = 5 + random_below(60), phase = 1 + random_below(16);

	count = 0;
	size = 0;
	if (!dense)
		base += random_below(3);
	for (int i = 0; i < n; i++) {
		int records = random_below(4) == 0 ? 1 + random_below(5) : 1;

		add_batch(base, records,
		    records > 1 ? 8 + (size_t)random_below(50)
				: pick_len(phase));
		base += records;
		if (!dense && random_below(3) > 0)
			base += random_below(12);
	}
	end = base;
	memcpy(bytes, whole, size);
}

/* Is that byte one that the CRC of its batch covers? */
static bool
is_covered(size_t pos)
{
	struct batch b;

	for (size_t at = 0;; at += b.size) {
		must(batch_decode(whole + at, size - at, &b, NULL) == 0);
		if (pos < at + b.size)
			return pos >= at + BATCH_MAGIC;
	}
}

/* Another base offset in one of the headers. */
static void
harm_base(void)
{
	int64_t base = first + random_below((int)(end - first));
	struct batch b;
	size_t at = 0;

	for (int i = random_below(count); i > 0; i--) {
		must(batch_decode(whole + at, size - at, &b, NULL) == 0);
		at += b.size;
	}
	buf_put_64(bytes + at + BATCH_BASE_OFFSET, (uint64_t)base);
}

/* sure: not in what nothing tells apart from what was. */
static void
harm(bool sure, bool dense)
{
	int sectors = size < SECTOR ? 1 : (int)(size / SECTOR);
	int what = random_below(dense ? 7 : 6);
	int pages = 1 + (random_below(3) == 0) * random_below(3);
	size_t n = (size_t)pages * SECTOR;
	size_t a, b, bit = (size_t)random_below((int)size * 8);

	if (sectors < 2 * pages)
		pages = 1, n = SECTOR;
	a = (size_t)random_below(sectors - pages + 1) * SECTOR;
	b = (size_t)random_below(sectors - pages + 1) * SECTOR;
	snprintf(damage, sizeof(damage), "%d at %zu, %zu, %zu; bit %zu", what,
	    a, b, n, bit);
	is_flip = what == 0 && (sure || is_covered(bit / 8));
	if (is_flip) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	} else if (what <= 1) {
		memset(bytes + a, 0, n);
	} else if (what == 2) {
		memcpy(bytes + a, whole + b, n);
	} else if (what == 6) {
		harm_base();
	} else if (what == 3) {
		size = (size_t)random_below((int)size);
	} else if (a >= b + n || b >= a + n) {
		memcpy(bytes + a, whole + b, n);
		memcpy(bytes + b, whole + a, n);
	}
}

/* Of two with the same CRC, which happens, the one at base. */
static int
find_batch(uint32_t crc, int64_t base)
{
	int found = -1;

	for (int i = 0; i < count; i++)
		if (batches[i].crc == crc &&
		    (found < 0 || batches[i].base == base))
			found = i;
	return found;
}

static const char *
judge_piece(const struct salvage_piece *p)
{
	int64_t base = p->base;

	for (int64_t at = p->pos; at < p->pos + p->len;) {
		struct batch b;
		int i;

		if (batch_decode(bytes + at, size - (size_t)at, &b, NULL) != 0)
			return "a piece is not of batches";
		if (!p->mended)
			base = b.base_offset;
		i = find_batch((uint32_t)buf_get_32(bytes + at + BATCH_CRC),
		    base);
		if (i < 0)
			return "a batch that never was";
		if (batches[i].base != base)
			return "a batch has another offset";
		batches[i].kept = true;
		at += (int64_t)b.size;
	}
	return NULL;
}

static bool
is_told(const struct salvage *s, int64_t offset)
{
	for (size_t i = 0; i < s->flaw_count; i++)
		if (offset >= s->flaws[i].offset &&
		    offset < s->flaws[i].offset_end)
			return true;
	return false;
}

static const char *
judge(const struct salvage *s, bool cut)
{
	const char *what = NULL;
	int64_t told = 0;

	for (int i = 0; i < count; i++)
		batches[i].kept = false;
	for (size_t i = 0; what == NULL && i < s->piece_count; i++) {
		what = judge_piece(&s->pieces[i]);
		if (i > 0 && s->pieces[i].base <= s->pieces[i - 1].last)
			return "pieces overlap";
		told = s->pieces[i].last + 1;
	}
	/* A file that is cut short is told by who knows its length. */
	for (int i = 0; what == NULL && i < count; i++)
		if (!batches[i].kept && !is_told(s, batches[i].base) &&
		    !(cut && batches[i].base >= told))
			what = "a batch is missing that was not told";
	return what;
}

static void
show(const char *what, const struct salvage *s)
{
	fprintf(stderr, "# %s: %s\n", what, damage);
	for (size_t i = 0; i < s->piece_count; i++)
		fprintf(stderr, "#  piece %lld, %lld: %lld to %lld\n",
		    (long long)s->pieces[i].pos, (long long)s->pieces[i].len,
		    (long long)s->pieces[i].base, (long long)s->pieces[i].last);
	for (size_t i = 0; i < s->flaw_count; i++)
		fprintf(stderr, "#  flaw %lld, %lld: %lld to %lld: %s\n",
		    (long long)s->flaws[i].pos, (long long)s->flaws[i].len,
		    (long long)s->flaws[i].offset,
		    (long long)s->flaws[i].offset_end, s->flaws[i].what);
}

static int64_t lost;

static bool
round_ok(int fd, bool dense, bool has_crc)
{
	struct salvage_range range = {.dense = dense,
	    .has_crc = has_crc,
	    .first = first};
	size_t len;
	struct salvage s;
	const char *what;
	int missing = 0;

	make_segment(dense);
	range.first = first;
	range.end = dense || random_below(2) == 0 ? end : INT64_MAX;
	range.crc = crc32c(whole, size);
	len = size;
	if (has_crc)
		range.full_size = (int64_t)size;
	harm(dense || has_crc, dense);
	range.size = (int64_t)size;
	must(ftruncate(fd, 0) == 0 &&
	    pwrite(fd, bytes, size, 0) == (ssize_t)size);
	must(salvage_segment(fd, &range, &s) == 0);
	what = judge(&s, size < len);
	for (int i = 0; i < count; i++)
		missing += !batches[i].kept;
	lost += missing;
	if (what == NULL && has_crc && is_flip && missing > 1)
		what = "a bit costs more than its batch";
	if (what != NULL)
		show(what, &s);
	salvage_release(&s);
	return what == NULL;
}

/* The length of a batch leads behind the one that follows, to the end. */
static void
test_length(int fd)
{
	struct salvage_range range = {.end = 2, .dense = true};
	struct salvage s;
	size_t second, value_len;

	count = 0;
	size = 0;
	add_batch(0, 1, 100);
	second = size;
	add_batch(1, 1, 300);
	/* Of 512 bytes: what is not its value stays as long. */
	must(size - second > 300);
	value_len = 812 - (size - second);
	size = second;
	count = 1;
	add_batch(1, 1, value_len);
	must(size - second == 512);
	memcpy(bytes, whole, size);
	bytes[BATCH_LENGTH + 2] ^= 512 >> 8;
	range.size = (int64_t)size;
	must(ftruncate(fd, 0) == 0 &&
	    pwrite(fd, bytes, size, 0) == (ssize_t)size);
	must(salvage_segment(fd, &range, &s) == 0);
	tap(s.piece_count == 1 && s.pieces[0].base == 1 &&
		s.pieces[0].pos == (int64_t)second,
	    "a wrong length takes no other batch with it");
	salvage_release(&s);
}

int
main(void)
{
	const char *env = getenv("SALVAGE_ROUNDS");
	int rounds = env == NULL ? 1000 : atoi(env);
	int fd = memfd_create("segment", 0);

	must(fd >= 0);
	test_length(fd);
	for (int kind = 0; kind < 4; kind++) {
		bool dense = (kind & 1) != 0, has_crc = (kind & 2) != 0;
		int failed = 0;

		lost = 0;
		for (int i = 0; i < rounds && failed < 5; i++)
			failed += !round_ok(fd, dense, has_crc);
		tap(failed == 0, "%s, %s", dense ? "dense" : "with gaps",
		    has_crc ? "its CRC is known" : "its CRC is not known");
		printf("# %lld lost\n", (long long)lost);
	}
	return tap_done();
}
