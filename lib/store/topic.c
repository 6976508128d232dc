#include "store/topic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/io.h"
#include "store/access.h"
#include "store/lock.h"
#include "store/topic_impl.h"

#define REMOVED_END ".removed"

/* --- names and ids -------------------------------------------------------- */

bool
topic_id_bytes(const char *id, uint8_t out[16])
{
	return base64_id_decode(id, out);
}

bool
topic_is_name(const char *s)
{
	size_t len = strlen(s);

	if (len < 1 || len > TOPIC_NAME_MAX || strcmp(s, ".") == 0 ||
	    strcmp(s, "..") == 0)
		return false;
	return strspn(s, TOPIC_LETTERS) == len;
}

/* A : before the first / is of a host or a URL. */
bool
topic_is_remote(const char *path)
{
	return path[strcspn(path, ":/")] == ':';
}

/* --- directories ---------------------------------------------------------- */

/* The path of an open directory without links, by /proc in one call. */
int
topic_real_path(int fd, const char *path, char out[PATH_MAX])
{
	char link[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, out, PATH_MAX - 1);
	if (len > 0 && out[0] == '/') {
		out[len] = '\0';
		return 0;
	}
	return realpath(path, out) != NULL ? 0 : errno;
}

/* The directory that path is in, and its last part. */
int
topic_open_parent(const char *path, int *fd, char name[NAME_MAX + 1])
{
	size_t end = strlen(path), start;
	char *dir;
	int rc;

	if (topic_is_remote(path))
		return STATUS_REMOTE;
	while (end > 0 && path[end - 1] == '/')
		end--;
	start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	if (end == start)
		return path[0] == '\0' ? ENOENT : STATUS_NOT_TOPIC;
	if (end - start > NAME_MAX)
		return ENAMETOOLONG;
	memcpy(name, path + start, end - start);
	name[end - start] = '\0';
	dir = start == 0 ? strdup(".") : strndup(path, start);
	if (dir == NULL)
		return ENOMEM;
	rc = io_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, fd);
	free(dir);
	return rc;
}

int
topic_open_numbered(int dirfd, int32_t partition, int *fd)
{
	char number[TOPIC_NUMBER_TEXT];

	snprintf(number, sizeof(number), "%d", partition);
	return io_open(dirfd, number, O_RDONLY | O_DIRECTORY, 0, fd);
}

/* Open topic.lock for writing, made if missing. */
int
topic_open_lock(int dirfd, const struct stat *dir, int *fd)
{
	return io_open_made(dirfd, TOPIC_LOCK_FILE, 0,
	    access_lock_mode(dir->st_mode), dir->st_gid, fd);
}

/* What stands at a path that is not a directory, or where the way ends. */
int
topic_open_error(int rc)
{
	if (rc == ENOENT)
		return STATUS_NO_TOPIC;
	if (rc == ENOTDIR)
		return STATUS_NOT_TOPIC;
	return rc;
}

/* Take t->dirfd for a topic of that name. */
int
topic_open_named(struct topic *t, const char *name, const char *path,
    struct fault *fault)
{
	int rc = topic_read_file(t, path, fault);

	if (rc != 0)
		return rc;
	if (!topic_is_name(name))
		return STATUS_NOT_TOPIC;
	strlcpy(t->name, name, sizeof(t->name));
	return 0;
}

int
topic_open(const char *path, struct topic *t, struct fault *fault)
{
	char real[PATH_MAX];
	int rc;

	t->dirfd = -1;
	if (topic_is_remote(path))
		return STATUS_REMOTE;
	rc = topic_open_error(
	    io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &t->dirfd));
	if (rc == 0)
		rc = topic_real_path(t->dirfd, path, real);
	if (rc == 0)
		rc = topic_open_named(t, strrchr(real, '/') + 1, path, fault);
	if (rc != 0)
		topic_close(t);
	return rc;
}

void
topic_close(struct topic *t)
{
	(void)io_close(&t->dirfd);
}

int
topic_open_partition(const struct topic *t, int32_t partition, int *fd)
{
	if (partition < 0 || partition >= t->partitions)
		return STATUS_NO_TOPIC;
	return topic_open_error(topic_open_numbered(t->dirfd, partition, fd));
}

/* --- changes -------------------------------------------------------------- */

/* Take the right to change t, and read what it is now. */
static int
begin_change(const struct topic *t, struct topic *now, struct stat *dir,
    int *lock, struct fault *fault)
{
	int rc;

	*now = *t;
	if (fstat(t->dirfd, dir) != 0)
		return errno;
	rc = topic_open_lock(t->dirfd, dir, lock);
	if (rc == 0)
		rc = io_lock(*lock, 0, IO_LOCK_EXCLUSIVE, true);
	return rc == 0 ? topic_read_file(now, t->name, fault) : rc;
}

