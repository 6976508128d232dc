#include "store/member.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/now.h"
#include "base/siphash.h"
#include "base/status.h"
#include "store/access.h"

enum {
	BYTE_SIDE = 0,
	BYTE_PLACE = 1,
	BYTE_PARTITION = 65536,
	FILE_NAME_MAX = 256,
	FILE_PREFIX_MAX = 150,	/* of a name that is too long */
	MOVING_MS = 1000,	/* that who moves positions may take */
	MOVING_LOOK_MS = 5,
};

struct member {
	char name[FILE_NAME_MAX];
	int dirfd;		/* not owned */
	int fd;			/* the side and the place */
	int32_t place;		/* -1: resting */
	int32_t partitions;
	int32_t count;		/* that we have */
	int *locks;		/* one for each partition, -1: not ours */
};

/* Instead of the end of a name that is too long: no other begins so. */
static void
shorten(const char *group, char out[FILE_NAME_MAX])
{
	static const uint64_t key[2];
	struct siphash hash = siphash_128(key, group, strlen(group));

	snprintf(out + FILE_PREFIX_MAX, FILE_NAME_MAX - FILE_PREFIX_MAX,
	    "%%%%%016" PRIx64 "%016" PRIx64 ".members", hash.high, hash.low);
}

/* The group's name as a file's: %XX for what is special or not ASCII. */
static void
file_name(const char *group, char out[FILE_NAME_MAX])
{
	static const char hex[] = "0123456789abcdef";
	static const char end[] = ".members";
	const char *name = group;
	size_t len = 0;

	for (; *group != '\0'; group++) {
		unsigned char c = (unsigned char)*group;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-' ||
		    (c == '.' && len > 0);

		if (len + 3 + sizeof(end) > FILE_NAME_MAX) {
			shorten(name, out);
			return;
		}
		if (plain) {
			out[len++] = (char)c;
			continue;
		}
		out[len++] = '%';
		out[len++] = hex[c >> 4];
		out[len++] = hex[c & 15];
	}
	memcpy(out + len, end, sizeof(end));
}

static int
open_file(int dirfd, const char *name, int *fd)
{
	struct stat st;
	int rc = io_open(dirfd, name, O_RDWR, 0, fd);

	if (rc != ENOENT)
		return rc;
	if (fstat(dirfd, &st) != 0)
		return errno;
	return io_open_made(dirfd, name, 0, access_lock_mode(st.st_mode),
	    st.st_gid, fd);
}

/* Tell the others that something is different. */
static void
poke(struct member *m)
{
	(void)io_pwrite_full(m->fd, "", 1, 0);
}

/* A server keeps it; who moves positions has it for a moment. */
static int
take_side(struct member *m)
{
	const struct timespec pause = {.tv_nsec = MOVING_LOOK_MS * 1000000};
	int64_t end = now_mono_ms() + MOVING_MS;
	int rc;

	while (
	    (rc = io_lock(m->fd, BYTE_SIDE, IO_LOCK_SHARED, false)) == EAGAIN &&
	    now_mono_ms() < end)
		(void)nanosleep(&pause, NULL);
	return rc == EAGAIN ? EBUSY : rc;
}

static int
take_place(struct member *m)
{
	int rc = EAGAIN;

	for (int32_t i = 0; rc == EAGAIN && i < MEMBER_MAX; i++) {
		rc = io_lock(m->fd, BYTE_PLACE + i, IO_LOCK_EXCLUSIVE, false);
		if (rc == 0)
			m->place = i;
	}
	return rc == EAGAIN ? STATUS_TOO_BIG : rc;
}

int
member_join(int dirfd, const char *group, int32_t partitions,
    struct member **out)
{
	struct member *m = calloc(1, sizeof(*m));
	int rc;

	if (m == NULL)
		return ENOMEM;
	m->dirfd = dirfd;
	m->fd = m->place = -1;
	file_name(group, m->name);
	rc = open_file(dirfd, m->name, &m->fd);
	if (rc == 0)
		rc = take_side(m);
	if (rc == 0)
		rc = take_place(m);
	if (rc == 0)
		rc = member_grow(m, partitions);
	if (rc != 0) {
		member_leave(m);
		return rc;
	}
	poke(m);
	*out = m;
	return 0;
}

int
member_claim(int dirfd, const char *group, int *fd)
{
	char name[FILE_NAME_MAX];
	int rc;

	*fd = -1;
	file_name(group, name);
	rc = open_file(dirfd, name, fd);
	if (rc == 0)
		rc = io_lock(*fd, BYTE_SIDE, IO_LOCK_EXCLUSIVE, false);
	if (rc != 0)
		(void)io_close(fd);
	return rc == EAGAIN ? EBUSY : rc;
}

