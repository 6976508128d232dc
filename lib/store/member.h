#ifndef STORE_MEMBER_H
#define STORE_MEMBER_H

/*
 * A member of a consumer group on a directory: which partitions it has, without
 * a coordinator.
 *
 * TOPIC/groups/GROUP.members (%XX for what is special, a hash for the end of a
 * long name) is an empty file whose bytes are open file description locks,
 * which the kernel frees when the holder dies:
 *
 *	byte 0		shared by local members, exclusive by a server, or by
 *			who moves the group's positions: a group is in use by
 *			one of them at a time
 *	byte 1 to 4096	places: each member holds one
 *	byte 65536 + N	partition N, held by the member that reads it
 *
 * The members' places, in order, are their ranks.  Of P partitions and M
 * members each has P / M, and the first P % M ranks one more: that is a
 * member's share.  Who has more gives some up, once what it read is committed;
 * who has less takes what is free.  A change is told to the others by a byte
 * written to the file, which inotify(7) reports, as it does the closing of the
 * file when a member ends or dies.
 *
 * Each partition's lock is of an open description of its own, so that a job
 * that inherits it holds that partition, and no other, until it ends.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct member;

enum { MEMBER_MAX = 4096 };

/*
 * Join the group in TOPIC/groups (dirfd, not owned), of a topic with so many
 * partitions.  The file has the directory's group and mode bits.  Waits for who
 * moves its positions, as that takes a moment.
 * EBUSY: a server has the group.  STATUS_TOO_BIG: MEMBER_MAX members.
 */
int member_join(int dirfd, const char *group, int32_t partitions,
    struct member **out);
/* Give up everything. */
void member_leave(struct member *m);

/* The topic has more partitions now. */
int member_grow(struct member *m, int32_t partitions);
/* How many partitions it should have now, and how many it has. */
int member_share(struct member *m, int32_t *share);
int32_t member_count(const struct member *m);
/*
 * To have no share for a while: everything is given up, the place as well, and
 * is the others'.  member_return() takes a place again; STATUS_TOO_BIG.
 */
void member_rest(struct member *m);
int member_return(struct member *m);
bool member_is_resting(const struct member *m);

/* Take a partition: 0; EAGAIN if another has it. */
int member_take(struct member *m, int32_t partition);
bool member_has(const struct member *m, int32_t partition);
/* Give it up; others are told.  Jobs that inherited it may hold it still. */
void member_give(struct member *m, int32_t partition);
/* The descriptor that holds the lock, for a job to inherit. */
int member_lock_of(const struct member *m, int32_t partition);
/* Is it held by nobody? */
int member_is_free(struct member *m, int32_t partition, bool *is_free);

/*
 * A server takes the group in TOPIC/groups (dirfd) for its own members, or
 * somebody to move its positions, until the descriptor is closed.  EBUSY: local
 * members, or another who has called this, have it.
 */
int member_claim(int dirfd, const char *group, int *fd);

/*
 * Are there local members of a group?  For those who list its positions.
 * dirfd -1: TOPIC/groups is not there, so there are none.  EACCES where only
 * they could tell who may write the topic, and where nobody may.
 */
int member_any(int dirfd, const char *group, bool *any);
/* Would member_claim() find it in use?  The same, for those who only ask. */
int member_is_used(int dirfd, const char *group, bool *used);

#endif
