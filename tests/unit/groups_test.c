/*
 * Positions of groups, and their members' shares.
 */

#include "store/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/lock.h"
#include "store/member.h"
#include "store/properties.h"
#include "store/topic.h"
#include "tap.h"

static char path[300];
static struct topic topic;

static void
make_topic(int32_t partitions)
{
	struct properties props;
	static int number;

	properties_init(&props);
	snprintf(path, sizeof(path), "%s/t%d", tap_dir_path, number++);
	if (topic_create(path, &props, partitions, 0777) != 0 ||
	    topic_open(path, &topic, NULL) != 0)
		abort();
}

static struct groups *
open_groups(bool write)
{
	struct groups *g = NULL;

	if (groups_open(path, &topic, write, &g, NULL) != 0)
		abort();
	return g;
}

static int64_t
offset_of(struct groups *g, const char *group, int32_t partition)
{
	const struct groups_entry *e = groups_find(g, group, partition);

	return e == NULL ? -1 : e->offset;
}

static int
commit(struct groups *g, const char *group, int32_t partition, int64_t offset)
{
	struct groups_entry e = {.partition = partition,
	    .offset = offset,
	    .leader_epoch = -1};

	return groups_commit(g, group, &e, 1, NULL);
}

static void
test_positions(void)
{
	struct groups *g, *other;
	struct groups_entry two[2] = {
	    {.partition = 0, .offset = 10, .leader_epoch = 3, .commit_ms = 77},
	    {.partition = 2, .offset = 20, .leader_epoch = -1},
	};
	const struct groups_entry *e;

	make_topic(3);
	other = open_groups(false);
	tap(groups_dirfd(other) == -1 && groups_at(other, 0) == NULL,
	    "no groups yet");
	groups_close(other);
	g = open_groups(true);
	tap(groups_find(g, "a", 0) == NULL, "no such group");
	tap(groups_commit(g, "a", two, 2, NULL) == 0, "commit");
	tap(commit(g, "b", 0, 5) == 0 && groups_refresh(g, NULL) == 0 &&
		offset_of(g, "a", 0) == 10 && offset_of(g, "a", 2) == 20 &&
		offset_of(g, "b", 0) == 5 && offset_of(g, "b", 1) == -1,
	    "it is known");
	e = groups_find(g, "a", 0);
	tap(e != NULL && e->leader_epoch == 3 && e->commit_ms == 77,
	    "with epoch and time");
	other = open_groups(false);
	tap(offset_of(other, "a", 2) == 20, "by another, too");
	tap(commit(g, "a", 2, 30) == 0 && commit(g, "b", 0, -1) == 0 &&
		groups_refresh(other, NULL) == 0 &&
		offset_of(other, "a", 2) == 30 &&
		groups_find(other, "b", 0) == NULL,
	    "who sees what changes, and what is forgotten");
	tap((e = groups_at(other, 0)) != NULL && strcmp(e->group, "a") == 0 &&
		e->partition == 0 && groups_at(other, 1) != NULL &&
		groups_at(other, 2) == NULL,
	    "listed in order");
	tap(commit(g, "b", 0, 6) == 0 && groups_refresh(other, NULL) == 0 &&
		(e = groups_at(other, 2)) != NULL && e->offset == 6 &&
		groups_at(other, 3) == NULL,
	    "what was forgotten and is there again, too");
	groups_close(other);
	groups_close(g);
	topic_close(&topic);
}

/* Several groups as one batch; and where each one is in the list. */
static void
test_together(void)
{
	struct groups_entry two[2] = {{.partition = 0, .offset = 1},
	    {.partition = 1, .offset = 2, .metadata = bytes_of("some")}};
	struct groups *g;
	size_t bytes;

	make_topic(2);
	g = open_groups(true);
	tap_int(groups_first(g, "b"), 0, "the first of none");
	tap(groups_add(g, "b", two, 2) == 0 && groups_add(g, "d", two, 1) == 0,
	    "two groups are added");
	groups_drop(g);
	tap(groups_write(g, NULL) == 0 && groups_refresh(g, NULL) == 0 &&
		groups_at(g, 0) == NULL,
	    "and dropped");
	tap(groups_add(g, "b", two, 2) == 0 &&
		groups_add(g, "d", two, 1) == 0 && groups_write(g, NULL) == 0 &&
		groups_refresh(g, NULL) == 0 && offset_of(g, "b", 1) == 2 &&
		offset_of(g, "d", 0) == 1,
	    "and written");
	tap_int(groups_first(g, "a"), 0, "before all");
	tap_int(groups_first(g, "b"), 0, "the first");
	tap_int(groups_first(g, "c"), 2, "between two");
	tap_int(groups_first(g, "d"), 2, "the last");
	tap_int(groups_first(g, "e"), 3, "behind all");
	bytes = groups_bytes(g);
	two[1].metadata = bytes_of("some more");
	tap(groups_commit(g, "b", two, 2, NULL) == 0 &&
		groups_refresh(g, NULL) == 0 && groups_bytes(g) == bytes + 5,
	    "metadata counts");
	groups_close(g);
	topic_close(&topic);
}

