#include "store/sum.h"

#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"
#include "store/segment.h"

static const uint8_t magic[4] = {'L', 'K', 'S', 'M'};

enum sum_pos {
	SUM_CRC = 4,
	SUM_FORMAT = 8,
	SUM_FLAGS = 10,
	SUM_SEGMENT_CRC = 12,
	SUM_SIZE = 16,
	SUM_NEXT_OFFSET = 24,
	SUM_BATCHES = 32,
	SUM_RECORDS = 40,
	SUM_DATA_BYTES = 48,
	SUM_MIN_TIMESTAMP = 56,
	SUM_MAX_TIMESTAMP = 64,
	SUM_ABORTED = 72,
	SUM_PREFIX_TIMESTAMP = 76,
	SUM_DELETE_HORIZON = 84,
	SUM_INDEX_CRC = 92,
	SUM_TIMEINDEX_CRC = 96,
};

void
sum_encode(const struct sum *s, uint8_t out[SUM_LEN])
{
	memset(out, 0, SUM_LEN);
	memcpy(out, magic, sizeof(magic));
	buf_put_16(out + SUM_FORMAT, SUM_VERSION);
	buf_put_16(out + SUM_FLAGS, s->flags);
	buf_put_32(out + SUM_SEGMENT_CRC, s->crc);
	buf_put_64(out + SUM_SIZE, (uint64_t)s->size);
	buf_put_64(out + SUM_NEXT_OFFSET, (uint64_t)s->next_offset);
	buf_put_64(out + SUM_BATCHES, (uint64_t)s->batches);
	buf_put_64(out + SUM_RECORDS, (uint64_t)s->records);
	buf_put_64(out + SUM_DATA_BYTES, (uint64_t)s->data_bytes);
	buf_put_64(out + SUM_MIN_TIMESTAMP, (uint64_t)s->min_timestamp);
	buf_put_64(out + SUM_MAX_TIMESTAMP, (uint64_t)s->max_timestamp);
	buf_put_32(out + SUM_ABORTED, (uint32_t)s->aborted_count);
	buf_put_64(out + SUM_PREFIX_TIMESTAMP, (uint64_t)s->prefix_timestamp);
	buf_put_64(out + SUM_DELETE_HORIZON, (uint64_t)s->delete_horizon);
	buf_put_32(out + SUM_INDEX_CRC, s->index_crc);
	buf_put_32(out + SUM_TIMEINDEX_CRC, s->timeindex_crc);
	buf_put_32(out + SUM_CRC,
	    crc32c(out + SUM_FORMAT, SUM_LEN - SUM_FORMAT));
}

int
sum_decode(const uint8_t in[SUM_LEN], struct sum *out)
{
	if (memcmp(in, magic, sizeof(magic)) != 0)
		return STATUS_CORRUPT;
	if (buf_get_32(in + SUM_CRC) !=
	    crc32c(in + SUM_FORMAT, SUM_LEN - SUM_FORMAT))
		return STATUS_CORRUPT;
	if (buf_get_16(in + SUM_FORMAT) > SUM_VERSION)
		return STATUS_NEWER;
	out->flags = buf_get_16(in + SUM_FLAGS);
	out->crc = buf_get_32(in + SUM_SEGMENT_CRC);
	out->size = (int64_t)buf_get_64(in + SUM_SIZE);
	out->next_offset = (int64_t)buf_get_64(in + SUM_NEXT_OFFSET);
	out->batches = (int64_t)buf_get_64(in + SUM_BATCHES);
	out->records = (int64_t)buf_get_64(in + SUM_RECORDS);
	out->data_bytes = (int64_t)buf_get_64(in + SUM_DATA_BYTES);
	out->min_timestamp = (int64_t)buf_get_64(in + SUM_MIN_TIMESTAMP);
	out->max_timestamp = (int64_t)buf_get_64(in + SUM_MAX_TIMESTAMP);
	out->aborted_count = (int32_t)buf_get_32(in + SUM_ABORTED);
	out->prefix_timestamp = (int64_t)buf_get_64(in + SUM_PREFIX_TIMESTAMP);
	out->delete_horizon = (int64_t)buf_get_64(in + SUM_DELETE_HORIZON);
	out->index_crc = buf_get_32(in + SUM_INDEX_CRC);
	out->timeindex_crc = buf_get_32(in + SUM_TIMEINDEX_CRC);
	return 0;
}

int
sum_read(int dirfd, int64_t base, struct sum *out)
{
	char name[SEGMENT_NAME_LEN];
	uint8_t p[SUM_LEN];
	int fd = -1, rc;

	segment_name(name, base, ".sum");
	rc = io_open(dirfd, name, O_RDONLY, 0, &fd);
	if (rc != 0)
		return rc;
	rc = io_pread_full(fd, p, sizeof(p), 0);
	(void)io_close(&fd);
	if (rc == STATUS_SHORT)
		return STATUS_CORRUPT;
	return rc != 0 ? rc : sum_decode(p, out);
}

int
sum_write(int dirfd, int64_t base, const struct sum *s, mode_t mode, gid_t gid)
{
	char name[SEGMENT_NAME_LEN];
	uint8_t p[SUM_LEN];

	segment_name(name, base, ".sum");
	sum_encode(s, p);
	return io_replace_file(dirfd, name, p, sizeof(p), mode, gid);
}
