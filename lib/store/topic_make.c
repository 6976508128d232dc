/* Topics and partitions that are new. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/io.h"
#include "store/access.h"
#include "store/partition.h"
#include "store/segment.h"
#include "store/topic_impl.h"

enum {
	TEMPORARY_RANDOM = 8, /* letters behind .NAME.tmp- */
	TEMPORARY_NAME_MAX = 200, /* of NAME, to stay within NAME_MAX */
};

/*
 * STATUS_EXISTS a topic, STATUS_NOT_TOPIC something else, ENOENT nothing,
 * EACCES we may not know.
 */
static int
what_stands_there(int parent, const char *name)
{
	struct stat st;
	int fd = -1, rc;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	rc = io_open(parent, name, O_PATH | O_DIRECTORY, 0, &fd);
	if (rc != 0)
		return rc == EACCES ? rc : STATUS_NOT_TOPIC;
	rc = STATUS_EXISTS;
	if (faccessat(fd, TOPIC_FILE, F_OK, 0) != 0)
		rc = errno == EACCES ? EACCES : STATUS_NOT_TOPIC;
	(void)io_close(&fd);
	return rc;
}

/* A directory of its own beside the place where the topic is to be. */
static int
make_temporary(int parent, const char *name, mode_t mode,
    char tmp[NAME_MAX + 1], int *fd)
{
	uint8_t random[TEMPORARY_RANDOM];
	char letters[TEMPORARY_RANDOM + 1] = "";
	int rc;

	do {
		if (getentropy(random, sizeof(random)) != 0)
			return errno;
		for (size_t i = 0; i < sizeof(random); i++)
			letters[i] = BASE64_URL[random[i] % 62];
		snprintf(tmp, NAME_MAX + 1, ".%.*s.tmp-%s", TEMPORARY_NAME_MAX,
		    name, letters);
		rc = io_mkdir(parent, tmp, mode);
	} while (rc == EEXIST);
	if (rc != 0)
		return rc;
	rc = io_open(parent, tmp, O_RDONLY | O_DIRECTORY, 0, fd);
	if (rc != 0)
		(void)io_rmdir(parent, tmp);
	return rc;
}

/* A log that begins at an offset: its first segment, empty, is named so. */
static int
make_first(int dirfd, const struct stat *dir, int64_t first_offset)
{
	mode_t mode = access_file_mode(dir->st_mode);
	char name[SEGMENT_NAME_LEN];
	int fd = -1, rc;

	segment_name(name, first_offset, ".log");
	rc = io_open(dirfd, name, O_RDWR | O_CREAT | O_EXCL, mode, &fd);
	if (rc == 0)
		rc = io_set_access(fd, mode, dir->st_gid);
	(void)io_close(&fd);
	return rc;
}

/* A writer notes in the state what it finds: a log that begins there. */
static int
settle_first(const struct topic *t, int32_t partition)
{
	struct partition_settings settings;
	struct partition *p = NULL;
	char path[PATH_MAX];
	int fd = -1, rc;

	partition_settings_of(&t->settings, &settings);
	rc = topic_open_numbered(t->dirfd, partition, &fd);
	if (rc == 0)
		rc = topic_real_path(fd, "", path);
	(void)io_close(&fd);
	if (rc == 0)
		rc = partition_open(path, PARTITION_WRITE, &settings, &p, NULL);
	if (rc == 0)
		rc = partition_roll(p, NULL);
	partition_close(p);
	return rc;
}

static int
make_partition(int dirfd, const struct stat *dir, int32_t partition,
    int64_t first_offset)
{
	mode_t mode = access_dir_mode(dir->st_mode);
	char number[TOPIC_NUMBER_TEXT];
	int fd = -1, rc;

	snprintf(number, sizeof(number), "%d", partition);
	rc = io_mkdir(dirfd, number, mode);
	/* One that an interrupted topic_grow() left behind. */
	if (rc == EEXIST)
		return 0;
	if (rc == 0)
		rc = io_open(dirfd, number, O_RDONLY | O_DIRECTORY, 0, &fd);
	if (rc == 0)
		rc = io_set_access(fd, mode, dir->st_gid);
	if (rc == 0 && first_offset > 0)
		rc = make_first(fd, dir, first_offset);
	(void)io_close(&fd);
	return rc;
}

