#ifndef DIRECT_CONFIGS_H
#define DIRECT_CONFIGS_H

/*
 * Settings of topics: those that were set for the topic itself, as far as
 * topics here have them, too.
 */

#include <stdbool.h>
#include <stddef.h>

#include "direct/chart.h"
#include "store/properties.h"

struct fault;

struct configs {
	struct properties settings;
	bool compacted;		/* by whatever its cleanup policy comes from */
	int error;		/* of Kafka, where there are none; or 0 */
};

/*
 * Those of topics from to to - 1, into out[0] on.  An error of one topic is
 * there, and its settings are the defaults.
 */
int configs_read(struct chart *c, size_t from, size_t to, struct configs *out,
    struct fault *f);

#endif
