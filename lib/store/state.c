#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"

static const uint8_t magic[4] = {'L', 'K', 'P', 'S'};

enum slot_pos {
	SLOT_MAGIC = 0,
	SLOT_CRC = 4,
	SLOT_VERSION = 8,
	SLOT_ROLE = 10,
	SLOT_FLAGS = 12,
	SLOT_SEQUENCE = 16,
	SLOT_BOOT_ID = 24,
	SLOT_MOUNT_ID = 40,
	SLOT_INODE = 48,
	SLOT_ACTIVE_BASE = 56,
	SLOT_END_OFFSET = 64,
	SLOT_END_POS = 72,
	SLOT_SYNCED_OFFSET = 80,
	SLOT_SYNCED_POS = 88,
	SLOT_VISIBLE = 96,
	SLOT_UNSTABLE = 104,
	SLOT_LOG_START = 112,
	SLOT_LEADER_EPOCH = 120,
	SLOT_ABORTED = 124,
	SLOT_SNAPSHOT = 128,
	SLOT_SNAPSHOT_BYTES = 136,
	SLOT_FIRST_TIMESTAMP = 144,
	SLOT_MAX_TIMESTAMP = 152,
	SLOT_MAX_TIMESTAMP_OFFSET = 160,
	SLOT_CREATED = 168,
	SLOT_INDEX_POS = 176,
	SLOT_INDEX_COUNT = 184,
	SLOT_TIMEINDEX_COUNT = 188,
	SLOT_TIMEINDEX_LAST = 192,
	SLOT_PERSISTED_POS = 200,
	SLOT_BATCHES = 208,
	SLOT_RECORDS = 216,
	SLOT_DATA_BYTES = 224,
	SLOT_SEGMENT_CRC = 232,
	SLOT_MIN_TIMESTAMP = 236,
	SLOT_STATE_INODE = 244,
	SLOT_EARLIER_TIMESTAMP = 252,
	SLOT_CUTS = 260,
	SLOT_RESERVED = 268,
};

_Static_assert((int)SLOT_RESERVED <= (int)STATE_SLOT_LEN, "slot layout");
_Static_assert(STATE_SLOT_B + STATE_SLOT_LEN <= STATE_PAGE_LEN, "page");

/* The 64-bit fields, for the mirror functions below. */
#define STATE_FIELDS_64(F)                                                     \
	F(SLOT_ACTIVE_BASE, active_base)                                       \
	F(SLOT_END_OFFSET, end_offset)                                         \
	F(SLOT_END_POS, end_pos)                                               \
	F(SLOT_SYNCED_OFFSET, synced_offset)                                   \
	F(SLOT_SYNCED_POS, synced_pos)                                         \
	F(SLOT_VISIBLE, visible_offset)                                        \
	F(SLOT_UNSTABLE, unstable_offset)                                      \
	F(SLOT_LOG_START, log_start)                                           \
	F(SLOT_SNAPSHOT, snapshot_offset)                                      \
	F(SLOT_SNAPSHOT_BYTES, snapshot_bytes)                                 \
	F(SLOT_FIRST_TIMESTAMP, first_timestamp)                               \
	F(SLOT_MAX_TIMESTAMP, max_timestamp)                                   \
	F(SLOT_MAX_TIMESTAMP_OFFSET, max_timestamp_offset)                     \
	F(SLOT_CREATED, created_ms)                                            \
	F(SLOT_INDEX_POS, index_pos)                                           \
	F(SLOT_TIMEINDEX_LAST, timeindex_last)                                 \
	F(SLOT_PERSISTED_POS, persisted_pos)                                   \
	F(SLOT_BATCHES, batches)                                               \
	F(SLOT_RECORDS, records)                                               \
	F(SLOT_DATA_BYTES, data_bytes)                                         \
	F(SLOT_MIN_TIMESTAMP, min_timestamp)                                   \
	F(SLOT_STATE_INODE, state_inode)                                       \
	F(SLOT_EARLIER_TIMESTAMP, earlier_timestamp)                           \
	F(SLOT_CUTS, cuts)

void
state_init(struct state *s)
{
	*s = (struct state){
	    .unstable_offset = -1,
	    .leader_epoch = -1,
	    .snapshot_offset = -1,
	    .earlier_timestamp = -1,
	};
	s->max_timestamp = -1;
	state_begin_segment(s, 0, 0);
}

