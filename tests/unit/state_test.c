#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"
#include "tap.h"

static int dirfd;
static int yields;

/* Of the library's: how often it waited to look again. */
int
sched_yield(void)
{
	yields++;
	return 0;
}

/* Where each field stands, as the header tells it. */
static const struct {
	size_t pos, size;
	size_t field; /* its place in struct state */
} layout[] = {
#define ROW(pos, size, name)                                                   \
	{                                                                      \
		pos, size, offsetof(struct state, name)                        \
	}
    ROW(12, 4, flags),
    ROW(16, 8, sequence),
    ROW(40, 8, mount_id),
    ROW(48, 8, inode),
    ROW(56, 8, active_base),
    ROW(64, 8, end_offset),
    ROW(72, 8, end_pos),
    ROW(80, 8, synced_offset),
    ROW(88, 8, synced_pos),
    ROW(96, 8, visible_offset),
    ROW(104, 8, unstable_offset),
    ROW(112, 8, log_start),
    ROW(120, 4, leader_epoch),
    ROW(124, 4, aborted_count),
    ROW(128, 8, snapshot_offset),
    ROW(136, 8, snapshot_bytes),
    ROW(144, 8, first_timestamp),
    ROW(152, 8, max_timestamp),
    ROW(160, 8, max_timestamp_offset),
    ROW(168, 8, created_ms),
    ROW(176, 8, index_pos),
    ROW(184, 4, index_count),
    ROW(188, 4, timeindex_count),
    ROW(192, 8, timeindex_last),
    ROW(200, 8, persisted_pos),
    ROW(208, 8, batches),
    ROW(216, 8, records),
    ROW(224, 8, data_bytes),
    ROW(232, 4, segment_crc),
    ROW(236, 8, min_timestamp),
    ROW(244, 8, state_inode),
    ROW(252, 8, earlier_timestamp),
#undef ROW
};

enum { FIELDS = sizeof(layout) / sizeof(layout[0]) };

/* Random numbers in all fields, those that must be in order in order. */
static struct state
random_state(void)
{
	struct state s;

	memset(&s, 0, sizeof(s));
	for (size_t i = 0; i < FIELDS; i++) {
		uint64_t v = tap_random() >> (tap_random() % 64);

		memcpy((char *)&s + layout[i].field, &v, layout[i].size);
	}
	for (size_t i = 0; i < sizeof(s.boot_id); i++)
		s.boot_id[i] = (uint8_t)tap_random();
	s.role = (enum state_role)(tap_random() % 4);
	s.end_offset &= INT64_MAX;
	s.active_base = (int64_t)(tap_random() % ((uint64_t)s.end_offset + 1));
	s.synced_offset = s.active_base;
	s.visible_offset =
	    (int64_t)(tap_random() % ((uint64_t)s.end_offset + 1));
	s.log_start = s.visible_offset / 2;
	s.end_pos &= INT64_MAX;
	s.synced_pos = s.end_pos / 3;
	s.index_count &= INT32_MAX;
	s.timeindex_count &= INT32_MAX;
	s.aborted_count &= INT32_MAX;
	return s;
}

static bool
same_state(const struct state *a, const struct state *b)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (memcmp((const char *)a + layout[i].field,
			(const char *)b + layout[i].field, layout[i].size) != 0)
			return false;
	return a->role == b->role &&
	    memcmp(a->boot_id, b->boot_id, sizeof(a->boot_id)) == 0;
}

static void
put_crc(uint8_t *slot)
{
	buf_put_32(slot + 4, crc32c(slot + 8, STATE_SLOT_LEN - 8));
}

