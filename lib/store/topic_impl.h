#ifndef STORE_TOPIC_IMPL_H
#define STORE_TOPIC_IMPL_H

/*
 * The inside of topic.h, shared by topic.c (names, ids, what is open),
 * topic_make.c (new ones and new partitions), topic_file.c (topic.properties)
 * and topic_place.c (what a path names).  Nobody else includes it.
 */

#include <sys/stat.h>

#include <limits.h>

#include "base/status.h"
#include "store/topic.h"

/* What a name is made of. */
#define TOPIC_LETTERS                                                          \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

enum { TOPIC_NUMBER_TEXT = 12 }; /* a partition's number */

/* A : before the first / is of a host or a URL. */
bool topic_is_remote(const char *path);

/* The directory that path is in, and its last part. */
int topic_open_parent(const char *path, int *fd, char name[NAME_MAX + 1]);
/* A partition's directory. */
int topic_open_numbered(int dirfd, int32_t partition, int *fd);
/* topic.lock for writing, made if missing, as in the directory that dir is. */
int topic_open_lock(int dirfd, const struct stat *dir, int *fd);
/* Take t->dirfd for a topic of that name.  path is for messages. */
int topic_open_named(struct topic *t, const char *name, const char *path,
    struct fault *fault);
/* What an error says of a path that was to be a topic's. */
int topic_open_error(int rc);
/* The path of an open directory without links, by /proc in one call. */
int topic_real_path(int fd, const char *path, char out[PATH_MAX]);

/* topic.properties in t->dirfd; path is for messages. */
int topic_read_file(struct topic *t, const char *path, struct fault *fault);
int topic_write_file(const struct topic *t, const struct stat *dir);

/* Is it the name that a topic has while it is removed? */
bool topic_is_removed_name(const char *name);
/*
 * Remove what has such a name, from the disk, too; several may do that at the
 * same time.
 */
int topic_remove_rest(int parent, const char *name);

/* Make partitions from to to - 1, which begin at first_offset, and sync. */
int topic_make_partitions(int dirfd, const struct stat *dir, int32_t from,
    int32_t to, int64_t first_offset);

#endif