void
state_begin_segment(struct state *s, int64_t base, int64_t now_ms)
{
	if (s->max_timestamp > s->earlier_timestamp)
		s->earlier_timestamp = s->max_timestamp;
	s->inode = 0;
	s->active_base = base;
	s->end_offset = base;
	s->end_pos = 0;
	s->synced_offset = base;
	s->synced_pos = 0;
	s->aborted_count = 0;
	s->first_timestamp = -1;
	s->max_timestamp = -1;
	s->min_timestamp = -1;
	s->max_timestamp_offset = -1;
	s->created_ms = now_ms;
	s->index_pos = 0;
	s->index_count = 0;
	s->timeindex_count = 0;
	s->timeindex_last = -1;
	s->persisted_pos = 0;
	s->batches = 0;
	s->records = 0;
	s->data_bytes = 0;
	s->segment_crc = 0;
	s->flags |= STATE_SUMS;
}

/* By the clock: where a state was lost its number was, too. */
void
state_cut(struct state *s, int64_t now_ms)
{
	uint64_t now = (uint64_t)now_ms << 20;

	s->cuts = s->cuts < now ? now : s->cuts + 1;
}

int64_t
state_last_stable(const struct state *s)
{
	if (s->unstable_offset >= 0 && s->unstable_offset < s->visible_offset)
		return s->unstable_offset;
	return s->visible_offset;
}

void
state_encode(const struct state *s, uint8_t slot[STATE_SLOT_LEN])
{
	memset(slot, 0, STATE_SLOT_LEN);
	memcpy(slot + SLOT_MAGIC, magic, sizeof(magic));
	buf_put_16(slot + SLOT_VERSION, STATE_VERSION);
	slot[SLOT_ROLE] = (uint8_t)s->role;
	buf_put_32(slot + SLOT_FLAGS, s->flags);
	buf_put_64(slot + SLOT_SEQUENCE, s->sequence);
	memcpy(slot + SLOT_BOOT_ID, s->boot_id, sizeof(s->boot_id));
	buf_put_64(slot + SLOT_MOUNT_ID, s->mount_id);
	buf_put_64(slot + SLOT_INODE, s->inode);
	buf_put_32(slot + SLOT_LEADER_EPOCH, (uint32_t)s->leader_epoch);
	buf_put_32(slot + SLOT_ABORTED, (uint32_t)s->aborted_count);
	buf_put_32(slot + SLOT_INDEX_COUNT, (uint32_t)s->index_count);
	buf_put_32(slot + SLOT_TIMEINDEX_COUNT, (uint32_t)s->timeindex_count);
	buf_put_32(slot + SLOT_SEGMENT_CRC, s->segment_crc);
#define F(pos, field) buf_put_64(slot + pos, (uint64_t)s->field);
	STATE_FIELDS_64(F)
#undef F
	buf_put_32(slot + SLOT_CRC,
	    crc32c(slot + SLOT_VERSION, STATE_SLOT_LEN - SLOT_VERSION));
}

/* Numbers that no writer would have written, though the CRC is right. */
static bool
is_sane(const struct state *s)
{
	return s->active_base >= 0 && s->end_offset >= s->active_base &&
	    s->end_pos >= 0 && s->synced_pos >= 0 &&
	    s->synced_pos <= s->end_pos && s->synced_offset >= 0 &&
	    s->synced_offset <= s->end_offset && s->visible_offset >= 0 &&
	    s->visible_offset <= s->end_offset && s->log_start >= 0 &&
	    s->log_start <= s->end_offset && s->index_count >= 0 &&
	    s->timeindex_count >= 0 && s->aborted_count >= 0;
}

int
state_decode(const uint8_t slot[STATE_SLOT_LEN], struct state *out)
{
	struct state s;

	if (memcmp(slot + SLOT_MAGIC, magic, sizeof(magic)) != 0)
		return STATUS_CORRUPT;
	if (buf_get_32(slot + SLOT_CRC) !=
	    crc32c(slot + SLOT_VERSION, STATE_SLOT_LEN - SLOT_VERSION))
		return STATUS_CORRUPT;
	if (buf_get_16(slot + SLOT_VERSION) > STATE_VERSION)
		return STATUS_NEWER;
	if (slot[SLOT_ROLE] > STATE_ROLE_FOLLOWER)
		return STATUS_CORRUPT;
	s.role = (enum state_role)slot[SLOT_ROLE];
	s.flags = buf_get_32(slot + SLOT_FLAGS);
	s.sequence = buf_get_64(slot + SLOT_SEQUENCE);
	memcpy(s.boot_id, slot + SLOT_BOOT_ID, sizeof(s.boot_id));
	s.mount_id = buf_get_64(slot + SLOT_MOUNT_ID);
	s.inode = buf_get_64(slot + SLOT_INODE);
	s.leader_epoch = (int32_t)buf_get_32(slot + SLOT_LEADER_EPOCH);
	s.aborted_count = (int32_t)buf_get_32(slot + SLOT_ABORTED);
	s.index_count = (int32_t)buf_get_32(slot + SLOT_INDEX_COUNT);
	s.timeindex_count = (int32_t)buf_get_32(slot + SLOT_TIMEINDEX_COUNT);
	s.segment_crc = buf_get_32(slot + SLOT_SEGMENT_CRC);
#define F(pos, field) s.field = (__typeof__(s.field))buf_get_64(slot + pos);
	STATE_FIELDS_64(F)
#undef F
	if (!is_sane(&s))
		return STATUS_CORRUPT;
	*out = s;
	return 0;
}

