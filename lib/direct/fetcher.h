#ifndef DIRECT_FETCHER_H
#define DIRECT_FETCHER_H

/*
 * Partitions of a cluster, read ahead: each leader is asked for all that is
 * wanted of it in one request, which waits there until there is something, and
 * asked again while what has come is given away.
 *
 * A leader that moves is followed, a broker that is lost is called again, with
 * back-off, until there has been no good answer for the time-out.
 *
 * Errors that concern all: STATUS_CLUSTER, EACCES (see chart.h), ENOMEM.  Of a
 * partition, besides: STATUS_NO_TOPIC, STATUS_REMOVED, STATUS_CORRUPT,
 * STATUS_UNSUPPORTED; and STATUS_TIMEOUT, which may pass: it has no leader.
 */

#include "direct/chart.h"
#include "direct/shelf.h"

struct fault;
struct fetcher;

enum {
	/* A request waits so long at a broker that has nothing. */
	FETCHER_WAIT_MS = 500,
	/* Bytes of an answer, but for one batch that is larger. */
	FETCHER_BYTES = 16 << 20,
	/*
	 * With so much not given away yet, nothing more is asked for but what
	 * was wanted last and is not here.
	 */
	FETCHER_HELD_BYTES = 32 << 20,
	/* Following, metadata are looked at so often. */
	FETCHER_REFRESH_MS = 5000,
	/*
	 * And a partition without a leader holds all others up no longer: it is
	 * asked for again.
	 */
	FETCHER_LEADER_MS = 1000,
};

/* chart is the caller's.  follow: ends are not the end. */
int fetcher_new(struct chart *chart, int64_t timeout_ms, bool follow,
    struct fetcher **out, struct fault *f);
void fetcher_free(struct fetcher *x);

/* Have a partition, which is not fetched before it is wanted. */
int fetcher_add(struct fetcher *x, size_t topic, int32_t partition);
/*
 * Its start and its end.  Of all partitions that were never looked at, or have
 * to be again, they are asked for together, which waits.
 */
int fetcher_bounds(struct fetcher *x, size_t topic, int32_t partition,
    int64_t *start, int64_t *end, struct fault *f);
/*
 * Somebody has come to that offset: if the end was not told to be that far yet,
 * the next fetcher_bounds() asks for it again.
 */
void fetcher_expect(struct fetcher *x, size_t topic, int32_t partition,
    int64_t offset);
/*
 * As source_ops.next(): offset -1 is its start; it ends where fetcher_bounds()
 * said.  STATUS_OFFSET: offset was deleted.
 */
int fetcher_next(struct fetcher *x, size_t topic, int32_t partition,
    int64_t offset, size_t max, struct raw_run *out, struct fault *f);
/* To be polled: POLLIN, call fetcher_turn(). */
int fetcher_fd(const struct fetcher *x);
/*
 * Take in what has come, ask for what is wanted.  Waits for nothing but a
 * connection that is to be made anew, and for metadata.  *changed: there is
 * more to be had.
 */
int fetcher_turn(struct fetcher *x, bool *changed, struct fault *f);
/* Look for new topics and partitions, if that was long ago: *looked. */
int fetcher_refresh(struct fetcher *x, bool *looked, struct fault *f);

#endif
