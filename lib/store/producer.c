#include "store/producer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"
#include "store/segment.h"

enum snapshot_pos {
	SNAPSHOT_VERSION = 0,
	SNAPSHOT_CRC = 2,
	SNAPSHOT_COUNT = 6,
	SNAPSHOT_ENTRIES = 10,
	SNAPSHOT_ENTRY_LEN = 46,
	ENTRY_ID = 0,
	ENTRY_EPOCH = 8,
	ENTRY_LAST_SEQUENCE = 10,
	ENTRY_LAST_OFFSET = 14,
	ENTRY_OFFSET_DELTA = 22,
	ENTRY_TIMESTAMP = 26,
	ENTRY_COORDINATOR_EPOCH = 34,
	ENTRY_TXN_OFFSET = 38,
};

_Static_assert(ENTRY_TXN_OFFSET + 8 == (int)SNAPSHOT_ENTRY_LEN, "entry layout");

/* One batch that a retry may repeat. */
struct sent {
	int32_t first_sequence;
	int32_t last_sequence;
	int64_t base_offset;
	int64_t last_offset;
	int64_t max_timestamp;
};

struct producer {
	int64_t id;
	int16_t epoch;
	int32_t coordinator_epoch;
	int64_t timestamp;
	int64_t txn_offset;	/* first of the open transaction, -1 none */
	struct sent window[PRODUCER_WINDOW];	/* oldest first */
	int count;
};

struct producer_table {
	int64_t next_offset;
	size_t open;		/* producers in a transaction */
	int64_t first_open;	/* smallest txn_offset of those, -1 none */
	struct producer *items;	/* ascending by id */
	size_t count;
	size_t cap;
};

int
producer_new(struct producer_table **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return ENOMEM;
	producer_clear(*out);
	return 0;
}

void
producer_free(struct producer_table *t)
{
	if (t == NULL)
		return;
	free(t->items);
	free(t);
}

void
producer_clear(struct producer_table *t)
{
	t->count = 0;
	t->next_offset = 0;
	t->open = 0;
	t->first_open = -1;
}

size_t
producer_count(const struct producer_table *t)
{
	return t->count;
}

int64_t
producer_next_offset(const struct producer_table *t)
{
	return t->next_offset;
}

void
producer_skip(struct producer_table *t, int64_t offset)
{
	if (offset > t->next_offset)
		t->next_offset = offset;
}