/* Has nothing been written yet?  Where that is so, no look finds more. */
static bool
is_blank(const uint8_t page[STATE_PAGE_LEN], size_t len)
{
	return len == 0 ||
	    (page[0] == 0 && memcmp(page, page + 1, len - 1) == 0);
}

/* One look at the page.  A slot never written (all 0) is just not there. */
static int
read_once(int fd, struct state *out, bool *doubt, bool *blank)
{
	uint8_t page[STATE_PAGE_LEN];
	struct state a, b;
	size_t got;
	int rc, rc_a, rc_b;

	rc = io_pread(fd, page, sizeof(page), 0, &got);
	*blank = rc == 0 && is_blank(page, got);
	if (rc == 0 && (got < sizeof(page) || *blank))
		return STATUS_CORRUPT;
	if (rc != 0)
		return rc;
	rc_a = state_decode(page, &a);
	rc_b = state_decode(page + STATE_SLOT_B, &b);
	if (rc_a == STATUS_NEWER || rc_b == STATUS_NEWER)
		return STATUS_NEWER;
	if (rc_a != 0 && rc_b != 0)
		return STATUS_CORRUPT;
	*out = rc_b != 0 || (rc_a == 0 && a.sequence > b.sequence) ? a : b;
	/* Only the very first state has no other beside it. */
	*doubt = (rc_a != 0 || rc_b != 0) && out->sequence > 1;
	return 0;
}

int
state_look(int fd, struct state *out, bool *doubt)
{
	int rc = STATUS_CORRUPT;
	bool blank = false;

	*doubt = false;
	for (int tries = 0; tries < 8 && !blank &&
	     (rc == STATUS_CORRUPT || (rc == 0 && *doubt));
	     tries++) {
		if (tries > 0)
			sched_yield();
		rc = read_once(fd, out, doubt, &blank);
	}
	return rc;
}

int
state_read(int fd, struct state *out)
{
	bool doubt;

	return state_look(fd, out, &doubt);
}

int
state_write(int fd, struct state *s)
{
	uint8_t slot[STATE_SLOT_LEN];

	s->sequence++;
	state_encode(s, slot);
	return io_pwrite_full(fd, slot, sizeof(slot),
	    s->sequence % 2 == 0 ? 0 : STATE_SLOT_B);
}

int
state_open(int dirfd, bool write, mode_t mode, gid_t gid, int *fd)
{
	return write ? io_open_made(dirfd, STATE_FILE, 0, mode, gid, fd)
		     : io_open(dirfd, STATE_FILE, O_RDONLY, 0, fd);
}

int
state_fill(int fd)
{
	static const uint8_t page[STATE_PAGE_LEN];
	struct stat st;

	if (fstat(fd, &st) != 0)
		return errno;
	if (st.st_size >= STATE_PAGE_LEN)
		return 0;
	return io_pwrite_full(fd, page, (size_t)(STATE_PAGE_LEN - st.st_size),
	    st.st_size);
}

int
state_boot_id(uint8_t out[16])
{
	char text[64];
	size_t got = 0;
	int fd = -1, digits = 0, rc;

	memset(out, 0, 16);
	rc = io_open(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY, 0,
	    &fd);
	if (rc == 0)
		rc = io_pread(fd, text, sizeof(text), 0, &got);
	(void)io_close(&fd);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < got && digits < 32; i++) {
		const char *hex = "0123456789abcdef";
		const char *at = memchr(hex, text[i], 16);

		if (at == NULL)
			continue;
		out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | (at - hex));
		digits++;
	}
	return digits == 32 ? 0 : STATUS_CORRUPT;
}

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif

/*
 * The unique id where the kernel has one (6.8): a file system that went down
 * and was mounted again without a reboot shows.
 */
uint64_t
state_mount_id(int dirfd)
{
	struct statx stx;

	if (statx(dirfd, "", AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE | STATX_MNT_ID,
		&stx) == 0 &&
	    (stx.stx_mask & (STATX_MNT_ID_UNIQUE | STATX_MNT_ID)) != 0)
		return stx.stx_mnt_id;
	return 0;
}