/*
 * Make partitions from to to - 1.  All are made before the first is synced:
 * that sync then takes most others to the device with it.
 */
int
topic_make_partitions(int dirfd, const struct stat *dir, int32_t from,
    int32_t to, int64_t first_offset)
{
	int fd = -1, rc = 0;

	for (int32_t i = from; rc == 0 && i < to; i++)
		rc = make_partition(dirfd, dir, i, first_offset);
	for (int32_t i = from; rc == 0 && i < to; i++) {
		rc = topic_open_numbered(dirfd, i, &fd);
		if (rc == 0)
			rc = io_sync_dir(fd);
		(void)io_close(&fd);
	}
	if (rc == 0)
		rc = io_sync_dir(dirfd);
	return rc;
}

/* All that is in a new topic's directory. */
static int
fill(struct topic *t, int64_t first_offset)
{
	struct stat dir;
	int lock = -1, rc;

	if (fstat(t->dirfd, &dir) != 0)
		return errno;
	rc = topic_make_partitions(t->dirfd, &dir, 0, t->partitions,
	    first_offset);
	for (int32_t i = 0; rc == 0 && first_offset > 0 && i < t->partitions;
	     i++)
		rc = settle_first(t, i);
	if (rc == 0)
		rc = topic_open_lock(t->dirfd, &dir, &lock);
	(void)io_close(&lock);
	if (rc == 0)
		rc = topic_write_file(t, &dir);
	return rc;
}

static int
publish(int parent, const char *tmp, const char *name)
{
	int rc = io_rename_new(parent, tmp, name);

	/*
	 * Where the file system cannot do that, a plain rename will do: a
	 * directory replaces nothing but an empty directory.
	 */
	if (rc == EINVAL || rc == ENOSYS)
		rc = io_rename(parent, tmp, name);
	if (rc == EEXIST || rc == ENOTEMPTY || rc == ENOTDIR)
		rc = what_stands_there(parent, name);
	return rc;
}

/* The open parent directory of a topic to be made, and its name there. */
static int
open_place(const char *path, int *parent, char name[NAME_MAX + 1])
{
	int rc = topic_open_parent(path, parent, name);

	if (rc == 0 && !topic_is_name(name))
		rc = STATUS_SYNTAX;
	if (rc == 0)
		rc = what_stands_there(*parent, name);
	if (rc == ENOENT && *parent >= 0 &&
	    faccessat(*parent, TOPIC_FILE, F_OK, 0) == 0)
		rc = STATUS_INSIDE;
	return rc == ENOENT && *parent >= 0 ? 0 : rc;
}

int
topic_may_create(const char *path)
{
	char name[NAME_MAX + 1];
	int parent = -1, rc = open_place(path, &parent, name);

	if (rc == 0 && faccessat(parent, ".", W_OK | X_OK, AT_EACCESS) != 0)
		rc = errno;
	(void)io_close(&parent);
	return rc;
}

int
topic_create_at(const char *path, const struct properties *settings,
    int32_t partitions, int64_t first_offset, mode_t mode)
{
	struct topic t = {.dirfd = -1};
	char name[NAME_MAX + 1], tmp[NAME_MAX + 1];
	int parent = -1, rc;

	if (partitions < 1 || partitions > PARTITIONS_MAX || first_offset < 0 ||
	    first_offset > TOPIC_FIRST_OFFSET_MAX)
		return ERANGE;
	rc = open_place(path, &parent, name);
	if (rc != 0)
		goto out;
	strlcpy(t.made_as, name, sizeof(t.made_as));
	t.partitions = partitions;
	t.settings = *settings;
	rc = base64_id_make(t.id);
	if (rc == 0)
		rc = make_temporary(parent, name, mode, tmp, &t.dirfd);
	if (rc != 0)
		goto out;
	rc = fill(&t, first_offset);
	if (rc == 0)
		rc = publish(parent, tmp, name);
	if (rc != 0)
		(void)io_remove_tree(parent, tmp);
	else
		rc = io_sync_dir(parent);
out:
	(void)io_close(&t.dirfd);
	(void)io_close(&parent);
	return rc;
}

int
topic_create(const char *path, const struct properties *settings,
    int32_t partitions, mode_t mode)
{
	return topic_create_at(path, settings, partitions, 0, mode);
}
