#ifndef TOOL_SOURCES_H
#define TOOL_SOURCES_H

/*
 * From options and operands to a stream: which partitions, from where to
 * where; and, while following, those that come and go.
 *
 * Tells what is wrong, and returns an exit status.
 */

#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/parse.h"
#include "client/remote.h"
#include "store/stream.h"
#include "store/topic.h"
#include "store/watch.h"
#include "tool/cursor.h"
#include "tool/reading.h"

struct sources {
	struct reading *r;		/* not owned, as the paths */
	char **paths;			/* the operands */
	size_t count;
	struct topic_place *places;	/* one per operand */
	/*
	 * One per operand: its topic if that is in a cluster and is being
	 * read, else NULL.  Its place has only name, kind, first and count.
	 */
	struct remote_topic **remotes;
	struct partition_list partitions;
	struct range range;
	struct stream_filter filter;
	regex_t regex;			/* if filter.grep is set */
	regex_t key_regex;		/* if filter.key_grep is */
	struct cursor cursor;
	struct stream *stream;
	struct watch *watch;		/* NULL: not following */
	bool gave_up;			/* no topic came: nothing is open */
};

/* Set by a signal: what waits gives up. */
extern volatile sig_atomic_t sources_stop;

/*
 * Check what was said and take in times, ranges and the cursor file; usage
 * errors exit with 2.
 */
void sources_init(struct sources *s, struct reading *r, int operands,
    char **operand);
void sources_release(struct sources *s);
/*
 * Open all that was named; waits for a missing topic with --retry, until
 * --idle has passed or a signal comes: gave_up, and CLI_DONE.
 */
int sources_open(struct sources *s);
/* Close the stream and the places; sources_open() may follow. */
void sources_close(struct sources *s);
/* Has the operand's topic been removed, or replaced by another? */
bool sources_is_removed(const struct sources *s, size_t i);
/* The id of the topic that goes by this name pointer; "" if it has none. */
const char *sources_topic_id(const struct sources *s, const char *topic);
/*
 * A stream of one partition of operand i alone, from stored on if that is not
 * negative, else as the options say.
 */
int sources_open_partition(struct sources *s, size_t i, int32_t number,
    int64_t stored, struct stream **out);
/* Where such a stream would end, if it has an end. */
int sources_find_end(struct sources *s, size_t i, int32_t number,
    int64_t stored, int64_t *end);
/*
 * Tell what stopped one of their streams.  True: it was got over (records that
 * were deleted meanwhile; damage, with --skip-corrupt), and can be read on.
 * The exit status gets worse by it.
 */
bool sources_get_over(const struct sources *s, struct stream *stream, int rc,
    const struct fault *f, int *status);
/*
 * The same of a partition that a member of a cluster's group has, whose records
 * queue gives; queue is the stream's.
 */
int sources_open_member(struct sources *s, size_t i, int32_t number,
    int64_t stored, struct cluster *c, rd_kafka_queue_t *queue,
    struct stream **out);
/* What a cluster is opened with. */
void sources_cluster_options(struct sources *s, struct cluster_options *out);
/* Find out what the operands are, and open no partition. */
int sources_locate(struct sources *s);
/* Partitions added to followed topics are read from their beginning. */
int sources_take_new(struct sources *s);

#endif
