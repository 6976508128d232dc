#include "store/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "store/topic.h"

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
	int fd = -1, rc;

	*l = (struct root_list){NULL, 0};
	rc = io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &fd);
	if (rc != 0)
		return rc;
	dir = fdopendir(fd);
	if (dir == NULL) {
		rc = errno;
		(void)io_close(&fd);
		return rc;
	}
	while (errno = 0, rc == 0 && (d = readdir(dir)) != NULL)
		if (may_be_topic(fd, d))
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