/* Place of the first producer whose id is not below id. */
static size_t
lower_bound(const struct producer_table *t, int64_t id)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->items[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct producer *
find(const struct producer_table *t, int64_t id)
{
	size_t i = lower_bound(t, id);

	return i < t->count && t->items[i].id == id ? &t->items[i] : NULL;
}

/* The producer of that id, added if it is new. */
static int
find_or_add(struct producer_table *t, int64_t id, struct producer **out)
{
	size_t i = lower_bound(t, id);

	if (i < t->count && t->items[i].id == id) {
		*out = &t->items[i];
		return 0;
	}
	if (t->count == PRODUCERS_MAX)
		return STATUS_TOO_BIG;
	if (t->count == t->cap) {
		size_t cap = t->cap == 0 ? 16 : t->cap * 2;
		struct producer *items =
		    reallocarray(t->items, cap, sizeof(*items));

		if (items == NULL)
			return ENOMEM;
		t->items = items;
		t->cap = cap;
	}
	memmove(&t->items[i + 1], &t->items[i],
	    (t->count - i) * sizeof(*t->items));
	t->count++;
	t->items[i] = (struct producer){.id = id,
	    .epoch = -1,
	    .coordinator_epoch = -1,
	    .timestamp = -1,
	    .txn_offset = -1};
	*out = &t->items[i];
	return 0;
}

/* Sequence numbers go from 2^31-1 to 0. */
static int32_t
sequence_after(int32_t sequence, int64_t count)
{
	return (int32_t)((sequence + count) & INT32_MAX);
}

static int32_t
last_sequence(const struct batch *b)
{
	return sequence_after(b->base_sequence,
	    b->last_offset - b->base_offset);
}

int
producer_check(const struct producer_table *t, const struct batch *b,
    int64_t *base_offset, int64_t *max_timestamp)
{
	const struct producer *p;

	if (b->producer_id < 0 || (b->attributes & BATCH_CONTROL) != 0)
		return 0;
	if (b->base_sequence < 0)
		return STATUS_SEQUENCE;
	p = find(t, b->producer_id);
	if (p == NULL)
		return 0;
	if (b->producer_epoch < p->epoch)
		return STATUS_FENCED;
	/* Kafka's snapshots may name a producer of which all is gone. */
	if (p->epoch < 0)
		return 0;
	if (b->producer_epoch > p->epoch)
		return b->base_sequence == 0 ? 0 : STATUS_SEQUENCE;
	for (int i = 0; i < p->count; i++) {
		if (p->window[i].first_sequence == b->base_sequence &&
		    p->window[i].last_sequence == last_sequence(b)) {
			*base_offset = p->window[i].base_offset;
			*max_timestamp = p->window[i].max_timestamp;
			return STATUS_DUPLICATE;
		}
	}
	/* After a marker of a new epoch there is nothing to continue. */
	if (p->count == 0)
		return b->base_sequence == 0 ? 0 : STATUS_SEQUENCE;
	if (b->base_sequence !=
	    sequence_after(p->window[p->count - 1].last_sequence, 1))
		return STATUS_SEQUENCE;
	return 0;
}

static void
open_transaction(struct producer_table *t, struct producer *p, int64_t offset)
{
	p->txn_offset = offset;
	t->open++;
	if (t->first_open < 0 || offset < t->first_open)
		t->first_open = offset;
}

/* Only the end of the oldest transaction makes for a search. */
static void
close_transaction(struct producer_table *t, struct producer *p)
{
	int64_t offset = p->txn_offset;

	if (offset < 0)
		return;
	p->txn_offset = -1;
	t->open--;
	if (offset != t->first_open)
		return;
	t->first_open = -1;
	for (size_t i = 0, left = t->open; left > 0; i++) {
		offset = t->items[i].txn_offset;
		if (offset < 0)
			continue;
		if (t->first_open < 0 || offset < t->first_open)
			t->first_open = offset;
		left--;
	}
}

static void
set_epoch(struct producer *p, int16_t epoch)
{
	if (epoch != p->epoch)
		p->count = 0;
	p->epoch = epoch;
}

static int
apply_marker(struct producer_table *t, const uint8_t *data,
    const struct batch *b, struct aborted *aborted, bool *has_aborted)
{
	enum batch_control type;
	int32_t coordinator_epoch = -1;
	struct producer *p;
	int rc = batch_control_type(data, b, &type, &coordinator_epoch);

	if (rc != 0 || type == BATCH_CONTROL_OTHER)
		return rc;
	rc = find_or_add(t, b->producer_id, &p);
	if (rc != 0)
		return rc;
	if (type == BATCH_CONTROL_ABORT && p->txn_offset >= 0) {
		*aborted =
		    (struct aborted){p->id, p->txn_offset, b->base_offset, -1};
		*has_aborted = true;
	}
	set_epoch(p, b->producer_epoch);
	p->coordinator_epoch = coordinator_epoch;
	p->timestamp = b->max_timestamp;
	close_transaction(t, p);
	return 0;
}

static int
apply_data(struct producer_table *t, const struct batch *b)
{
	struct producer *p;
	int rc = find_or_add(t, b->producer_id, &p);

	if (rc != 0)
		return rc;
	set_epoch(p, b->producer_epoch);
	if (p->count == PRODUCER_WINDOW) {
		memmove(p->window, p->window + 1,
		    (PRODUCER_WINDOW - 1) * sizeof(p->window[0]));
		p->count--;
	}
	p->window[p->count++] = (struct sent){b->base_sequence,
	    last_sequence(b), b->base_offset, b->last_offset, b->max_timestamp};
	p->timestamp = b->max_timestamp;
	if ((b->attributes & BATCH_TRANSACTIONAL) != 0 && p->txn_offset < 0)
		open_transaction(t, p, b->base_offset);
	return 0;
}

int
producer_apply(struct producer_table *t, const uint8_t *p,
    const struct batch *b, struct aborted *aborted, bool *has_aborted)
{
	int rc = 0;

	*has_aborted = false;
	if (b->producer_id >= 0) {
		/* A marker that compaction has emptied says nothing. */
		if ((b->attributes & BATCH_CONTROL) == 0)
			rc = apply_data(t, b);
		else if (b->record_count > 0)
			rc = apply_marker(t, p, b, aborted, has_aborted);
		if (rc != 0)
			return rc;
	}
	t->next_offset = b->last_offset + 1;
	return 0;
}

/* Of its last data batch, -1 none. */
static int64_t
last_offset(const struct producer *p)
{
	return p->count > 0 ? p->window[p->count - 1].last_offset : -1;
}

bool
producer_last(const struct producer_table *t, int64_t producer_id,
    int16_t *epoch, int64_t *last)
{
	const struct producer *p = find(t, producer_id);

	if (p == NULL)
		return false;
	*epoch = p->epoch;
	*last = last_offset(p);
	return true;
}

int64_t
producer_unstable_offset(const struct producer_table *t)
{
	return t->first_open;
}

void
producer_expire(struct producer_table *t, int64_t before_ms, int64_t from)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++)
		if (t->items[i].timestamp >= before_ms ||
		    last_offset(&t->items[i]) >= from ||
		    t->items[i].txn_offset >= 0)
			t->items[kept++] = t->items[i];
	t->count = kept;
}

