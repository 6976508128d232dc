#ifndef LOGSTAT_COPIES_H
#define LOGSTAT_COPIES_H

/*
 * How far copies (logreplicate) are behind their sources, as far as was known
 * when those were heard of last: rows of a listing, or parts of a verdict.
 */

#include <stdint.h>

#include "base/parse.h"
#include "store/topic.h"
#include "tool/listing.h"

struct fault;

extern const struct listing_column copies_columns[];

struct copies_worst {
	int64_t lag;		/* the greatest; -1: no copy at all */
	int64_t seen_ms;	/* when the source was heard of; -1: never */
	char where[512];	/* "copy TOPIC/N" */
};

/*
 * Add a row (l not NULL) for each partition of a topic that is a copy, among
 * those wanted.  Errors as partition_open() and partition_offsets().
 */
int copies_add(struct listing *l, const char *path,
    const struct topic_place *place, const struct partition_list *wanted,
    struct copies_worst *worst, struct fault *f);

#endif
