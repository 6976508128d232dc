#ifndef REPLICATE_DISK_SOURCE_IMPL_H
#define REPLICATE_DISK_SOURCE_IMPL_H

/*
 * The inside of a directory as a source.  disk_source_topics.c looks at topics,
 * and at what changes; disk_source_parts.c reads partitions; disk_source.c has
 * groups, and its life.  Nobody else includes it.
 */

#include <limits.h>

#include "replicate/disk_source.h"
#include "replicate/opened.h"
#include "replicate/source.h"
#include "store/properties.h"
#include "store/topic.h"

enum { PART_PATH_LEN = PATH_MAX + 16 };

struct changes;
struct groups;

struct disk_topic {
	char *path;		/* owned */
	const char *name;	/* last part of path in a root, or "" */
	enum topic_place_kind kind;
	int32_t first;		/* partitions first to count - 1 are here */
	int32_t count;
	struct properties settings;
	uint8_t identity[FRAME_IDENTITY_LEN];
	struct lineage lineage;
	bool is_told;
	uint8_t told[FRAME_IDENTITY_LEN]; /* what it was then */
	struct groups *groups;	/* NULL until asked for */
	bool stale;		/* to be looked at by the next refresh */
};

struct disk_source {
	struct source source;
	const struct disk_source_options *o;
	char *path;
	bool is_root;
	struct disk_topic *topics;
	size_t count;
	size_t cap;
	struct opened opened;
	struct changes *changes; /* NULL: not to be followed */
	bool stale;		/* so is the root */
	/* What was missed is found in turn: topics left for this second. */
	int64_t swept_ms;
	size_t sweep_left;
	size_t sweep_topic;
	int32_t sweep_part;
};

static inline struct disk_source *
disk_source_self(struct source *s)
{
	return (struct disk_source *)s;
}

/* disk_source_topics.c: what is there now, into t. */
int disk_source_look(struct disk_topic *t, struct fault *f);
/* One more topic; its name counts in a root. */
int disk_source_add_topic(struct disk_source *d, const char *path, bool named,
    struct fault *f);
/* It is no topic: a directory of topics, if perhaps of none yet. */
int disk_source_open_root(struct disk_source *d, struct fault *f);
/* Have changes of a topic, its groups and its partitions told. */
void disk_source_watch_topic(struct disk_source *d, size_t topic);

/* disk_source_parts.c: for struct opened. */
int disk_source_open_part(void *arg, struct opened_part *part, struct fault *f);
/* Of a root that is followed: is a topic removed, or just being so? */
bool disk_source_is_gone(const struct disk_source *d, int rc);

/* See struct source_ops. */
int disk_source_refresh(struct source *s, size_t *count, struct fault *f);
int disk_source_topic(struct source *s, size_t topic, struct source_topic *out,
    struct fault *f);
int disk_source_wait_fd(struct source *s);
int disk_source_turn(struct source *s, bool *changed, struct fault *f);
bool disk_source_changed(struct source *s, struct source_changed *out);
int disk_source_bounds(struct source *s, size_t topic, int32_t partition,
    int64_t *start, int64_t *end, struct fault *f);
int disk_source_next(struct source *s, size_t topic, int32_t partition,
    int64_t offset, size_t max, struct raw_run *out, struct fault *f);
int disk_source_batch_at(struct source *s, size_t topic, int32_t partition,
    int64_t offset, struct frame_batch *out, bool *cleaned, struct fault *f);
int disk_source_is_kept(struct source *s, size_t topic, int32_t partition,
    const struct frame_batch *was, bool *kept, struct fault *f);
int disk_source_find(struct source *s, size_t topic, int32_t partition,
    const struct position *pos, int64_t *offset, struct fault *f);

#endif