static void
encode_entry(const struct producer *p, uint8_t *at)
{
	struct sent none = {-1, -1, -1, -1, -1};
	const struct sent *last =
	    p->count > 0 ? &p->window[p->count - 1] : &none;

	buf_put_64(at + ENTRY_ID, (uint64_t)p->id);
	buf_put_16(at + ENTRY_EPOCH, (uint16_t)p->epoch);
	buf_put_32(at + ENTRY_LAST_SEQUENCE, (uint32_t)last->last_sequence);
	buf_put_64(at + ENTRY_LAST_OFFSET, (uint64_t)last->last_offset);
	buf_put_32(at + ENTRY_OFFSET_DELTA,
	    (uint32_t)(last->last_offset - last->base_offset));
	buf_put_64(at + ENTRY_TIMESTAMP, (uint64_t)p->timestamp);
	buf_put_32(at + ENTRY_COORDINATOR_EPOCH,
	    (uint32_t)p->coordinator_epoch);
	buf_put_64(at + ENTRY_TXN_OFFSET, (uint64_t)p->txn_offset);
}

/* Each producer comes once, and all it did lies below the snapshot's offset. */
static int
decode_entry(struct producer_table *t, const uint8_t *at, int64_t offset)
{
	int64_t id = (int64_t)buf_get_64(at + ENTRY_ID);
	int16_t epoch = (int16_t)buf_get_16(at + ENTRY_EPOCH);
	int64_t last_offset = (int64_t)buf_get_64(at + ENTRY_LAST_OFFSET);
	int32_t sequence = (int32_t)buf_get_32(at + ENTRY_LAST_SEQUENCE);
	int32_t delta = (int32_t)buf_get_32(at + ENTRY_OFFSET_DELTA);
	int64_t txn_offset = (int64_t)buf_get_64(at + ENTRY_TXN_OFFSET);
	size_t count = t->count;
	struct producer *p;
	int rc;

	if (id < 0 || epoch < -1 || sequence < -1 || delta < 0 ||
	    last_offset < -1 || last_offset >= offset ||
	    (last_offset >= 0 && last_offset < delta) || txn_offset < -1 ||
	    txn_offset >= offset)
		return STATUS_CORRUPT;
	rc = find_or_add(t, id, &p);
	if (rc != 0)
		return rc;
	if (t->count == count)
		return STATUS_CORRUPT;
	p->epoch = epoch;
	p->timestamp = (int64_t)buf_get_64(at + ENTRY_TIMESTAMP);
	p->coordinator_epoch =
	    (int32_t)buf_get_32(at + ENTRY_COORDINATOR_EPOCH);
	if (last_offset >= 0 && sequence >= 0)
		p->window[p->count++] = (struct sent){sequence_after(sequence,
							  -(int64_t)delta),
		    sequence, last_offset - delta, last_offset, p->timestamp};
	if (txn_offset >= 0)
		open_transaction(t, p, txn_offset);
	return 0;
}

static int
decode_snapshot(struct producer_table *t, const uint8_t *p, size_t len,
    int64_t offset, const char **what)
{
	uint32_t count;
	int rc = 0;

	*what = "not a producer snapshot";
	if (len < SNAPSHOT_ENTRIES)
		return STATUS_CORRUPT;
	*what = "unknown snapshot version";
	if (buf_get_16(p + SNAPSHOT_VERSION) != 1)
		return STATUS_CORRUPT;
	*what = "crc does not match";
	if (buf_get_32(p + SNAPSHOT_CRC) !=
	    crc32c(p + SNAPSHOT_COUNT, len - SNAPSHOT_COUNT))
		return STATUS_CORRUPT;
	count = buf_get_32(p + SNAPSHOT_COUNT);
	*what = "length does not match the number of entries";
	if (count > PRODUCERS_MAX ||
	    len != SNAPSHOT_ENTRIES + (size_t)count * SNAPSHOT_ENTRY_LEN)
		return STATUS_CORRUPT;
	*what = "an entry makes no sense";
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = decode_entry(t,
		    p + SNAPSHOT_ENTRIES + (size_t)i * SNAPSHOT_ENTRY_LEN,
		    offset);
	return rc;
}

