#ifndef STORE_SEEK_H
#define STORE_SEEK_H

/*
 * Finding a place inside one segment: the index gives a hint, the batch
 * headers decide.  A missing or wrong index only costs time.
 */

#include <stdint.h>

struct fault;

/*
 * *pos: position of the batch that holds offset, or of the first one behind
 * it; the end of what is there (at most limit bytes, -1 all) if there is
 * none.  STATUS_CORRUPT if the headers on the way do not add up, at *pos.
 */
int seek_offset(int dirfd, int64_t base, int log_fd, int64_t offset,
    int64_t limit, int64_t *pos);

/*
 * *start: the offset of a batch that begins about bytes before the batch of
 * seek_offset(), or less; base if the index does not tell of one.  What lies
 * between may be more, where the index has a gap.
 */
int seek_before(int dirfd, int64_t base, int log_fd, int64_t offset,
    int64_t bytes, int64_t *start);

/*
 * *pos: where to begin to look for the first record with a timestamp at or
 * above timestamp: no record before that position has one.
 */
int seek_time(int dirfd, int64_t base, int log_fd, int64_t timestamp,
    int64_t limit, int64_t *pos);

/*
 * The largest timestamp in a sealed segment, by its .sum, else by its time
 * index, else INT64_MAX (it must be read).
 */
int seek_max_timestamp(int dirfd, int64_t base, int64_t *timestamp);

#endif
