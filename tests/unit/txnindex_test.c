#include "store/txnindex.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/status.h"
#include "tap.h"

#define FILE_NAME "00000000000000000042.txnindex"

static int dirfd;

static const struct aborted one = {0x0102030405060708, 0x1112131415161718,
    0x2122232425262728, 0x3132333435363738};

static void
test_layout(void)
{
	static const uint8_t want[TXNINDEX_ENTRY_LEN] = {0, 0, 1, 2, 3, 4, 5, 6,
	    7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x21, 0x22,
	    0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x31, 0x32, 0x33, 0x34, 0x35,
	    0x36, 0x37, 0x38};
	uint8_t got[TXNINDEX_ENTRY_LEN];
	struct aborted back;

	txnindex_encode(&one, got);
	tap(memcmp(got, want, sizeof(want)) == 0, "the bytes of an entry");
	tap_int(txnindex_decode(got, &back), 0, "and back");
	tap(memcmp(&back, &one, sizeof(one)) == 0, "the same");
}

static void
check_refused(struct aborted a, const char *what)
{
	uint8_t p[TXNINDEX_ENTRY_LEN];
	struct aborted back = one;

	txnindex_encode(&a, p);
	tap_int(txnindex_decode(p, &back), STATUS_CORRUPT, "%s", what);
	tap(memcmp(&back, &one, sizeof(one)) == 0, "nothing is set");
}

static void
test_refused(void)
{
	uint8_t p[TXNINDEX_ENTRY_LEN] = {0};
	struct aborted back;

	tap_int(txnindex_decode(p, &back), STATUS_CORRUPT, "zeroes");
	check_refused((struct aborted){-1, 1, 2, 3}, "no producer");
	check_refused((struct aborted){1, -1, 2, 3}, "a negative offset");
	check_refused((struct aborted){1, 2, 2, 3}, "a marker alone");
	check_refused((struct aborted){1, 3, 2, 3}, "an end before its start");
	check_refused((struct aborted){1, 2, 3, -1}, "no last stable offset");
	txnindex_encode(&one, p);
	p[1] = 1;
	tap_int(txnindex_decode(p, &back), STATUS_CORRUPT, "version 1");
}

static void
test_list(void)
{
	struct aborted_list l;
	int bad = 0;

	txnindex_list_init(&l);
	tap_int(txnindex_list_has(&l, 1, 5), 0, "an empty list has nothing");
	tap_int(txnindex_list_add(&l, &(struct aborted){2, 30, 40, 41}), 0,
	    "add one");
	tap_int(txnindex_list_add(&l, &(struct aborted){1, 10, 20, 21}), 0,
	    "add another, earlier");
	txnindex_list_sort(&l);
	tap(txnindex_list_has(&l, 1, 10) && txnindex_list_has(&l, 1, 20) &&
		txnindex_list_has(&l, 2, 35),
	    "what is inside");
	tap(!txnindex_list_has(&l, 1, 9) && !txnindex_list_has(&l, 1, 21),
	    "what is outside");
	tap(!txnindex_list_has(&l, 2, 15), "another producer's");
	for (int i = 0; i < 1000; i++)
		bad += txnindex_list_add(&l,
			   &(struct aborted){i, i, i + 1, i + 2}) != 0;
	for (int i = 0; i < 1000; i++)
		bad += l.items[i + 2].producer_id != i;
	tap(bad == 0 && l.count == 1002, "it grows");
	txnindex_list_release(&l);
	tap(l.count == 0 && l.items == NULL, "released");
}

static struct aborted
nth(int64_t i)
{
	return (struct aborted){7, i * 10, i * 10 + 9, i * 10 + 10};
}

static int64_t
size_of_file(void)
{
	struct stat st;

	return fstatat(dirfd, FILE_NAME, &st, 0) == 0 ? st.st_size : -1;
}

/* Entries whose marker is at or after from: as many, the first of them. */
static void
check_read(int64_t from, size_t want, int64_t want_first, int32_t want_count)
{
	struct aborted_list l;
	int32_t count = -5;

	txnindex_list_init(&l);
	tap_int(txnindex_read(dirfd, 42, from, &l, &count), 0,
	    "read from %" PRId64, from);
	tap_int(l.count, want, "so many entries");
	tap_int(count, want_count, "of so many");
	if (want > 0)
		tap_int(l.items[0].first_offset, want_first, "from the first");
	txnindex_list_release(&l);
}

static void
test_file(void)
{
	enum { COUNT = 300 };
	struct stat st;
	int bad = 0;

	check_read(0, 0, 0, 0);
	for (int32_t i = 0; i < COUNT; i++) {
		struct aborted a = nth(i);

		bad += txnindex_append(dirfd, 42, i, &a, 0640, getegid()) != 0;
	}
	tap_int(bad, 0, "append %d entries", (int)COUNT);
	tap_int(size_of_file(), COUNT * TXNINDEX_ENTRY_LEN, "size of the file");
	tap(fstatat(dirfd, FILE_NAME, &st, 0) == 0 &&
		(st.st_mode & 07777) == 0640,
	    "its mode");
	check_read(0, COUNT, 0, COUNT);
	check_read(9, COUNT, 0, COUNT);
	check_read(10, COUNT - 1, 10, COUNT);
	check_read(COUNT * 10 - 1, 1, COUNT * 10 - 10, COUNT);
	check_read(COUNT * 10, 0, 0, COUNT);
	tap_int(txnindex_append(dirfd, 42, 1, &one, 0640, getegid()), 0,
	    "write entry 1 again");
	tap_int(size_of_file(), COUNT * TXNINDEX_ENTRY_LEN, "no new one");
	check_read(COUNT * 10, 1, one.first_offset, COUNT);
	tap_int(txnindex_truncate(dirfd, 42, 1), 0, "keep one");
	check_read(0, 1, 0, 1);
	tap_int(txnindex_truncate(dirfd, 42, 0), 0, "keep none");
	tap_int(size_of_file(), -1, "the file is gone");
	tap_int(txnindex_truncate(dirfd, 42, 0), 0, "keep none of no file");
}

static void
check_damage(const uint8_t *data, size_t len, const char *what)
{
	struct aborted_list l;
	int32_t count = -5;

	txnindex_list_init(&l);
	if (io_replace_file(dirfd, FILE_NAME, data, len, 0600, getegid()) != 0)
		abort();
	tap_int(txnindex_read(dirfd, 42, 0, &l, &count), STATUS_CORRUPT, "%s",
	    what);
	tap_int(count, 0, "no count is told");
	txnindex_list_release(&l);
}

static void
test_damage(void)
{
	uint8_t p[3 * TXNINDEX_ENTRY_LEN];

	for (int i = 0; i < 3; i++) {
		struct aborted a = nth(i);

		txnindex_encode(&a, p + i * TXNINDEX_ENTRY_LEN);
	}
	check_damage(p, sizeof(p) - 1, "a file cut inside an entry");
	check_damage(p, 1, "one byte");
	memset(p + TXNINDEX_ENTRY_LEN, 0, TXNINDEX_ENTRY_LEN);
	check_damage(p, sizeof(p), "zeroes in the middle");
}

int
main(void)
{
	if (io_open(AT_FDCWD, tap_dir(), O_RDONLY | O_DIRECTORY, 0, &dirfd) !=
	    0)
		abort();
	test_layout();
	test_refused();
	test_list();
	test_file();
	test_damage();
	io_close(&dirfd);
	return tap_done();
}