int
topic_grow(struct topic *t, int32_t count, struct fault *fault)
{
	struct topic now;
	struct stat dir;
	int lock = -1, rc;

	if (count > PARTITIONS_MAX)
		return ERANGE;
	rc = begin_change(t, &now, &dir, &lock, fault);
	if (rc == 0 && count < now.partitions)
		rc = ERANGE;
	if (rc == 0 && count > now.partitions) {
		rc = topic_make_partitions(t->dirfd, &dir, now.partitions,
		    count, 0);
		now.partitions = count;
		if (rc == 0)
			rc = topic_write_file(&now, &dir);
	}
	if (rc == 0)
		*t = now;
	(void)io_close(&lock);
	return rc;
}

int
topic_change(struct topic *t, int (*change)(struct properties *p, void *arg),
    void *arg, struct fault *fault)
{
	struct topic now;
	struct stat dir;
	int lock = -1, rc = begin_change(t, &now, &dir, &lock, fault);

	if (rc == 0)
		rc = change(&now.settings, arg);
	if (rc == 0)
		rc = topic_write_file(&now, &dir);
	if (rc == 0)
		*t = now;
	(void)io_close(&lock);
	return rc;
}

int
topic_adopt(struct topic *t, struct fault *fault)
{
	struct topic now;
	struct stat dir;
	int lock = -1, rc = begin_change(t, &now, &dir, &lock, fault);

	if (rc == 0 && strcmp(now.made_as, now.name) != 0) {
		strlcpy(now.made_as, now.name, sizeof(now.made_as));
		rc = base64_id_make(now.id);
		if (rc == 0)
			rc = topic_write_file(&now, &dir);
	}
	if (rc == 0)
		*t = now;
	(void)io_close(&lock);
	return rc;
}

/* .NAME.ID.removed, with a random ID; once it was the number of a process. */
bool
topic_is_removed_name(const char *name)
{
	const char *end = strrchr(name, '.'), *at = end;
	char id[TOPIC_ID_LEN + 1] = "";
	uint8_t bytes[16];

	if (name[0] != '.' || end == name || strcmp(end, REMOVED_END) != 0)
		return false;
	while (at[-1] != '.')
		at--;
	if (at - name < 3 || at == end || end - at > TOPIC_ID_LEN)
		return false;
	memcpy(id, at, (size_t)(end - at));
	return topic_id_bytes(id, bytes) ||
	    id[strspn(id, "0123456789")] == '\0';
}

/* From sight, at once for all, under a name that no listing shows. */
static int
put_aside(int parent, const char *name, char gone[NAME_MAX + 1])
{
	char id[TOPIC_ID_LEN + 1];
	int rc = base64_id_make(id);

	if (rc != 0)
		return rc;
	snprintf(gone, NAME_MAX + 1, ".%.200s.%s" REMOVED_END, name, id);
	rc = io_rename_new(parent, name, gone);
	if (rc == EINVAL)
		rc = io_rename(parent, name, gone);
	return rc;
}

/* By its lock a writer sees that a partition is gone: before it misses more. */
static void
remove_locks(int parent, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	char number[TOPIC_NUMBER_TEXT];
	int topic = -1, fd = -1, rc = io_open(parent, name, flags, 0, &topic);

	if (rc != 0)
		return;
	for (int32_t i = 0; rc != ENOENT && i < PARTITIONS_MAX; i++) {
		snprintf(number, sizeof(number), "%d", i);
		rc = io_open(topic, number, flags, 0, &fd);
		if (rc == 0)
			(void)io_unlink(fd, LOCK_FILE);
		(void)io_close(&fd);
	}
	(void)io_close(&topic);
}

int
topic_remove_rest(int parent, const char *name)
{
	int rc = io_sync_dir(parent);

	if (rc != 0)
		return rc;
	remove_locks(parent, name);
	rc = io_remove_tree(parent, name);
	/* Another that removes the rest may be faster. */
	return rc == ENOENT ? 0 : rc;
}

int
topic_remove(const char *path)
{
	char name[NAME_MAX + 1], gone[NAME_MAX + 1];
	struct stat st;
	int parent = -1, rc = topic_open_parent(path, &parent, name);

	if (rc != 0)
		return rc;
	/* A link to it is not the topic. */
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		rc = errno;
	else if (!S_ISDIR(st.st_mode))
		rc = STATUS_NOT_TOPIC;
	if (rc != 0)
		goto out;
	rc = put_aside(parent, name, gone);
	if (rc == 0)
		rc = topic_remove_rest(parent, gone);
out:
	(void)io_close(&parent);
	return rc;
}
