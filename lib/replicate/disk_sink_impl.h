#ifndef REPLICATE_DISK_SINK_IMPL_H
#define REPLICATE_DISK_SINK_IMPL_H

/*
 * The inside of a directory as a sink.  disk_sink_topics.c looks at topics, and
 * makes them; disk_sink.c has their partitions, and its life;
 * disk_sink_groups.c commits positions.  Nobody else includes it.
 */

#include "replicate/disk_sink.h"
#include "replicate/opened.h"
#include "store/lineage.h"
#include "store/origin.h"
#include "store/properties.h"
#include "store/replica.h"

struct disk_topic {
	char *path;		/* owned */
	bool missing;		/* in a dry run */
	int32_t count;
	int64_t *ends;		/* of each partition, as we left it; owned */
	bool is_foreign;	/* the source is another topic than it was, */
	struct lineage lineage;	/* and what it is now */
	/*
	 * It was when it was told, and there are records of what it was: the
	 * topic stays as it is, and what is empty in it, too.
	 */
	bool is_held;
	struct properties settings;
	struct origin origin;
};

struct disk_sink {
	struct sink sink;
	struct disk_sink_options o;
	char *path;
	struct disk_topic *topics;
	size_t count;
	bool is_made;		/* a root: it was seen to */
	bool missing;		/* in a dry run */
	struct opened opened;
};

static inline struct disk_sink *
disk_sink_self(struct sink *s)
{
	return (struct disk_sink *)s;
}

/* Say where an error of a topic, or of a partition (-1: none), was. */
int disk_sink_locate(struct disk_sink *d, size_t topic, int32_t partition,
    int rc, struct fault *f);

/* A partition, opened if it is not. */
int disk_sink_find(struct sink *s, size_t topic, int32_t partition,
    struct partition **out, struct fault *f);
/* May it be copied to?  STATUS_ROLE. */
int disk_sink_check_stand(struct partition *p, enum replica_stand *stand,
    struct fault *f);
int disk_sink_check_role(struct partition *p, struct fault *f);

/* Is it of another topic than the source is, by what is known? */
bool disk_sink_is_foreign(const struct disk_topic *t, int32_t partition);
/*
 * The topic comes from what is its source now, and this partition does: it has
 * the same records (-1: none has been found to).  Of the others that is not
 * known; that is kept with the topic.
 */
int disk_sink_accept(struct disk_sink *d, size_t topic, int32_t partition,
    struct fault *f);

/* Keep what is known of where it comes from; and an error of that file. */
int disk_sink_write_origin(const struct disk_topic *t);
int disk_sink_origin_fault(const struct disk_topic *t, int rc, struct fault *f);

/*
 * A partition is cut: groups that had come further go on at its new end, so
 * that they do not pass over what comes there instead.  told: as of cut().
 */
int disk_sink_pull_groups(struct disk_sink *d, size_t topic, int32_t partition,
    int64_t end, struct buf *told, struct fault *f);

/* See struct sink_ops. */
int disk_sink_topic(struct sink *s, size_t topic, const struct sink_topic *from,
    struct fault *f);
int disk_sink_keep_ends(struct sink *s, size_t topic, const struct sink_ends *e,
    struct fault *f);
int disk_sink_commit(struct sink *s, size_t topic,
    const struct sink_position *positions, size_t count, struct fault *f);

#endif