/* Many commits leave a small directory. */
static void
test_small(void)
{
	struct groups *g;
	char command[400];
	bool all = true;
	FILE *f;
	int kib = -1;

	make_topic(1);
	g = open_groups(true);
	for (int i = 0; i < 300; i++) {
		struct groups_entry e[100];

		for (int k = 0; k < 100; k++)
			e[k] = (struct groups_entry){.partition = k,
			    .offset = i,
			    .leader_epoch = -1};
		all = all && groups_commit(g, "g", e, 100, NULL) == 0;
	}
	snprintf(command, sizeof(command), "du -ck %s/groups/*.log | tail -n 1",
	    path);
	f = popen(command, "r");
	if (f == NULL || fscanf(f, "%d", &kib) != 1)
		kib = -1;
	pclose(f);
	tap(all && kib >= 0 && kib < 2500, "30,000 commits are in %d KiB", kib);
	tap(groups_refresh(g, NULL) == 0 && offset_of(g, "g", 99) == 299,
	    "and the last is found");
	groups_close(g);
	topic_close(&topic);
}

static void
test_names(void)
{
	char name[GROUPS_NAME_MAX + 2];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	tap(groups_is_name("a b/c") && groups_is_name(name + 1) &&
		!groups_is_name(name) && !groups_is_name("") &&
		!groups_is_name("a\nb"),
	    "names");
}

/* Let each member take and give until nothing changes. */
static void
settle(struct member **m, int count, int32_t partitions)
{
	for (int round = 0; round < 10; round++)
		for (int i = 0; i < count; i++) {
			int32_t share = 0;

			if (m[i] == NULL)
				continue;
			if (member_share(m[i], &share) != 0)
				abort();
			for (int32_t n = 0; n < partitions; n++) {
				if (member_count(m[i]) > share)
					member_give(m[i], n);
				else if (member_count(m[i]) < share)
					(void)member_take(m[i], n);
			}
		}
}

static void
test_members(void)
{
	enum { COUNT = 5, PARTITIONS = 12 };
	struct member *m[COUNT] = {NULL};
	struct member *late;
	struct groups *g;
	int32_t sum = 0;
	bool fair = true, any, is_free;
	int fd;

	make_topic(PARTITIONS);
	g = open_groups(true);
	fd = groups_dirfd(g);
	tap(member_any(fd, "a/b", &any) == 0 && !any, "nobody");
	for (int i = 0; i < COUNT; i++)
		if (member_join(fd, "a/b", PARTITIONS, &m[i]) != 0)
			abort();
	tap(member_any(fd, "a/b", &any) == 0 && any &&
		member_any(fd, "a", &any) == 0 && !any,
	    "members of one group");
	settle(m, COUNT, PARTITIONS);
	for (int i = 0; i < COUNT; i++) {
		fair = fair && member_count(m[i]) >= PARTITIONS / COUNT &&
		    member_count(m[i]) <= PARTITIONS / COUNT + 1;
		sum += member_count(m[i]);
	}
	tap(fair && sum == PARTITIONS, "each has its share");
	for (int32_t n = 0; n < PARTITIONS; n++) {
		int owners = 0;

		for (int i = 0; i < COUNT; i++)
			owners += member_has(m[i], n);
		fair = fair && owners == 1;
	}
	tap(fair, "and each partition one reader");
	member_leave(m[0]);
	member_leave(m[3]);
	m[0] = m[3] = NULL;
	settle(m, COUNT, PARTITIONS);
	tap(member_count(m[1]) == 4 && member_count(m[2]) == 4 &&
		member_count(m[4]) == 4,
	    "two leave");
	if (member_join(fd, "a/b", PARTITIONS, &late) != 0)
		abort();
	tap(member_take(late, 0) == EAGAIN, "what another reads is not free");
	m[0] = late;
	settle(m, COUNT, PARTITIONS);
	tap(member_count(late) == 3, "one joins");
	tap(member_lock_of(m[1], 0) >= 0 || member_lock_of(m[2], 0) >= 0 ||
		member_lock_of(m[4], 0) >= 0 || member_lock_of(late, 0) >= 0,
	    "a lock to inherit");
	for (int32_t n = 0; n < PARTITIONS; n++)
		if (member_has(late, n)) {
			int copy = dup(member_lock_of(late, n));

			member_give(late, n);
			tap(member_is_free(m[1], n, &is_free) == 0 && !is_free,
			    "held as long as a job has it");
			close(copy);
			tap(member_is_free(m[1], n, &is_free) == 0 && is_free,
			    "free when it ends");
			break;
		}
	for (int i = 0; i < COUNT; i++)
		member_leave(m[i]);
	groups_close(g);
	topic_close(&topic);
}

