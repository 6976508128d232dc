#ifndef DIRECT_FETCHER_IMPL_H
#define DIRECT_FETCHER_IMPL_H

/*
 * The inside of struct fetcher, shared by fetcher.c (what others ask, and
 * turns), fetcher_ask.c (requests), fetcher_answer.c (what they bring) and
 * fetcher_lost.c (what goes wrong, and is looked for again).  Nobody else
 * includes it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "direct/chart.h"
#include "direct/fetcher.h"
#include "direct/shelf.h"
#include "direct/talk.h"

enum {
	FETCHER_WHY_LEN = 400,
	/* With no ids of topics. */
	FETCHER_NAMES_MAX = 12,
};

/* One leader. */
struct fetcher_line {
	int32_t node;
	struct talk *talk;	/* NULL: not open */
	struct shelf_part **asked; /* by the request that is on its way */
	size_t asked_count;
	size_t asked_cap;
	bool busy;
	int64_t sent_ms;
	int64_t next_ms;	/* nothing is sent before */
	int tries;		/* that failed in a row */
	size_t turn;		/* where in the shelf a request begins */
};

struct fetcher {
	struct chart *chart;
	int64_t timeout_ms;
	bool follow;
	struct shelf shelf;
	struct shelf_part *hungry; /* what was wanted last and is not here */
	struct fetcher_line *lines;
	size_t line_count;
	int epoll_fd;
	int timer_fd;
	bool stale;		/* the metadata are not what they say */
	bool mute;		/* nobody answered when they were asked for */
	int64_t refresh_ms;	/* when to look at them */
	int64_t refreshed_ms;
	int tries;
	char why[FETCHER_WHY_LEN];	/* the last that went wrong */
	char subject[FETCHER_WHY_LEN];
};

/* Wait for fd, or no longer (EPOLL_CTL_ADD, EPOLL_CTL_DEL). */
int fetcher_watch(struct fetcher *x, int fd, int op);

/*
 * One request to each leader of whom anything is due.  Errors are those that
 * concern all; a broker that is not to be had is lost, and called again.
 */
int fetcher_ask(struct fetcher *x, struct fault *f);
/* What was asked is answered, or will not be. */
void fetcher_end_request(struct fetcher *x, struct fetcher_line *l);

/* All that has come.  *changed is set then. */
int fetcher_receive(struct fetcher *x, bool *changed, struct fault *f);
/*
 * The log was cut below what was read of it, or another history stands there:
 * what was copied has to be compared anew.
 */
int fetcher_fail_cut(const struct fetcher *x, const struct shelf_part *p,
    int64_t end, struct fault *f);

/* The leader of a partition is to be looked for. */
void fetcher_lose_part(struct fetcher *x, struct shelf_part *p);
/* The way to a broker is lost. */
void fetcher_lose_line(struct fetcher *x, struct fetcher_line *l,
    const struct fault *f);
/* At the metadata, if they are stale, and it is time to. */
int fetcher_look_again(struct fetcher *x, struct fault *f);
/*
 * Partitions that nobody leads are looked for again; what is lost for too long
 * is given up.
 */
int fetcher_check_lost(struct fetcher *x, struct fault *f);

#endif
