#ifndef STORE_LINEAGE_H
#define STORE_LINEAGE_H

/*
 * What a topic is a copy of: itself first, then the topic that it is copied
 * from, that one's, and so on.  Who copies keeps it with the copy (origin.h),
 * and nothing is copied to a topic that the source comes from: a ring would
 * have nobody who may write.
 *
 * Each stands there as an identity that stays the same as long as its directory
 * does: the topic's id (16 bytes) and, of a directory, a hash of where that is
 * on its machine; of a cluster's topic a hash of the cluster's id.
 */

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct topic;

/* LINEAGE_MAX: those that are farther away are forgotten. */
enum { LINEAGE_ID_LEN = 32, LINEAGE_MAX = 32 };

/* In text: a line each, "origin.0=" and 64 lower-case hexadecimal digits. */
#define LINEAGE_KEY "origin."

struct lineage {
	uint8_t ids[LINEAGE_MAX][LINEAGE_ID_LEN];
	int32_t count;
};

/* Of a topic's directory. */
void lineage_id(const struct topic *t, uint8_t out[LINEAGE_ID_LEN]);
/* That of a topic; of one that is no copy (any more) only itself. */
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
