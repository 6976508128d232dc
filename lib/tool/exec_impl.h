#ifndef TOOL_EXEC_IMPL_H
#define TOOL_EXEC_IMPL_H

/*
 * The inside of exec.h, shared by exec.c (which event is whose turn),
 * exec_job.c (one command) and exec_dead.c (what has failed).  Nobody else
 * includes it.
 */

#include <sys/queue.h>
#include <sys/types.h>

#include "store/record.h"
#include "tool/exec.h"
#include "tool/sharing.h"

/* An event that is not done. */
struct exec_work {
	TAILQ_ENTRY(exec_work) link;
	struct record rec;	/* its bytes are in data */
	size_t size;		/* of them */
	int64_t tries;		/* that ended */
	int64_t due_ms;		/* monotonic: not before */
	pid_t pid;		/* 0: the shell does not run */
	int pidfd;
	int life;		/* hangs up when nothing of the job lives */
	int status;		/* of the shell, when orphaned */
	bool orphaned;		/* it was killed, what it started lives on */
	bool done;
	uint8_t data[];
};

/* Those of one partition, by offset. */
struct exec_lane {
	TAILQ_HEAD(, exec_work) works;
	size_t count;
	size_t bytes;
};

struct exec {
	struct sources *s;
	const struct exec_options *o;
	struct sharing sharing;
	struct exec_lane **lanes;	/* per topic, one per partition */
	int32_t *lane_counts;
	int64_t running;
	int64_t taken;		/* events read, for -c */
	int64_t done;
	int64_t event_ms;
	int64_t look_ms;	/* monotonic, last look at the topics */
	int worst;
	bool broken;		/* read nothing more */
	bool failed;		/* start nothing more */
};

enum {
	EXEC_RETRY_MS = 1000,	/* doubled up to the next */
	EXEC_RETRY_MS_MAX = 60000,
};

/* The share of a partition, of topic i. */
struct share *exec_share_of(struct exec *x, size_t i, int32_t n);
/* Of what ends the work: nothing more is started. */
void exec_fail(struct exec *x, int status);

/* Run the command for an event.  An exit status. */
void exec_start(struct exec *x, size_t i, int32_t n, struct exec_work *w);
/* Its job has failed: it is due again later, or goes to the dead letters. */
void exec_take_failure(struct exec *x, size_t i, int32_t n, struct exec_work *w,
    int status);

#endif
