#ifndef TOOL_SHARING_H
#define TOOL_SHARING_H

/*
 * Reading as a member of a consumer group (-g): which partitions are ours now,
 * a stream for each, and how far the group has come, noted in the topic.
 *
 *	sharing_open
 *	again and again: sharing_balance; read from each share's stream;
 *	sharing_note when what was read is safe; sharing_commit
 *	sharing_close
 *
 * Tells what is wrong, and returns an exit status like the rest of tool/.
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/remote_group.h"
#include "store/groups.h"
#include "store/member.h"
#include "store/stream.h"
#include "tool/sources.h"

/* One partition; ours while stream is not NULL. */
struct share {
	struct stream *stream;
	int64_t next;		/* safe up to here, as noted */
	int64_t committed;	/* as committed */
	int64_t end;		/* not ours: of what is done; -1: not known */
	bool over;		/* read to its end, where there is one */
	bool done;		/* the others have come to that end */
	bool busy;		/* jobs are at work: it is not given up now */
	bool draining;		/* but when they have ended */
};

struct sharing_topic {
	struct groups *groups;	/* NULL in a cluster */
	struct member *member;	/* NULL in a cluster */
	struct share *shares;	/* one per partition */
	int32_t count;
	int64_t return_ms;	/* monotonic, back from resting */
	bool removed;		/* it is not there any more: told */
	bool failed;		/* to commit: told */
	int64_t going_ms;	/* monotonic: commits fail since; 0: no */
};

/*
 * The close of a dead member's file is told a moment before its locks are
 * free: so many looks follow such a change, a millisecond apart.
 */
enum { SHARING_QUICK_LOOKS = 10 };

struct sharing {
	struct sources *s;	/* not owned; its places are open */
	const char *group;
	struct sharing_topic *topics;	/* one per operand */
	size_t count;
	int64_t commit_ms;	/* monotonic, last commit */
	int quick;		/* looks that are left of those */
	struct watch *watch;	/* of other members' work; NULL: none, or -f */
	struct remote_group *remote;	/* NULL: directories */
	bool removed;		/* a topic is not there any more: told */
	int status;		/* of what happened within its calls */
	bool anew;		/* the group begins in what a cluster gave */
	bool idle;		/* the caller had nothing to do last time */
};

/* Join the group in each topic; s->places are located.  */
int sharing_open(struct sources *s, const char *group, struct sharing *out);
/* Commits what was noted, and leaves. */
int sharing_close(struct sharing *sh);

/*
 * Give up what is too much, take what is free and due to us.  Where reading has
 * an end, who has come to it in all that is ours has no share while the others
 * still have work, so that they can do what comes in; and takes over from those
 * who die.
 */
int sharing_balance(struct sharing *sh);
/* The stream has given what is safe now: its position is the group's. */
void sharing_note(struct share *share);
/* Commit what was noted, at most once a second unless now. */
int sharing_commit(struct sharing *sh, bool now);
/*
 * The same after a round; idle: nothing was left to do in it, and others may
 * wait for that.
 */
int sharing_commit_round(struct sharing *sh, bool idle);
/* Has the group come to the end, wherever there is one? */
bool sharing_is_over(struct sharing *sh);
/* What tells of changes; NULL: there is nothing to wait for. */
struct watch *sharing_watch(const struct sharing *sh);
/* How long to wait for a change, given how long one would. */
int64_t sharing_wait_ms(struct sharing *sh, int64_t wait_ms);
/* After waiting: a member may have died. */
void sharing_look(struct sharing *sh);
/*
 * Has a topic been removed, or replaced?  It is told, once: what is read from
 * it cannot be noted any more.  --retry: sharing_close(), and once more.
 */
bool sharing_is_removed(struct sharing *sh);

#endif
