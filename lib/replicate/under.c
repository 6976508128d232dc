#include "replicate/under.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
has_parent(const char *path)
{
	for (const char *at = path; *at != '\0';) {
		size_t len = strcspn(at, "/");

		if (len == 2 && strncmp(at, "..", 2) == 0)
			return true;
		at += len;
		at += strspn(at, "/");
	}
	return false;
}

/* Both without links. */
static bool
is_below(const char *path, const char *dir)
{
	size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	return strncmp(path, dir, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0');
}

static void
strip_slashes(char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
}

/*
 * The last part of path goes to name, what it is in stays.  False: there is
 * only one.
 */
static bool
split(char *path, char name[PATH_MAX])
{
	char *slash;

	strip_slashes(path);
	slash = strrchr(path, '/');
	if (slash == NULL || strcmp(path, "/") == 0)
		return false;
	strlcpy(name, slash + 1, PATH_MAX);
	slash[slash == path] = '\0';
	return true;
}

/* It is not there: what is, of the directories that it would be in? */
static int
resolve_missing(const char *dir, char *path, char out[PATH_MAX])
{
	char name[PATH_MAX], last[PATH_MAX], real[PATH_MAX];
	int rc = 0;

	if (!split(path, name))
		return ENOENT;
	while (realpath(path, real) == NULL) {
		rc = errno;
		if ((rc != ENOENT && rc != ENOTDIR) || !split(path, last))
			return rc;
	}
	if (!is_below(real, dir))
		return EXDEV;
	if (rc != 0)
		return rc;
	return snprintf(out, PATH_MAX, "%s/%s",
		   strcmp(real, "/") == 0 ? "" : real, name) >= PATH_MAX
	    ? ENAMETOOLONG
	    : 0;
}

int
under_resolve(const char *dir, const char *path, char out[PATH_MAX])
{
	char real_dir[PATH_MAX], whole[PATH_MAX];
	int len;

	if (has_parent(path))
		return EXDEV;
	if (realpath(dir, real_dir) == NULL)
		return errno;
	if (path[0] == '/')
		len = snprintf(whole, sizeof(whole), "%s", path);
	else
		len = snprintf(whole, sizeof(whole), "%s/%s", real_dir, path);
	if (len >= PATH_MAX)
		return ENAMETOOLONG;
	strip_slashes(whole);
	if (realpath(whole, out) != NULL)
		return is_below(out, real_dir) ? 0 : EXDEV;
	if (errno != ENOENT && errno != ENOTDIR)
		return errno;
	return resolve_missing(real_dir, whole, out);
}