static void
test_layout(void)
{
	uint8_t slot[STATE_SLOT_LEN];
	struct state s = random_state(), back;
	int bad = 0;

	memset(slot, 0xee, sizeof(slot));
	state_encode(&s, slot);
	tap(memcmp(slot, "LKPS", 4) == 0 && buf_get_16(slot + 8) == 1,
	    "magic and version");
	tap(buf_get_32(slot + 4) == crc32c(slot + 8, 504), "crc");
	tap(slot[10] == s.role && slot[11] == 0, "role");
	tap(memcmp(slot + 24, s.boot_id, 16) == 0, "boot id");
	for (size_t i = 0; i < FIELDS; i++) {
		uint64_t v = 0;

		memcpy(&v, (char *)&s + layout[i].field, layout[i].size);
		if (v !=
		    (layout[i].size == 4 ? buf_get_32(slot + layout[i].pos)
					 : buf_get_64(slot + layout[i].pos))) {
			printf("# field at %zu\n", layout[i].pos);
			bad++;
		}
	}
	tap_int(bad, 0, "%d fields", (int)FIELDS);
	for (int i = 260; i < STATE_SLOT_LEN; i++)
		bad += slot[i] != 0;
	tap_int(bad, 0, "zeroes after them");
	tap(state_decode(slot, &back) == 0 && same_state(&s, &back),
	    "and back");
}

static void
test_round_trip(void)
{
	uint8_t slot[STATE_SLOT_LEN];
	struct state back;
	int bad = 0;

	for (int i = 0; i < 3000; i++) {
		struct state s = random_state();

		state_encode(&s, slot);
		bad += state_decode(slot, &back) != 0 || !same_state(&s, &back);
	}
	tap_int(bad, 0, "what is encoded is decoded");
	state_init(&back);
	struct state s = back;
	state_encode(&s, slot);
	tap(state_decode(slot, &back) == 0 && same_state(&s, &back),
	    "a new state");
}

