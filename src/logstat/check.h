#ifndef LOGSTAT_CHECK_H
#define LOGSTAT_CHECK_H

/*
 * logstat --check: one verdict on all that was looked at, as monitoring plugins
 * give it: a line on stdout with figures behind a |, a line for each further
 * problem, and an exit status.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "store/count.h"

/* The exit status; what is later here is worse. */
enum check_status {
	CHECK_OK = 0,
	CHECK_WARNING = 1,
	CHECK_UNKNOWN = 3,
	CHECK_CRITICAL = 2,
};

/* How long a source may be silent, if nobody says it, for a lag to be known. */
enum { CHECK_SILENCE_MS = 5 * 60 * 1000 };

/* Each of them below 0: any is fine. */
struct check_limits {
	int64_t age_ms;		/* of a topic's newest event */
	int64_t lag;		/* of a group, of a copy */
	int64_t silence_ms;	/* of a copy's source; else age_ms is for it */
};

void check_init(const struct check_limits *limits);
/* What follows is of this topic. */
void check_topic(const char *path);
/* A partition of it. */
void check_partition(const char *path, const struct count *c,
    const struct count_health *h);
/* The group that is furthest behind in the topic: which and where. */
void check_lag(const char *where, int64_t lag);
/*
 * The copy that is furthest behind its source, which was heard of at seen_ms
 * (-1 never).
 */
void check_copy(const char *where, int64_t lag, int64_t seen_ms);
/* The group that was asked for is in none of them. */
void check_no_group(const char *group);
/* Something could not be looked at: STATUS_CORRUPT is critical. */
void check_error(const char *path, int rc, const struct fault *f);
/* Print the verdict; the exit status. */
int check_end(void);

#endif