int
producer_read_snapshot(struct producer_table *t, int dirfd, int64_t offset,
    struct fault *f)
{
	const size_t max =
	    SNAPSHOT_ENTRIES + (size_t)PRODUCERS_MAX * SNAPSHOT_ENTRY_LEN;
	char name[SEGMENT_NAME_LEN];
	const char *what = NULL;
	struct buf b;
	int rc;

	producer_clear(t);
	buf_init(&b, max + 1);
	segment_name(name, offset, ".snapshot");
	rc = io_read_file(dirfd, name, max, &b);
	if (rc == 0)
		rc = decode_snapshot(t, b.data, b.len, offset, &what);
	buf_release(&b);
	if (rc != 0) {
		producer_clear(t);
		return status_fault(f, rc, name, 0, offset, what);
	}
	t->next_offset = offset;
	return 0;
}

static bool
agree(const struct producer *p, const struct producer *saved, int64_t since,
    bool exact)
{
	const struct sent *mine, *theirs;

	if (saved->count == 0)
		return !exact || p == NULL || p->count == 0;
	theirs = &saved->window[saved->count - 1];
	if (p == NULL || p->count == 0)
		return !exact || theirs->last_offset < since;
	mine = &p->window[p->count - 1];
	if (!exact && theirs->last_offset > mine->last_offset)
		return true;
	/* Of one that began below since, t has not seen the beginning. */
	if (exact && saved->txn_offset != p->txn_offset &&
	    (saved->txn_offset < 0 || saved->txn_offset >= since))
		return false;
	return p->epoch == saved->epoch &&
	    mine->last_offset == theirs->last_offset &&
	    mine->last_sequence == theirs->last_sequence;
}

bool
producer_agrees(const struct producer_table *t,
    const struct producer_table *saved, int64_t since, bool exact,
    int64_t expired_ms)
{
	for (size_t i = 0; i < saved->count; i++)
		if (!agree(find(t, saved->items[i].id), &saved->items[i], since,
			exact))
			return false;
	for (size_t i = 0; i < t->count; i++)
		if (t->items[i].count > 0 &&
		    t->items[i].timestamp >= expired_ms &&
		    find(saved, t->items[i].id) == NULL)
			return false;
	return true;
}

void
producer_take_windows(struct producer_table *t,
    const struct producer_table *older)
{
	for (size_t i = 0; i < t->count; i++) {
		struct producer *p = &t->items[i];
		const struct producer *o = find(older, p->id);

		if (o == NULL || p->count != 1 || o->count <= 1 ||
		    p->epoch != o->epoch ||
		    p->window[0].last_offset !=
			o->window[o->count - 1].last_offset ||
		    p->window[0].last_sequence !=
			o->window[o->count - 1].last_sequence)
			continue;
		memcpy(p->window, o->window, sizeof(p->window));
		p->count = o->count;
	}
}

int
producer_write_snapshot(const struct producer_table *t, int dirfd, mode_t mode,
    gid_t gid)
{
	size_t len = SNAPSHOT_ENTRIES + t->count * SNAPSHOT_ENTRY_LEN;
	char name[SEGMENT_NAME_LEN];
	uint8_t *p = malloc(len);
	int rc;

	if (p == NULL)
		return ENOMEM;
	buf_put_16(p + SNAPSHOT_VERSION, 1);
	buf_put_32(p + SNAPSHOT_COUNT, (uint32_t)t->count);
	for (size_t i = 0; i < t->count; i++)
		encode_entry(&t->items[i],
		    p + SNAPSHOT_ENTRIES + i * SNAPSHOT_ENTRY_LEN);
	buf_put_32(p + SNAPSHOT_CRC,
	    crc32c(p + SNAPSHOT_COUNT, len - SNAPSHOT_COUNT));
	segment_name(name, t->next_offset, ".snapshot");
	rc = io_replace_file(dirfd, name, p, len, mode, gid);
	free(p);
	return rc;
}
