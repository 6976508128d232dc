#include "home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/pairs.h"
#include "base/status.h"
#include "store/access.h"
#include "store/cluster_id.h"

enum { FILE_MAX = 4096 };

/* Who made it at the same time has it, too: read it again. */
static int
make_id(int dirfd, const struct stat *root, char id[CLUSTER_ID_LEN + 1])
{
	struct buf text;
	int rc;

	rc = base64_id_make(id);
	if (rc != 0)
		return rc;
	buf_init(&text, FILE_MAX);
	rc = pairs_add(&text, CLUSTER_ID_KEY, id);
	if (rc == 0)
		rc = io_replace_file(dirfd, CLUSTER_ID_FILE, text.data,
		    text.len, access_file_mode(root->st_mode), root->st_gid);
	buf_release(&text);
	return rc == 0 ? cluster_id_read(dirfd, id) : rc;
}

static int
make_dir(int rootfd, const struct stat *root, int *fd)
{
	int rc =
	    io_mkdir(rootfd, CLUSTER_ID_DIR, access_dir_mode(root->st_mode));

	if (rc != 0 && rc != EEXIST)
		return rc;
	rc = io_open(rootfd, CLUSTER_ID_DIR, O_RDONLY | O_DIRECTORY, 0, fd);
	if (rc == 0)
		rc = io_set_access(*fd, access_dir_mode(root->st_mode),
		    root->st_gid);
	return rc == 0 ? io_sync_dir(rootfd) : rc;
}

static int
open_home(int rootfd, bool read_only, char id[CLUSTER_ID_LEN + 1])
{
	struct stat root;
	int fd = -1, rc;

	if (fstat(rootfd, &root) != 0)
		return errno;
	rc = io_open(rootfd, CLUSTER_ID_DIR, O_RDONLY | O_DIRECTORY, 0, &fd);
	if (rc == ENOENT && !read_only)
		rc = make_dir(rootfd, &root, &fd);
	if (rc == 0)
		rc = cluster_id_read(fd, id);
	if (rc == ENOENT && !read_only)
		rc = make_id(fd, &root, id);
	(void)io_close(&fd);
	return rc;
}

int
home_open(const char *root, bool read_only, struct home *out)
{
	int rootfd = -1, rc;

	rc = io_open(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0, &rootfd);
	if (rc != 0)
		return rc;
	snprintf(out->path, sizeof(out->path), "%s/%s", root, CLUSTER_ID_DIR);
	rc = open_home(rootfd, read_only, out->cluster_id);
	if (rc == ENOENT || rc == EACCES || rc == EROFS) {
		out->path[0] = '\0';
		rc = cluster_id_derive(rootfd, out->cluster_id);
	}
	(void)io_close(&rootfd);
	return rc;
}