static void
test_bits(void)
{
	uint8_t slot[STATE_SLOT_LEN];
	struct state s = random_state(), back;
	int bad = 0;

	state_encode(&s, slot);
	for (int i = 0; i < STATE_SLOT_LEN * 8; i++) {
		slot[i / 8] ^= (uint8_t)(1 << i % 8);
		bad += state_decode(slot, &back) != STATUS_CORRUPT;
		slot[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	tap_int(bad, 0, "every flipped bit is noticed");
	memset(slot, 0, sizeof(slot));
	tap_int(state_decode(slot, &back), STATUS_CORRUPT, "a slot of zeroes");
}

/* A slot with a right CRC and value in the 8 bytes at pos. */
static void
check_insane(size_t pos, int64_t value, const char *what)
{
	uint8_t slot[STATE_SLOT_LEN];
	struct state s, back;

	state_init(&s);
	state_begin_segment(&s, 10, 0);
	s.end_offset = s.visible_offset = s.synced_offset = 20;
	s.end_pos = s.synced_pos = 200;
	state_encode(&s, slot);
	if (state_decode(slot, &back) != 0)
		abort();
	buf_put_64(slot + pos, (uint64_t)value);
	put_crc(slot);
	tap_int(state_decode(slot, &back), STATUS_CORRUPT, "%s", what);
}

static void
test_insane(void)
{
	uint8_t slot[STATE_SLOT_LEN];
	struct state s, back;

	check_insane(56, -1, "a negative base");
	check_insane(56, 21, "a base behind the end");
	check_insane(64, 9, "an end before the base");
	check_insane(72, -1, "a negative end position");
	check_insane(80, 21, "synced behind the end");
	check_insane(88, 201, "synced position behind the end");
	check_insane(96, 21, "visible behind the end");
	check_insane(96, -1, "visible negative");
	check_insane(112, 21, "log start behind the end");
	check_insane(120, INT32_MIN, "a negative count of aborts");
	state_init(&s);
	state_encode(&s, slot);
	slot[10] = 4;
	put_crc(slot);
	tap_int(state_decode(slot, &back), STATUS_CORRUPT, "an unknown role");
	slot[10] = 0;
	buf_put_16(slot + 8, 2);
	put_crc(slot);
	tap_int(state_decode(slot, &back), STATUS_NEWER, "a later version");
}

static void
test_last_stable(void)
{
	struct state s;

	state_init(&s);
	s.end_offset = s.visible_offset = 50;
	tap_int(state_last_stable(&s), 50, "no transaction: visible");
	s.unstable_offset = 30;
	tap_int(state_last_stable(&s), 30, "an open transaction");
	s.unstable_offset = 60;
	tap_int(state_last_stable(&s), 50, "one that is not visible yet");
	s.unstable_offset = 0;
	tap_int(state_last_stable(&s), 0, "one at the very beginning");
}

static void
test_begin_segment(void)
{
	struct state s;

	state_init(&s);
	tap(s.end_offset == 0 && s.unstable_offset == -1 &&
		s.leader_epoch == -1 && s.snapshot_offset == -1 &&
		s.max_timestamp == -1 && s.earlier_timestamp == -1 &&
		s.first_timestamp == -1 && s.role == STATE_ROLE_OPEN,
	    "a new state");
	s.max_timestamp = 700;
	s.end_offset = 30;
	s.log_start = 5;
	s.leader_epoch = 2;
	s.visible_offset = 30;
	s.index_count = 7;
	s.flags = STATE_RELAXED;
	state_begin_segment(&s, 30, 123);
	tap(s.active_base == 30 && s.end_offset == 30 && s.end_pos == 0 &&
		s.index_count == 0 && s.created_ms == 123,
	    "a new segment");
	tap(s.max_timestamp == -1 && s.earlier_timestamp == 700,
	    "the largest timestamp is kept as an earlier one");
	tap(s.log_start == 5 && s.leader_epoch == 2 && s.visible_offset == 30 &&
		s.flags == (STATE_RELAXED | STATE_SUMS),
	    "the rest stays");
	s.max_timestamp = 600;
	state_begin_segment(&s, 40, 124);
	tap_int(s.earlier_timestamp, 700, "a smaller one changes nothing");
}

static int
open_state(void)
{
	int fd = -1;

	(void)io_unlink(dirfd, STATE_FILE);
	if (state_open(dirfd, true, 0600, getegid(), &fd) != 0 ||
	    state_fill(fd) != 0)
		abort();
	return fd;
}

static void
test_open(void)
{
	struct state s, back;
	struct stat st;
	int fd = -1;

	tap_int(state_open(dirfd, false, 0, 0, &fd), ENOENT, "none to read");
	tap_int(state_open(dirfd, true, 0640, getegid(), &fd), 0,
	    "made to write");
	tap(fstat(fd, &st) == 0 && st.st_size == 0 &&
		(st.st_mode & 07777) == 0640,
	    "empty, with its mode");
	tap_int(state_read(fd, &back), STATUS_CORRUPT, "nothing to read");
	if (io_pwrite_full(fd, "x", 1, 0) != 0)
		abort();
	tap_int(state_read(fd, &back), STATUS_CORRUPT, "nor in one byte");
	tap_int(state_fill(fd), 0, "fill the page");
	tap(fstat(fd, &st) == 0 && st.st_size == STATE_PAGE_LEN, "its size");
	tap_int(state_read(fd, &back), STATUS_CORRUPT, "two void slots");
	state_init(&s);
	s.end_offset = 77;
	tap_int(state_write(fd, &s), 0, "write");
	tap(state_read(fd, &back) == 0 && same_state(&s, &back) &&
		back.sequence == 1,
	    "and read");
	tap_int(state_fill(fd), 0, "fill again");
	tap(state_read(fd, &back) == 0 && same_state(&s, &back),
	    "it does no harm");
	io_close(&fd);
	tap_int(state_open(dirfd, false, 0, 0, &fd), 0, "open to read");
	tap(state_read(fd, &back) == 0 && back.end_offset == 77, "read");
	io_close(&fd);
	tap_int(fd, -1, "closed");
}

/* The n-th state of a log; its offsets follow from the number. */
static struct state
nth(uint64_t n)
{
	struct state s;

	state_init(&s);
	s.end_offset = s.visible_offset = (int64_t)n * 3;
	s.end_pos = (int64_t)n * 1000;
	s.segment_crc = (uint32_t)n * 77;
	s.earlier_timestamp = (int64_t)n;
	s.sequence = n - 1; /* raised by write */
	return s;
}

static bool
is_nth(const struct state *s, uint64_t n)
{
	struct state want = nth(n);

	want.sequence = n;
	return same_state(s, &want);
}

static void
test_slots(void)
{
	struct state s, back;
	uint8_t page[STATE_PAGE_LEN];
	int fd = open_state(), bad = 0;

	for (uint64_t n = 1; n <= 20; n++) {
		s = nth(n);
		bad += state_write(fd, &s) != 0 || s.sequence != n;
		bad += state_read(fd, &back) != 0 || !is_nth(&back, n);
	}
	tap_int(bad, 0, "the last written is read");
	if (io_pread_full(fd, page, sizeof(page), 0) != 0)
		abort();
	tap(buf_get_64(page + 16) == 20 &&
		buf_get_64(page + STATE_SLOT_B + 16) == 19,
	    "the one before is in the other slot");
	for (int i = 0; i < STATE_PAGE_LEN; i++)
		bad += i % STATE_SLOT_B >= STATE_SLOT_LEN && page[i] != 0;
	tap_int(bad, 0, "nothing between the slots");
	io_close(&fd);
}

/* A write cut after any number of bytes: the state before, or the new one. */
static void
check_torn(uint64_t n)
{
	uint8_t old[STATE_SLOT_LEN], new[STATE_SLOT_LEN];
	int64_t at = n % 2 == 0 ? 0 : STATE_SLOT_B;
	struct state s, back;
	int fd = open_state(), bad = 0, news = 0;

	for (uint64_t i = n - 2; i < n; i++) {
		s = nth(i);
		if (state_write(fd, &s) != 0)
			abort();
	}
	if (io_pread_full(fd, old, sizeof(old), at) != 0)
		abort();
	s = nth(n);
	if (state_write(fd, &s) != 0 ||
	    io_pread_full(fd, new, sizeof(new), at) != 0)
		abort();
	for (size_t cut = 0; cut <= STATE_SLOT_LEN; cut++) {
		bool whole =
		    memcmp(old + cut, new + cut, STATE_SLOT_LEN - cut) == 0;

		if (io_pwrite_full(fd, old, sizeof(old), at) != 0 ||
		    io_pwrite_full(fd, new, cut, at) != 0)
			abort();
		bad += state_read(fd, &back) != 0 ||
		    !is_nth(&back, whole ? n : n - 1);
		/* The end may reach the disk before the beginning. */
		if (io_pwrite_full(fd, new, sizeof(new), at) != 0 ||
		    io_pwrite_full(fd, old, cut, at) != 0)
			abort();
		whole = memcmp(old, new, cut) == 0;
		bad += state_read(fd, &back) != 0 ||
		    !is_nth(&back, whole ? n : n - 1);
		news += whole;
	}
	tap_int(bad, 0, "a torn write to slot %c leaves the other",
	    at == 0 ? 'A' : 'B');
	tap_int(news, 5, "only equal bytes do not tear");
	io_close(&fd);
}

static void
test_damage(void)
{
	struct state s, back;
	int fd = open_state();

	s = nth(1);
	if (state_write(fd, &s) != 0 || state_write(fd, &s) != 0)
		abort();
	if (io_pwrite_full(fd, "xx", 2, 100) != 0)
		abort();
	tap(state_read(fd, &back) == 0 && back.sequence == 1,
	    "the current slot is bad");
	if (io_pwrite_full(fd, "xx", 2, STATE_SLOT_B + 100) != 0)
		abort();
	tap_int(state_read(fd, &back), STATUS_CORRUPT, "both are");
	s = nth(3);
	if (state_write(fd, &s) != 0)
		abort();
	tap(state_read(fd, &back) == 0 && back.sequence == 3, "one is again");
	if (io_truncate(fd, STATE_PAGE_LEN - 1) != 0)
		abort();
	tap_int(state_read(fd, &back), STATUS_CORRUPT, "a page cut short");
	io_close(&fd);
}

/* A later program writes one slot; we must not go on from the other. */
/* A log to which nobody has written is looked at once. */
static void
test_blank(void)
{
	static const uint8_t page[STATE_PAGE_LEN];
	struct state s;
	int fd = openat(dirfd, "blank", O_RDWR | O_CREAT | O_TRUNC, 0600);

	yields = 0;
	tap_int(state_read(fd, &s), STATUS_CORRUPT, "an empty file");
	if (write(fd, page, sizeof(page)) != sizeof(page))
		abort();
	tap_int(state_read(fd, &s), STATUS_CORRUPT, "a blank page");
	tap_int(yields, 0, "no state is waited for");
	if (pwrite(fd, "x", 1, 8) != 1)
		abort();
	tap_int(state_read(fd, &s), STATUS_CORRUPT, "part of a state");
	tap(yields > 0, "the rest is waited for");
	close(fd);
}

static void
test_newer(void)
{
	uint8_t slot[STATE_SLOT_LEN];
	struct state s, back;

	for (int i = 0; i < 2; i++) {
		int fd = open_state();

		s = nth(8);
		if (state_write(fd, &s) != 0 || state_write(fd, &s) != 0)
			abort();
		state_encode(&s, slot);
		buf_put_16(slot + 8, 2);
		put_crc(slot);
		if (io_pwrite_full(fd, slot, sizeof(slot), i * STATE_SLOT_B) !=
		    0)
			abort();
		tap_int(state_read(fd, &back), STATUS_NEWER,
		    "a later version in slot %c", "AB"[i]);
		io_close(&fd);
	}
}

static void
write_states(int fd)
{
	/* Not left behind by a test that ends early. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t n = 1;; n++) {
		struct state s = nth(n);

		if (state_write(fd, &s) != 0)
			_exit(1);
	}
}

/* A reader beside a writer sees whole states, never an older one again. */
static void
test_reader(void)
{
	int fd = open_state(), bad = 0, older = 0;
	struct state s = nth(1);
	uint64_t last = 0;
	pid_t pid;

	if (state_write(fd, &s) != 0)
		abort();
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0)
		write_states(fd);
	/* Until it is well under way, then some more. */
	for (int i = 0; i<5000; i += last> 100) {
		if (state_read(fd, &s) != 0 || !is_nth(&s, s.sequence)) {
			bad++;
			break;
		}
		older += s.sequence < last;
		last = s.sequence;
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	tap(bad == 0 && last > 100, "every state read is whole");
	tap_int(older, 0, "none is older than the one before");
	io_close(&fd);
}

static void
test_here(void)
{
	uint8_t id[16], zero[16] = {0};
	char text[64] = "", want[64] = "";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
	int fd = -1;

	if (f == NULL || fgets(want, sizeof(want), f) == NULL)
		abort();
	fclose(f);
	tap_int(state_boot_id(id), 0, "the boot id");
	tap(memcmp(id, zero, sizeof(id)) != 0, "is not zero");
	for (size_t i = 0; i < sizeof(id); i++)
		snprintf(text + strlen(text), 8, "%s%02x",
		    i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
	want[strcspn(want, "\n")] = '\0';
	tap_str(text, want);
	if (io_open(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY, 0, &fd) != 0)
		abort();
	tap(state_mount_id(dirfd) != state_mount_id(fd),
	    "another mount has another");
	io_close(&fd);
	tap_int(state_mount_id(-1), 0, "none where it cannot be told");
}

int
main(void)
{
	if (io_open(AT_FDCWD, tap_dir(), O_RDONLY | O_DIRECTORY, 0, &dirfd) !=
	    0)
		abort();
	test_layout();
	test_round_trip();
	test_bits();
	test_insane();
	test_last_stable();
	test_begin_segment();
	test_open();
	test_slots();
	check_torn(10);
	check_torn(11);
	test_damage();
	test_newer();
	test_blank();
	test_reader();
	test_here();
	io_close(&dirfd);
	return tap_done();
}
