#include "store/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/io.h"
#include "base/status.h"
#include "store/topic_impl.h"

static int
add(struct root_list *l, size_t *cap, const char *name)
{
	if (l->count == *cap) {
		size_t more = *cap == 0 ? 64 : *cap * 2;
		char **names = reallocarray(l->names, more, sizeof(*names));

		if (names == NULL)
			return ENOMEM;
		l->names = names;
		*cap = more;
	}
	l->names[l->count] = strdup(name);
	return l->names[l->count++] == NULL ? ENOMEM : 0;
}

/* Links to directories count. */
static bool
may_be_topic(int dirfd, const struct dirent *d)
{
	struct stat st;

	if (d->d_name[0] == '.' || !topic_is_name(d->d_name))
		return false;
	if (d->d_type == DT_LNK || d->d_type == DT_UNKNOWN)
		return fstatat(dirfd, d->d_name, &st, 0) == 0 &&
		    S_ISDIR(st.st_mode);
	return d->d_type == DT_DIR;
}

static int
compare(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

int
root_read(const char *path, struct root_list *l)
{
	struct dirent *d;
	size_t cap = 0;
	DIR *dir;
	int rc;

	*l = (struct root_list){NULL, 0};
	rc = dir_open(AT_FDCWD, path, &dir);
	if (rc != 0)
		return rc;
	while (errno = 0, rc == 0 && (d = readdir(dir)) != NULL)
		if (may_be_topic(dirfd(dir), d))
			rc = add(l, &cap, d->d_name);
	if (rc == 0)
		rc = errno;
	closedir(dir);
	if (rc != 0)
		root_list_release(l);
	else if (l->count > 1)
		qsort(l->names, l->count, sizeof(*l->names), compare);
	return rc;
}

void
root_list_release(struct root_list *l)
{
	/* The last one may be missing, where memory was. */
	for (size_t i = 0; i < l->count; i++)
		free(l->names[i]);
	free(l->names);
	*l = (struct root_list){NULL, 0};
}

static bool
is_hidden(const char *name)
{
	return name[0] == '.' || strcmp(name, "lost+found") == 0;
}

/* Of a directory that is no topic: is there nothing in it? */
static int
look_inside(const char *path, enum root_stand *out)
{
	struct dirent *d;
	DIR *dir;
	int rc = dir_open(AT_FDCWD, path, &dir);

	*out = ROOT_NOT;
	if (rc != 0)
		return rc == ENOTDIR ? 0 : rc;
	*out = ROOT_EMPTY;
	if (faccessat(dirfd(dir), "../" TOPIC_FILE, F_OK, 0) == 0)
		*out = ROOT_IS;
	while (errno = 0, (d = readdir(dir)) != NULL)
		if (!is_hidden(d->d_name))
			*out = ROOT_IS;
	rc = errno;
	closedir(dir);
	return rc;
}

int
root_look(const char *path, enum root_stand *out)
{
	struct topic_place place;
	char name[NAME_MAX + 1];
	int parent = -1, rc = topic_locate(path, &place, NULL);

	if (rc == STATUS_NOT_TOPIC)
		return look_inside(path, out);
	*out = rc == STATUS_NO_TOPIC ? ROOT_MISSING : ROOT_NOT;
	if (rc == 0)
		topic_place_close(&place);
	if (rc != STATUS_NO_TOPIC)
		return rc;
	rc = topic_open_parent(path, &parent, name);
	if (rc == 0 && faccessat(parent, name, F_OK, 0) == 0)
		*out = ROOT_NOT;
	(void)io_close(&parent);
	return rc;
}

int
root_make(const char *path)
{
	char name[NAME_MAX + 1];
	int parent = -1, rc = topic_open_parent(path, &parent, name);

	if (rc == 0)
		rc = io_mkdir(parent, name, 0777);
	if (rc == 0)
		rc = io_sync_dir(parent);
	(void)io_close(&parent);
	return rc == EEXIST ? 0 : rc;
}

void
root_sweep(const char *path)
{
	struct dirent *d;
	DIR *dir;

	if (dir_open(AT_FDCWD, path, &dir) != 0)
		return;
	while ((d = readdir(dir)) != NULL)
		if (topic_is_removed_name(d->d_name))
			(void)topic_remove_rest(dirfd(dir), d->d_name);
	closedir(dir);
}
