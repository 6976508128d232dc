#ifndef STORE_RETAIN_H
#define STORE_RETAIN_H

/*
 * Retention: segments at the start of the log are removed by age and by size
 * (cleanup.policy delete), as Apache Kafka does it:
 *
 *  1. by size: while the log less its oldest segment would still not be below
 *     retention.bytes
 *  2. by age: while the oldest segment's largest timestamp is more than
 *     retention.ms in the past; where it has none, or one of before 1970, the
 *     time when its file was last written to
 *
 * in that order, and never past the visible offset.  The active segment is
 * closed first if all its records are to go.  The log start is raised, durably,
 * before a file goes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault;
struct partition;
struct properties;

struct retain_options {
	int64_t now_ms;
	int64_t retention_ms;	/* -1: for ever */
	int64_t retention_bytes;	/* -1: any */
	bool sealed_only;	/* leave the active segment alone */
	bool dry_run;
	int64_t log_start;	/* dry run: as if it began there, or later */
	/* As in compact.h; asked where the active segment has to be read. */
	int (*pace)(void *arg, size_t bytes);
	void *pace_arg;
};

/* Those of a topic. */
void retain_options_of(const struct properties *props, int64_t now_ms,
    struct retain_options *out);

struct retain_stats {
	int64_t segments;	/* removed */
	int64_t bytes;
	int64_t log_start;	/* after it */
};

/* Errors as partition_delete_before(). */
int retain_run(struct partition *p, const struct retain_options *o,
    struct retain_stats *stats, struct fault *f);
/* Delete what is before an offset, which is not behind the log end. */
int retain_before(struct partition *p, int64_t offset, bool dry_run,
    struct retain_stats *stats, struct fault *f);

#endif
