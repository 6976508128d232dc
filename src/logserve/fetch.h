#ifndef LOGSERVE_FETCH_H
#define LOGSERVE_FETCH_H

/*
 * A fetch at work: on_fetch.c takes it in, waits and answers, fetch_look.c
 * looks at the partitions.
 */

#include <stdbool.h>
#include <stdint.h>

#include "broker/fetch_sessions.h"
#include "config.h"
#include "kafka/messages.h"
#include "request.h"
#include "waiting.h"

struct served;

struct fetch {
	struct request *request;
	struct fetch_context context;	/* of its session */
	struct fetch_part *parts;
	int32_t part_count;
	int32_t part_cap;
	bool failed;		/* no memory for all parts */
	struct waiter waiter;
	size_t waits;		/* entries of waiter.on in use */
	int64_t deadline_ms;
	int64_t budget;		/* bytes that may still be sent */
	int64_t bytes;		/* found in this look */
	int32_t files;		/* of these are in files, which are open */
	uint8_t *copies[CONFIG_FETCH_COPIES];	/* the others; NULL: not yet */
	int32_t copies_full;
	int64_t copied;				/* in the next one */
};

struct fetch_part {
	struct fetch_partition in;
	void *handle;		/* of the session */
	struct fetch_response_responses_partitions out;
	bool told;		/* it is in the answer */
	struct served *topic;	/* a reference, NULL: none */
	int topic_code;
};

/* Look at all partitions: what there is to send is in parts then. */
void fetch_look(struct fetch *f);
/*
 * The same without any wait for a device or for who waits for one, so on a
 * loop: of a few partitions that are read on where they were read before.
 */
enum fetch_now {
	FETCH_ENOUGH,	/* it is to be answered */
	FETCH_NOTHING,	/* there is nothing yet: wait, and look again */
	FETCH_ASIDE,	/* nothing is kept: look in the ordinary way */
};
enum fetch_now fetch_look_now(struct fetch *f);
/* More partitions than that are not looked at on a loop. */
enum { FETCH_NOW_PARTS = 16 };

/* Of one topic, and of the way that it is named? */
bool fetch_is_same_topic(const struct fetch_key *a, const struct fetch_key *b);
/* Is it to be answered now? */
bool fetch_is_enough(const struct fetch *f);
/* What was found is not sent. */
void fetch_drop(struct fetch *f);
/* The topics are not needed any more. */
void fetch_release(struct fetch *f);

#endif
