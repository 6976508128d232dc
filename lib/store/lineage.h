#ifndef STORE_LINEAGE_H
#define STORE_LINEAGE_H

/*
 * What a topic is a copy of: itself first, then the topic that it is copied
 * from, that one's, and so on.  Who copies keeps it with the copy (origin.h),
 * and nothing is copied to a topic that the source comes from: a ring would
 * have nobody who may write.
 *
 * A copy that was promoted is nobody's copy, and others may be made from it.
 * What it was a copy of is kept apart: what those have sent it need not send
 * again.
 *
 * Each stands there as an identity that stays the same as long as its directory
 * does: the topic's id (16 bytes) and, of a directory, a hash of where that is
 * on its machine; of a cluster's topic a hash of the cluster's id.  A partition
 * of a broker's, in a directory of no topic, has the id that the broker has
 * written there.
 */

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct topic;

/* LINEAGE_MAX: those that are farther away are forgotten. */
enum { LINEAGE_ID_LEN = 32, LINEAGE_MAX = 32 };

/*
 * In text: a line each, "origin.0=" and 64 lower-case hexadecimal digits; what
 * was before a promotion "origin.was.0=".
 */
#define LINEAGE_KEY "origin."

struct lineage {
	uint8_t ids[LINEAGE_MAX][LINEAGE_ID_LEN];
	int32_t count;
	int32_t past;		/* so many more: before a promotion */
};

void lineage_init(struct lineage *l);

/* Of a topic's directory. */
void lineage_id(const struct topic *t, uint8_t out[LINEAGE_ID_LEN]);
/*
 * Of a directory that holds a partition of no topic of ours, where name is that
 * of the broker's topic.
 */
void lineage_foreign_id(int dirfd, const char *name,
    uint8_t out[LINEAGE_ID_LEN]);
/* That of a topic; of one that is no copy (any more) itself, and the past. */
void lineage_of(const struct topic *t, struct lineage *out);
bool lineage_equal(const struct lineage *a, const struct lineage *b);
/*
 * May both have the same log: is one topic in both, wherever it was then?
 * Also where it is not known what they are.
 */
bool lineage_related(const struct lineage *a, const struct lineage *b);

/* Append the lines.  Errors as buf_reserve(). */
int lineage_add(const struct lineage *l, struct buf *out);
/*
 * A line, of which number stands behind the key; they come in order.
 * STATUS_SYNTAX: it is none, or not the next.
 */
int lineage_set(struct lineage *l, const char *number, const char *value);

#endif
