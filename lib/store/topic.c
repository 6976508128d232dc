#include "store/topic.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/pairs.h"
#include "base/parse.h"
#include "base/status.h"
#include "store/access.h"
#include "store/partition.h"
#include "store/segment.h"

enum {
	ID_BYTES = 16,
	NUMBER_TEXT = 12, /* a partition's number */
	TEMPORARY_RANDOM = 8, /* letters behind .NAME.tmp- */
	TEMPORARY_NAME_MAX = 200, /* of NAME, to stay within NAME_MAX */
	SEGMENT_DIGITS = 20,
};

#define KEY_VERSION "logkit.version"
#define KEY_TOPIC "logkit.topic"
#define KEY_ID "logkit.topic.id"
#define KEY_PARTITIONS "logkit.partitions"

static const char base64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char name_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

static int make_id(char id[TOPIC_ID_LEN + 1]);
static int open_parent(const char *path, int *fd, char name[NAME_MAX + 1]);
static int what_stands_there(int parent, const char *name);
static int make_temporary(int parent, const char *name, mode_t mode,
    char tmp[NAME_MAX + 1], int *fd);
static int fill(struct topic *t, int64_t first_offset);
static int publish(int parent, const char *tmp, const char *name);
static int open_lock(int dirfd, const struct stat *dir, int *fd);
static int make_partitions(int dirfd, const struct stat *dir, int32_t from,
    int32_t to, int64_t first_offset);
static int open_numbered(int dirfd, int32_t partition, int *fd);
static int settle_first(const struct topic *t, int32_t partition);
static int read_file(struct topic *t, const char *path, struct fault *fault);
static int write_file(const struct topic *t, const struct stat *dir);
static int real_path(int fd, const char *path, char out[PATH_MAX]);

bool
topic_id_bytes(const char *id, uint8_t out[16])
{
	uint8_t padded[TOPIC_ID_LEN + 2];
	struct buf b;
	bool ok;

	if (strlen(id) != TOPIC_ID_LEN)
		return false;
	/* base64url without padding, into the common alphabet with it. */
	for (int i = 0; i < TOPIC_ID_LEN; i++)
		padded[i] = (uint8_t)(id[i] == '-' ? '+'
			: id[i] == '_'             ? '/'
						   : id[i]);
	memset(padded + TOPIC_ID_LEN, '=', 2);
	buf_init(&b, sizeof(padded));
	ok = base64_decode(padded, sizeof(padded), &b) == 0 && b.len == 16;
	if (ok)
		memcpy(out, b.data, 16);
	buf_release(&b);
	return ok;
}

bool
topic_is_name(const char *s)
{
	size_t len = strlen(s);

	if (len < 1 || len > TOPIC_NAME_MAX || strcmp(s, ".") == 0 ||
	    strcmp(s, "..") == 0)
		return false;
	return strspn(s, name_letters) == len;
}

/* A : before the first / is of a host or a URL. */
static bool
is_remote(const char *path)
{
	return path[strcspn(path, ":/")] == ':';
}

/*
 * Making.
 */

