#ifndef SINKS_H
#define SINKS_H

/*
 * A sink of replicate/sink.h that takes anything and keeps nothing.
 */

#include "replicate/sink.h"
#include "tap.h"

static int64_t sinks_end;	/* where each partition ends at first */

static inline int
sinks_topic(struct sink *s, size_t topic, const struct sink_topic *t,
    struct fault *f)
{
	(void)s;
	(void)topic;
	(void)t;
	(void)f;
	return 0;
}

static inline int
sinks_state(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct sink_state *out, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)offset;
	(void)f;
	*out =
	    (struct sink_state){.end = sinks_end, .batch = {.base_offset = -1}};
	return 0;
}

#endif