void
member_leave(struct member *m)
{
	if (m == NULL)
		return;
	for (int32_t i = 0; i < m->partitions; i++)
		(void)io_close(&m->locks[i]);
	free(m->locks);
	(void)io_close(&m->fd);
	free(m);
}

int
member_grow(struct member *m, int32_t partitions)
{
	int *locks;

	if (partitions <= m->partitions)
		return 0;
	locks = reallocarray(m->locks, (size_t)partitions, sizeof(*locks));
	if (locks == NULL)
		return ENOMEM;
	m->locks = locks;
	while (m->partitions < partitions)
		m->locks[m->partitions++] = -1;
	return 0;
}

/* How many others hold a place in [from, to). */
static int
count_places(struct member *m, int32_t from, int32_t to, int32_t *count)
{
	bool locked = true;
	int rc = 0;

	for (*count = 0; rc == 0 && from < to; from++) {
		rc =
		    io_locked_any(m->fd, BYTE_PLACE + from, to - from, &locked);
		if (rc != 0 || !locked)
			break;
		rc = io_locked(m->fd, BYTE_PLACE + from, &locked);
		*count += locked;
	}
	return rc;
}

int
member_share(struct member *m, int32_t *share)
{
	int32_t before, behind, members;
	int rc;

	*share = 0;
	if (member_is_resting(m))
		return 0;
	rc = count_places(m, 0, m->place, &before);
	if (rc == 0)
		rc = count_places(m, m->place + 1, MEMBER_MAX, &behind);
	if (rc != 0)
		return rc;
	members = before + 1 + behind;
	*share = m->partitions / members +
	    (before < m->partitions % members ? 1 : 0);
	return 0;
}

int32_t
member_count(const struct member *m)
{
	return m->count;
}

void
member_rest(struct member *m)
{
	for (int32_t i = 0; i < m->partitions; i++)
		(void)io_close(&m->locks[i]);
	m->count = 0;
	if (m->place >= 0)
		(void)io_lock(m->fd, BYTE_PLACE + m->place, IO_UNLOCK, false);
	m->place = -1;
	poke(m);
}

int
member_return(struct member *m)
{
	int rc = m->place >= 0 ? 0 : take_place(m);

	if (rc == 0)
		poke(m);
	return rc;
}

bool
member_is_resting(const struct member *m)
{
	return m->place < 0;
}

int
member_take(struct member *m, int32_t partition)
{
	bool is_free;
	int fd = -1, rc;

	if (m->locks[partition] >= 0)
		return 0;
	/* To open and close it would wake all who watch it, and us. */
	rc = member_is_free(m, partition, &is_free);
	if (rc == 0 && !is_free)
		return EAGAIN;
	if (rc == 0)
		rc = open_file(m->dirfd, m->name, &fd);
	if (rc == 0)
		rc = io_lock(fd, BYTE_PARTITION + (int64_t)partition,
		    IO_LOCK_EXCLUSIVE, false);
	if (rc != 0) {
		(void)io_close(&fd);
		return rc;
	}
	m->locks[partition] = fd;
	m->count++;
	return 0;
}

bool
member_has(const struct member *m, int32_t partition)
{
	return m->locks[partition] >= 0;
}

void
member_give(struct member *m, int32_t partition)
{
	if (m->locks[partition] < 0)
		return;
	(void)io_close(&m->locks[partition]);
	m->count--;
	poke(m);
}

int
member_lock_of(const struct member *m, int32_t partition)
{
	return m->locks[partition];
}

int
member_is_free(struct member *m, int32_t partition, bool *is_free)
{
	bool locked;
	int rc = io_locked(m->fd, BYTE_PARTITION + (int64_t)partition, &locked);

	if (rc == 0)
		*is_free = !locked;
	return rc;
}

/* Does anybody hold one of these bytes? */
static int
is_held(int dirfd, const char *group, int64_t byte, int64_t len, bool *held)
{
	char name[FILE_NAME_MAX];
	int fd = -1, rc;

	*held = false;
	if (dirfd < 0)
		return 0;
	file_name(group, name);
	rc = io_open(dirfd, name, O_RDWR, 0, &fd);
	if (rc == 0)
		rc = io_locked_any(fd, byte, len, held);
	(void)io_close(&fd);
	if (rc == EROFS)
		rc = EACCES;
	return rc == ENOENT ? 0 : rc;
}

int
member_any(int dirfd, const char *group, bool *any)
{
	return is_held(dirfd, group, BYTE_PLACE, MEMBER_MAX, any);
}

int
member_is_used(int dirfd, const char *group, bool *used)
{
	return is_held(dirfd, group, BYTE_SIDE, 1, used);
}
