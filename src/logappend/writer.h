#ifndef LOGAPPEND_WRITER_H
#define LOGAPPEND_WRITER_H

/*
 * The writing half of logappend: records in, batches into partitions, and
 * what is to be told once they are durable.
 *
 * Records given are collected in a batch per partition; writer_flush()
 * appends what is collected, writer_sync() makes it durable and then lets go
 * of reports and copied input.  Nothing here exits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "client/cluster.h"
#include "store/codec.h"
#include "store/partitioner.h"
#include "store/record.h"
#include "store/topic.h"

enum writer_fsync {
	WRITER_FSYNC_BATCH,	/* at a pause, once a second, at the end */
	WRITER_FSYNC_ALWAYS,	/* after each batch */
	WRITER_FSYNC_NONE,
	WRITER_FSYNC_INTERVAL,	/* fsync_ms apart */
};

struct writer_options {
	enum codec codec;
	int level;
	size_t batch_bytes;
	enum writer_fsync fsync;
	int64_t fsync_ms;
	enum partitioner_kind partitioner;
	int32_t partition;		/* -1: by key */
	int64_t expect;			/* -1: none */
	bool report;			/* a line per record to stdout */
	bool tee;			/* input bytes to stdout */
	const struct place *remote;	/* in a cluster; NULL: a directory */
	const struct cluster_options *cluster;	/* for that */
	const char *acks;		/* there: "all", "1" or "0" */
};

struct writer;

/* path is the topic's, t stays the caller's; one is of TOPIC/N (-1: none). */
int writer_open(const char *path, const struct topic *t,
    const struct writer_options *o, struct writer **out, struct fault *f);
void writer_close(struct writer *w);

/*
 * Take a record; partition -1 means by key.  STATUS_TOO_BIG: it is over the
 * limit, and not taken.  Other errors: of an append that was due; the record
 * may not have been taken.
 */
int writer_add(struct writer *w, const struct record *rec, int32_t partition,
    struct fault *f);
/* Take a whole encoded batch, changed in place, to one partition. */
int writer_add_batch(struct writer *w, uint8_t *data, size_t len,
    int32_t partition, struct fault *f);
/* Batches cannot be taken as they are: it is a cluster's. */
bool writer_is_remote(const struct writer *w);
/* Input bytes to be copied to stdout with the records taken so far. */
int writer_tee(struct writer *w, const uint8_t *data, size_t len,
    struct fault *f);
/* Append what was taken; if that is nothing, still check expect. */
int writer_flush(struct writer *w, struct fault *f);
/*
 * Append it and, unless fsync is none, make it durable; then report.  An error
 * of stdout comes back once, with that as the fault's file.
 */
int writer_sync(struct writer *w, struct fault *f);
/* The same if the time for it has come. */
int writer_sync_if_due(struct writer *w, struct fault *f);
/* How long until then. */
int64_t writer_due_ms(const struct writer *w);
/* Is anything taken and not yet synced? */
bool writer_is_pending(const struct writer *w);
/* Warn of tails that recovery had to cut off. */
void writer_warn_cuts(struct writer *w);

#endif