/* The open parent directory of a topic to be made, and its name there. */
static int
open_place(const char *path, int *parent, char name[NAME_MAX + 1])
{
	int rc = open_parent(path, parent, name);

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
topic_create(const char *path, const struct properties *settings,
    int32_t partitions, mode_t mode)
{
	return topic_create_at(path, settings, partitions, 0, mode);
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
	rc = make_id(t.id);
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

/* A version 4 UUID, as Kafka's, again until its text does not begin with -. */
static int
make_id(char id[TOPIC_ID_LEN + 1])
{
	uint8_t b[ID_BYTES + 2] = {0}; /* padded to 24 digits */
	char *out;

	do {
		if (getentropy(b, ID_BYTES) != 0)
			return errno;
		b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
		b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	} while (base64url[b[0] >> 2] == '-');
	out = id;
	for (int i = 0; out < id + TOPIC_ID_LEN; i += 3) {
		uint32_t v =
		    (uint32_t)b[i] << 16 | (uint32_t)b[i + 1] << 8 | b[i + 2];

		for (int shift = 18; shift >= 0 && out < id + TOPIC_ID_LEN;
		     shift -= 6)
			*out++ = base64url[v >> shift & 63];
	}
	*out = '\0';
	return 0;
}

/* The directory that path is in, and its last part. */
static int
open_parent(const char *path, int *fd, char name[NAME_MAX + 1])
{
	size_t end = strlen(path), start;
	char *dir;
	int rc;

	if (is_remote(path))
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
			letters[i] = base64url[random[i] % 62];
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

/* All that is in a new topic's directory. */
static int
fill(struct topic *t, int64_t first_offset)
{
	struct stat dir;
	int lock = -1, rc;

	if (fstat(t->dirfd, &dir) != 0)
		return errno;
	rc = make_partitions(t->dirfd, &dir, 0, t->partitions, first_offset);
	for (int32_t i = 0; rc == 0 && first_offset > 0 && i < t->partitions;
	     i++)
		rc = settle_first(t, i);
	if (rc == 0)
		rc = open_lock(t->dirfd, &dir, &lock);
	(void)io_close(&lock);
	if (rc == 0)
		rc = write_file(t, &dir);
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

/* Open topic.lock for writing, made if missing. */
static int
open_lock(int dirfd, const struct stat *dir, int *fd)
{
	int rc;

	do {
		rc = io_open(dirfd, TOPIC_LOCK_FILE, O_RDWR, 0, fd);
		if (rc != ENOENT)
			return rc;
		rc = io_open(dirfd, TOPIC_LOCK_FILE, O_RDWR | O_CREAT | O_EXCL,
		    access_lock_mode(dir->st_mode), fd);
	} while (rc == EEXIST);
	if (rc != 0)
		return rc;
	rc = io_set_access(*fd, access_lock_mode(dir->st_mode), dir->st_gid);
	if (rc != 0)
		(void)io_close(fd);
	return rc;
}

static int
open_numbered(int dirfd, int32_t partition, int *fd)
{
	char number[NUMBER_TEXT];

	snprintf(number, sizeof(number), "%d", partition);
	return io_open(dirfd, number, O_RDONLY | O_DIRECTORY, 0, fd);
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
	rc = open_numbered(t->dirfd, partition, &fd);
	if (rc == 0)
		rc = real_path(fd, "", path);
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
	char number[NUMBER_TEXT];
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
static int
make_partitions(int dirfd, const struct stat *dir, int32_t from, int32_t to,
    int64_t first_offset)
{
	int fd = -1, rc = 0;

	for (int32_t i = from; rc == 0 && i < to; i++)
		rc = make_partition(dirfd, dir, i, first_offset);
	for (int32_t i = from; rc == 0 && i < to; i++) {
		rc = open_numbered(dirfd, i, &fd);
		if (rc == 0)
			rc = io_sync_dir(fd);
		(void)io_close(&fd);
	}
	if (rc == 0)
		rc = io_sync_dir(dirfd);
	return rc;
}

/*
 * topic.properties.
 */

static int
write_file(const struct topic *t, const struct stat *dir)
{
	char number[NUMBER_TEXT];
	struct buf b;
	int rc;

	buf_init(&b, TEXT_FILE_BYTES_MAX);
	rc = buf_add_str(&b, "# A logkit topic; see logkit(5).\n");
	snprintf(number, sizeof(number), "%d", TOPIC_VERSION);
	if (rc == 0)
		rc = pairs_add(&b, KEY_VERSION, number);
	if (rc == 0)
		rc = pairs_add(&b, KEY_TOPIC, t->made_as);
	if (rc == 0)
		rc = pairs_add(&b, KEY_ID, t->id);
	snprintf(number, sizeof(number), "%d", t->partitions);
	if (rc == 0)
		rc = pairs_add(&b, KEY_PARTITIONS, number);
	if (rc == 0)
		rc = properties_write(&t->settings, &b);
	if (rc == 0)
		rc = io_replace_file(t->dirfd, TOPIC_FILE, b.data, b.len,
		    access_file_mode(dir->st_mode), dir->st_gid);
	buf_release(&b);
	return rc;
}

/* The version, before anything else is looked at: all may be different. */
static int
check_version(const struct buf *text, const char **what, int64_t *pos)
{
	struct pairs p;
	const char *key, *value;
	int64_t version = 0;
	int rc;

	pairs_init(&p, text->data, text->len);
	while ((rc = pairs_next(&p, &key, &value)) == 0) {
		if (strcmp(key, KEY_VERSION) != 0)
			continue;
		*pos = p.line_pos;
		*what = "bad " KEY_VERSION;
		version = 0;
		rc = parse_int(value, 1, INT64_MAX, &version);
		if (rc != 0)
			break;
	}
	if (rc == STATUS_END && version == 0)
		*what = "no " KEY_VERSION;
	pairs_release(&p);
	if (rc != STATUS_END && rc != STATUS_SYNTAX && rc != ERANGE)
		return rc;
	if (version == 0)
		return STATUS_SYNTAX;
	if (version <= TOPIC_VERSION)
		return 0;
	*what = "written by a newer version";
	return STATUS_NEWER;
}

static bool
is_id(const char *s)
{
	return strlen(s) == TOPIC_ID_LEN && s[0] != '-' &&
	    strspn(s, base64url) == TOPIC_ID_LEN;
}

static int
take_pair(struct topic *t, const char *key, const char *value,
    const char **what)
{
	enum properties_id id;
	int64_t n;

	if (strcmp(key, KEY_VERSION) == 0)
		return 0;
	if (strcmp(key, KEY_TOPIC) == 0) {
		*what = "bad " KEY_TOPIC;
		if (!topic_is_name(value))
			return STATUS_SYNTAX;
		strlcpy(t->made_as, value, sizeof(t->made_as));
		return 0;
	}
	if (strcmp(key, KEY_ID) == 0) {
		*what = "bad " KEY_ID;
		if (!is_id(value))
			return STATUS_SYNTAX;
		strlcpy(t->id, value, sizeof(t->id));
		return 0;
	}
	if (strcmp(key, KEY_PARTITIONS) == 0) {
		*what = "bad " KEY_PARTITIONS;
		if (parse_int(value, 1, PARTITIONS_MAX, &n) != 0)
			return STATUS_SYNTAX;
		t->partitions = (int32_t)n;
		return 0;
	}
	*what = "no such setting";
	if (properties_find(key, &id) != 0)
		return STATUS_SYNTAX;
	return properties_set(&t->settings, id, value, what) == 0
	    ? 0
	    : STATUS_SYNTAX;
}

static int
parse_text(const struct buf *text, struct topic *t, const char **what,
    int64_t *pos)
{
	struct pairs p;
	const char *key, *value;
	int rc;

	*what = "bad escape";
	rc = check_version(text, what, pos);
	if (rc != 0)
		return rc;
	t->made_as[0] = t->id[0] = '\0';
	t->partitions = 0;
	properties_init(&t->settings);
	pairs_init(&p, text->data, text->len);
	do {
		*what = "bad escape";
		rc = pairs_next(&p, &key, &value);
		if (rc == 0)
			rc = take_pair(t, key, value, what);
	} while (rc == 0);
	*pos = p.line_pos;
	pairs_release(&p);
	if (rc != STATUS_END)
		return rc;
	*what = t->made_as[0] == '\0' ? "no " KEY_TOPIC
	    : t->id[0] == '\0'        ? "no " KEY_ID
	    : t->partitions == 0      ? "no " KEY_PARTITIONS
				      : NULL;
	return *what == NULL ? 0 : STATUS_SYNTAX;
}

/* Read topic.properties of t->dirfd; path is for messages. */
static int
read_file(struct topic *t, const char *path, struct fault *fault)
{
	char file[sizeof(fault->file)];
	struct buf text;
	const char *what = "file is too large";
	int64_t pos = 0;
	int rc;

	buf_init(&text, TEXT_FILE_BYTES_MAX + 1);
	rc = io_read_file(t->dirfd, TOPIC_FILE, TEXT_FILE_BYTES_MAX, &text);
	if (rc == ENOENT || rc == EINVAL)
		rc = STATUS_NOT_TOPIC;
	else if (rc == STATUS_TOO_BIG)
		rc = STATUS_SYNTAX;
	else if (rc == 0)
		rc = parse_text(&text, t, &what, &pos);
	if (rc == STATUS_SYNTAX || rc == STATUS_NEWER) {
		snprintf(file, sizeof(file), "%.400s/%s", path, TOPIC_FILE);
		status_fault(fault, rc, file, pos, -1, what);
	}
	buf_release(&text);
	return rc;
}

/*
 * Opening.
 */

/* Take t->dirfd for a topic of that name. */
static int
open_named(struct topic *t, const char *name, const char *path,
    struct fault *fault)
{
	int rc = read_file(t, path, fault);

	if (rc != 0)
		return rc;
	if (!topic_is_name(name))
		return STATUS_NOT_TOPIC;
	strlcpy(t->name, name, sizeof(t->name));
	return 0;
}

/* What stands at a path that is not a directory, or where the way ends. */
static int
open_error(int rc)
{
	if (rc == ENOENT)
		return STATUS_NO_TOPIC;
	if (rc == ENOTDIR)
		return STATUS_NOT_TOPIC;
	return rc;
}

int
topic_open(const char *path, struct topic *t, struct fault *fault)
{
	char real[PATH_MAX];
	int rc;

	t->dirfd = -1;
	if (is_remote(path))
		return STATUS_REMOTE;
	rc = open_error(
	    io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &t->dirfd));
	if (rc == 0)
		rc = real_path(t->dirfd, path, real);
	if (rc == 0)
		rc = open_named(t, strrchr(real, '/') + 1, path, fault);
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
	return open_error(open_numbered(t->dirfd, partition, fd));
}

/* Take the right to change t, and read what it is now. */
static int
begin_change(const struct topic *t, struct topic *now, struct stat *dir,
    int *lock, struct fault *fault)
{
	int rc;

	*now = *t;
	if (fstat(t->dirfd, dir) != 0)
		return errno;
	rc = open_lock(t->dirfd, dir, lock);
	if (rc == 0)
		rc = io_lock(*lock, 0, IO_LOCK_EXCLUSIVE, true);
	return rc == 0 ? read_file(now, t->name, fault) : rc;
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
		rc = make_partitions(t->dirfd, &dir, now.partitions, count, 0);
		now.partitions = count;
		if (rc == 0)
			rc = write_file(&now, &dir);
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
		rc = write_file(&now, &dir);
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
		rc = make_id(now.id);
		if (rc == 0)
			rc = write_file(&now, &dir);
	}
	if (rc == 0)
		*t = now;
	(void)io_close(&lock);
	return rc;
}

int
topic_remove(const char *path)
{
	char name[NAME_MAX + 1], gone[NAME_MAX + 1];
	struct stat st;
	int parent = -1, rc = open_parent(path, &parent, name);

	if (rc != 0)
		return rc;
	/* A link to it is not the topic. */
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		rc = errno;
	else if (!S_ISDIR(st.st_mode))
		rc = STATUS_NOT_TOPIC;
	if (rc != 0)
		goto out;
	/* At once for all, under a name that no listing shows. */
	snprintf(gone, sizeof(gone), ".%.200s.%d.removed", name, (int)getpid());
	rc = io_rename_new(parent, name, gone);
	if (rc == EINVAL)
		rc = io_rename(parent, name, gone);
	if (rc == 0)
		rc = io_sync_dir(parent);
	if (rc == 0)
		rc = io_remove_tree(parent, gone);
out:
	(void)io_close(&parent);
	return rc;
}

/* The path of an open directory without links, by /proc in one call. */
static int
real_path(int fd, const char *path, char out[PATH_MAX])
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

/*
 * Places.
 */

/* A decimal number without sign or leading zeros; -1 if s is none. */
static int32_t
partition_number(const char *s)
{
	int64_t n;

	if ((s[0] == '0' && s[1] != '\0') || s[0] < '0' || s[0] > '9' ||
	    parse_int(s, 0, INT32_MAX, &n) != 0)
		return -1;
	return (int32_t)n;
}

/* The base offset in the name of a segment file; -1 if it is none. */
static int64_t
segment_base(const char *name)
{
	char digits[SEGMENT_DIGITS + 1];
	int64_t n;

	if (strlen(name) != SEGMENT_DIGITS + strlen(".log") ||
	    strcmp(name + SEGMENT_DIGITS, ".log") != 0 ||
	    strspn(name, "0123456789") != SEGMENT_DIGITS)
		return -1;
	memcpy(digits, name, SEGMENT_DIGITS);
	digits[SEGMENT_DIGITS] = '\0';
	if (parse_int(digits, 0, INT64_MAX, &n) != 0)
		return -1;
	return n;
}

static int
has_segments(int dirfd, bool *yes)
{
	int fd = -1, rc;
	DIR *dir;
	struct dirent *e;

	rc = io_open(dirfd, ".", O_RDONLY | O_DIRECTORY, 0, &fd);
	if (rc != 0)
		return rc;
	dir = fdopendir(fd);
	if (dir == NULL) {
		rc = errno;
		(void)io_close(&fd);
		return rc;
	}
	*yes = false;
	while (errno = 0, (e = readdir(dir)) != NULL) {
		if (segment_base(e->d_name) >= 0) {
			*yes = true;
			break;
		}
	}
	rc = e == NULL ? errno : 0;
	closedir(dir);
	return rc;
}

/* Name and number of a directory that belongs to no topic of ours. */
static void
name_foreign(struct topic_place *place, const char *dirname)
{
	char *dash, *c;

	strlcpy(place->name, dirname, sizeof(place->name));
	for (c = place->name; *c != '\0'; c++)
		if (strchr(name_letters, *c) == NULL)
			*c = '_';
	place->first = 0;
	dash = strrchr(place->name, '-');
	if (dash != NULL && dash > place->name &&
	    partition_number(dash + 1) >= 0) {
		place->first = partition_number(dash + 1);
		*dash = '\0';
	}
	place->count = 1;
}

/*
 * Is place->dirfd, whose real path is real, a partition of a topic?  If so
 * open that.
 */
static int
locate_owner(struct topic_place *place, char real[PATH_MAX], const char *path,
    struct fault *fault)
{
	char *base = strrchr(real, '/');
	int32_t number = partition_number(base + 1);
	const char *name;
	int rc;

	if (number < 0 || base == real ||
	    faccessat(place->dirfd, "../" TOPIC_FILE, F_OK, 0) != 0)
		return STATUS_NOT_TOPIC;
	*base = '\0';
	name = strrchr(real, '/') + 1;
	rc = io_open(place->dirfd, "..", O_RDONLY | O_DIRECTORY, 0,
	    &place->topic.dirfd);
	if (rc == 0)
		rc = open_named(&place->topic, name, path, fault);
	if (rc == 0 && number >= place->topic.partitions)
		rc = STATUS_NO_TOPIC;
	if (rc != 0)
		return rc;
	place->has_topic = true;
	strlcpy(place->name, place->topic.name, sizeof(place->name));
	place->first = number;
	place->count = 1;
	return 0;
}

/* place->dirfd is a directory without topic.properties. */
static int
locate_partition(struct topic_place *place, char real[PATH_MAX],
    const char *path, struct fault *fault)
{
	bool yes;
	int rc;

	name_foreign(place, strrchr(real, '/') + 1);
	rc = locate_owner(place, real, path, fault);
	if (rc != STATUS_NOT_TOPIC || place->topic.dirfd >= 0) {
		place->kind = TOPIC_PLACE_PARTITION;
		return rc;
	}
	place->kind = TOPIC_PLACE_FOREIGN;
	rc = has_segments(place->dirfd, &yes);
	if (rc == 0 && !yes)
		rc = STATUS_NOT_TOPIC;
	return rc;
}

static int
locate_directory(struct topic_place *place, const char *path,
    struct fault *fault)
{
	char real[PATH_MAX];
	int rc = real_path(place->dirfd, path, real);

	if (rc != 0)
		return rc;
	place->topic.dirfd = place->dirfd;
	rc = read_file(&place->topic, path, fault);
	if (rc == STATUS_NOT_TOPIC) {
		place->topic.dirfd = -1;
		return locate_partition(place, real, path, fault);
	}
	place->dirfd = -1;
	if (rc != 0)
		return rc;
	if (!topic_is_name(strrchr(real, '/') + 1))
		return STATUS_NOT_TOPIC;
	place->kind = TOPIC_PLACE_TOPIC;
	place->has_topic = true;
	strlcpy(place->topic.name, strrchr(real, '/') + 1,
	    sizeof(place->topic.name));
	strlcpy(place->name, place->topic.name, sizeof(place->name));
	place->first = 0;
	place->count = place->topic.partitions;
	return 0;
}

/* A path that is no directory: perhaps a segment. */
static int
locate_segment(struct topic_place *place, const char *path, struct fault *fault)
{
	char real[PATH_MAX], name[NAME_MAX + 1];
	struct stat st;
	int rc;

	if (realpath(path, real) == NULL || stat(real, &st) != 0)
		return open_error(errno);
	rc = open_parent(real, &place->dirfd, name);
	if (rc != 0)
		return rc;
	place->kind = TOPIC_PLACE_SEGMENT;
	place->segment = segment_base(name);
	if (place->segment < 0 || !S_ISREG(st.st_mode))
		return STATUS_NOT_TOPIC;
	*strrchr(real, '/') = '\0';
	if (real[0] == '\0')
		strlcpy(real, "/", sizeof(real));
	name_foreign(place, strrchr(real, '/') + 1);
	rc = locate_owner(place, real, path, fault);
	return rc == STATUS_NOT_TOPIC && place->topic.dirfd < 0 ? 0 : rc;
}

int
topic_locate(const char *path, struct topic_place *place, struct fault *fault)
{
	int fd, rc;

	*place = (struct topic_place){.topic = {.dirfd = -1},
	    .dirfd = -1,
	    .segment = -1};
	if (is_remote(path))
		return STATUS_REMOTE;
	rc = io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &place->dirfd);
	if (rc == 0)
		rc = locate_directory(place, path, fault);
	else if (rc == ENOTDIR)
		rc = locate_segment(place, path, fault);
	else
		rc = open_error(rc);
	if (rc != 0) {
		topic_place_close(place);
		return rc;
	}
	fd = place->dirfd >= 0 ? place->dirfd : place->topic.dirfd;
	place->writable = place->kind <= TOPIC_PLACE_PARTITION &&
	    faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0;
	return 0;
}

void
topic_place_close(struct topic_place *place)
{
	topic_close(&place->topic);
	(void)io_close(&place->dirfd);
}

int
topic_place_open(const struct topic_place *place, int32_t partition, int *fd)
{
	if (partition < place->first ||
	    partition >= place->first + place->count)
		return STATUS_NO_TOPIC;
	if (place->dirfd >= 0)
		return io_open(place->dirfd, ".", O_RDONLY | O_DIRECTORY, 0,
		    fd);
	return topic_open_partition(&place->topic, partition, fd);
}
