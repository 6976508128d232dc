#ifndef REPLICATE_DISK_SOURCE_H
#define REPLICATE_DISK_SOURCE_H

/*
 * A source that is a directory: a topic, one partition of one, a Kafka broker's
 * partition, or a root of topics.
 */

#include <stdbool.h>

#include "base/parse.h"
#include "replicate/source.h"

struct fault;

/* Patterns of fnmatch(3) that choose topics of a root. */
struct disk_patterns {
	const char **items;	/* each with a + (include) or - before it */
	size_t count;
};
/* The first pattern that fits decides; none does: taken, unless some are +. */
bool disk_source_takes(const struct disk_patterns *p, const char *name);

struct disk_source_options {
	const struct partition_list *partitions; /* of each topic; NULL all */
	struct disk_patterns patterns;
	bool follow;		/* wait_fd() will be asked */
	/* Topics outside of it are left out (under.h); NULL: none is. */
	const char *under;
};

/*
 * Errors of topic_locate().  A directory in which there is no topic is a root
 * that has none yet if it is empty (root.h), or if the patterns choose none of
 * those that it has; else it is STATUS_NOT_TOPIC.  What o points to must stay.
 */
int disk_source_open(const char *path, const struct disk_source_options *o,
    struct source **out, struct fault *f);
/* Have its topics names? */
bool disk_source_is_root(const struct source *s);

/* Which topic's directory this is, on whatever machine. */
void disk_source_identity(int dirfd, uint8_t out[FRAME_IDENTITY_LEN]);

#endif
