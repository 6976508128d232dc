#include "store/txnindex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/status.h"
#include "store/segment.h"

enum entry_pos {
	ENTRY_VERSION = 0,
	ENTRY_PRODUCER_ID = 2,
	ENTRY_FIRST_OFFSET = 10,
	ENTRY_LAST_OFFSET = 18,
	ENTRY_LAST_STABLE = 26,
};

void
txnindex_list_init(struct aborted_list *l)
{
	*l = (struct aborted_list){NULL, 0, 0};
}

void
txnindex_list_release(struct aborted_list *l)
{
	free(l->items);
	txnindex_list_init(l);
}

int
txnindex_list_add(struct aborted_list *l, const struct aborted *a)
{
	if (l->count == ABORTED_MAX)
		return STATUS_TOO_BIG;
	if (l->count == l->cap) {
		size_t cap = l->cap == 0 ? 32 : l->cap * 2;
		struct aborted *items =
		    reallocarray(l->items, cap, sizeof(*items));

		if (items == NULL)
			return ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->count++] = *a;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct aborted *x = a, *y = b;

	if (x->producer_id != y->producer_id)
		return x->producer_id < y->producer_id ? -1 : 1;
	if (x->first_offset != y->first_offset)
		return x->first_offset < y->first_offset ? -1 : 1;
	return 0;
}

void
txnindex_list_sort(struct aborted_list *l)
{
	if (l->count > 1)
		qsort(l->items, l->count, sizeof(*l->items), compare);
}

bool
txnindex_list_has(const struct aborted_list *l, int64_t producer_id,
    int64_t offset)
{
	struct aborted want = {producer_id, offset, 0, 0};
	size_t low = 0, high = l->count;

	/* The last one that begins at or before it. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(&l->items[mid], &want) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && l->items[low - 1].producer_id == producer_id &&
	    offset <= l->items[low - 1].last_offset;
}

void
txnindex_encode(const struct aborted *a, uint8_t out[TXNINDEX_ENTRY_LEN])
{
	buf_put_16(out + ENTRY_VERSION, 0);
	buf_put_64(out + ENTRY_PRODUCER_ID, (uint64_t)a->producer_id);
	buf_put_64(out + ENTRY_FIRST_OFFSET, (uint64_t)a->first_offset);
	buf_put_64(out + ENTRY_LAST_OFFSET, (uint64_t)a->last_offset);
	buf_put_64(out + ENTRY_LAST_STABLE, (uint64_t)a->last_stable);
}

int
txnindex_decode(const uint8_t in[TXNINDEX_ENTRY_LEN], struct aborted *out)
{
	struct aborted a = {
	    .producer_id = (int64_t)buf_get_64(in + ENTRY_PRODUCER_ID),
	    .first_offset = (int64_t)buf_get_64(in + ENTRY_FIRST_OFFSET),
	    .last_offset = (int64_t)buf_get_64(in + ENTRY_LAST_OFFSET),
	    .last_stable = (int64_t)buf_get_64(in + ENTRY_LAST_STABLE),
	};

	if (buf_get_16(in + ENTRY_VERSION) != 0 || a.producer_id < 0 ||
	    a.first_offset < 0 || a.last_offset <= a.first_offset ||
	    a.last_stable < 0)
		return STATUS_CORRUPT;
	*out = a;
	return 0;
}

/* All entries of an open file. */
static int
read_entries(int fd, int64_t size, int64_t from, struct aborted_list *l)
{
	uint8_t block[128 * TXNINDEX_ENTRY_LEN];
	struct aborted a;
	int64_t pos = 0;
	int rc = 0;

	while (rc == 0 && pos < size) {
		size_t len = sizeof(block);

		if (size - pos < (int64_t)len)
			len = (size_t)(size - pos);
		rc = io_pread_full(fd, block, len, pos);
		for (size_t i = 0; rc == 0 && i < len;
		     i += TXNINDEX_ENTRY_LEN) {
			rc = txnindex_decode(block + i, &a);
			if (rc == 0 && a.last_offset >= from)
				rc = txnindex_list_add(l, &a);
		}
		pos += (int64_t)len;
	}
	return rc;
}

int
txnindex_read(int dirfd, int64_t base, int64_t from, struct aborted_list *l,
    int32_t *count)
{
	char name[SEGMENT_NAME_LEN];
	struct stat st;
	int fd = -1, rc;

	if (count != NULL)
		*count = 0;
	segment_name(name, base, ".txnindex");
	rc = io_open(dirfd, name, O_RDONLY, 0, &fd);
	if (rc == ENOENT)
		return 0;
	if (rc != 0)
		return rc;
	if (fstat(fd, &st) != 0)
		rc = errno;
	else if (st.st_size % TXNINDEX_ENTRY_LEN != 0)
		rc = STATUS_CORRUPT;
	else if (st.st_size / TXNINDEX_ENTRY_LEN > ABORTED_MAX)
		rc = STATUS_TOO_BIG;
	else
		rc = read_entries(fd, st.st_size, from, l);
	if (rc == 0 && count != NULL)
		*count = (int32_t)(st.st_size / TXNINDEX_ENTRY_LEN);
	(void)io_close(&fd);
	return rc;
}

int
txnindex_append(int dirfd, int64_t base, int32_t count, const struct aborted *a,
    mode_t mode, gid_t gid)
{
	char name[SEGMENT_NAME_LEN];
	uint8_t p[TXNINDEX_ENTRY_LEN];
	int fd = -1, rc;

	segment_name(name, base, ".txnindex");
	rc = io_open(dirfd, name, O_RDWR, 0, &fd);
	if (rc == ENOENT) {
		rc = io_open_made(dirfd, name, 0, mode, gid, &fd);
		if (rc == 0)
			rc = io_sync_dir(dirfd);
	}
	txnindex_encode(a, p);
	if (rc == 0)
		rc = io_pwrite_full(fd, p, sizeof(p),
		    (int64_t)count * TXNINDEX_ENTRY_LEN);
	if (rc == 0)
		rc = io_sync(fd);
	(void)io_close(&fd);
	return rc;
}

int
txnindex_truncate(int dirfd, int64_t base, int32_t count)
{
	char name[SEGMENT_NAME_LEN];
	int fd = -1, rc;

	segment_name(name, base, ".txnindex");
	if (count == 0) {
		rc = io_unlink(dirfd, name);
		return rc == ENOENT ? 0 : rc;
	}
	rc = io_open(dirfd, name, O_RDWR, 0, &fd);
	if (rc == 0)
		rc = io_truncate(fd, (int64_t)count * TXNINDEX_ENTRY_LEN);
	if (rc == 0)
		rc = io_sync(fd);
	(void)io_close(&fd);
	return rc;
}