/* More members than partitions. */
static void
test_idle(void)
{
	struct member *m[3] = {NULL};
	struct groups *g;

	make_topic(2);
	g = open_groups(true);
	for (int i = 0; i < 3; i++)
		if (member_join(groups_dirfd(g), "g", 2, &m[i]) != 0)
			abort();
	settle(m, 3, 2);
	tap(member_count(m[0]) == 1 && member_count(m[1]) == 1 &&
		member_count(m[2]) == 0,
	    "one is idle");
	member_leave(m[0]);
	m[0] = NULL;
	settle(m, 3, 2);
	tap(member_count(m[1]) == 1 && member_count(m[2]) == 1,
	    "until it is needed");
	member_rest(m[1]);
	settle(m + 1, 2, 2);
	tap(member_is_resting(m[1]) && member_count(m[1]) == 0 &&
		member_count(m[2]) == 2,
	    "one rests");
	tap(member_return(m[1]) == 0 && !member_is_resting(m[1]), "returns");
	settle(m + 1, 2, 2);
	tap(member_count(m[1]) == 1 && member_count(m[2]) == 1,
	    "and has its share");
	member_leave(m[1]);
	member_leave(m[2]);
	groups_close(g);
	topic_close(&topic);
}

/* Whoever moves positions is done with it soon. */
static void *
let_go(void *arg)
{
	const struct timespec pause = {.tv_nsec = 50000000};

	(void)nanosleep(&pause, NULL);
	close(*(int *)arg);
	return NULL;
}

/* One side at a time. */
static void
test_claims(void)
{
	struct member *m = NULL;
	struct groups *g;
	pthread_t thread;
	bool used, any;
	int fd, other, dirfd;

	make_topic(1);
	g = open_groups(true);
	dirfd = groups_dirfd(g);
	tap(member_is_used(dirfd, "g", &used) == 0 && !used, "free");
	tap(member_claim(dirfd, "g", &fd) == 0 &&
		member_is_used(dirfd, "g", &used) == 0 && used &&
		member_any(dirfd, "g", &any) == 0 && !any,
	    "claimed, and no member");
	tap(member_claim(dirfd, "g", &other) == EBUSY, "by one");
	tap(member_join(dirfd, "g", 1, &m) == EBUSY, "who keeps it");
	if (pthread_create(&thread, NULL, let_go, &fd) != 0)
		abort();
	tap(member_join(dirfd, "g", 1, &m) == 0, "or has it for a moment");
	pthread_join(thread, NULL);
	tap(member_claim(dirfd, "g", &other) == EBUSY &&
		member_is_used(dirfd, "g", &used) == 0 && used,
	    "a member has it");
	member_leave(m);
	tap(member_is_used(dirfd, "g", &used) == 0 && !used, "free again");
	groups_close(g);
	topic_close(&topic);
}

/* Who only commits knows nothing, and waits for as long as it wants to. */
static void
test_writer(void)
{
	struct groups_entry e = {.offset = 5, .leader_epoch = -1};
	struct groups *w = NULL, *g;
	struct lock l;
	struct fault f;

	make_topic(1);
	if (groups_open_writer(path, &topic, &w, &f) != 0)
		abort();
	tap_int(groups_commit(w, "a", &e, 1, &f), 0, "commit alone");
	tap(groups_find(w, "a", 0) == NULL && groups_bytes(w) == 0,
	    "nothing is known here");
	g = open_groups(false);
	tap_int(offset_of(g, "a", 0), 5, "but elsewhere");
	lock_init(&l);
	if (lock_open(&l, groups_dirfd(w), 0600, getegid()) != 0 ||
	    lock_log(&l) != 0)
		abort();
	groups_wait_until(w, now_mono_ms() + 20);
	e.offset = 6;
	tap_int(groups_commit(w, "a", &e, 1, &f), EAGAIN, "not for ever");
	lock_unlock_log(&l);
	if (lock_sync(&l) != 0)
		abort();
	groups_wait_until(w, now_mono_ms() + 20);
	e.offset = 7;
	tap_int(groups_commit(w, "a", &e, 1, &f), EAGAIN,
	    "nor until it can be synced");
	tap(groups_refresh(g, &f) == 0 && offset_of(g, "a", 0) == 5,
	    "what is not synced is not seen");
	lock_close(&l);
	tap_int(groups_commit(w, "b", &e, 1, &f), 0, "the next one");
	tap(groups_refresh(g, &f) == 0 && offset_of(g, "a", 0) == 7 &&
		offset_of(g, "b", 0) == 7,
	    "is synced with it");
	groups_close(w);
	groups_close(g);
	topic_close(&topic);
}

/* The directory alone. */
static void
test_directory(void)
{
	int fd = -1;

	make_topic(1);
	tap_int(groups_open_dir(path, false, &fd), ENOENT, "there is none");
	tap(groups_open_dir(path, true, &fd) == 0 && fd >= 0, "it is made");
	io_close(&fd);
	tap_int(groups_open_dir(path, false, &fd), 0, "it is there");
	io_close(&fd);
	topic_close(&topic);
}

int
main(void)
{
	tap_dir();
	test_names();
	test_positions();
	test_writer();
	test_directory();
	test_together();
	test_small();
	test_members();
	test_idle();
	test_claims();
	return tap_done();
}
