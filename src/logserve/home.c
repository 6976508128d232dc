#include "home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/pairs.h"
#include "base/siphash.h"
#include "base/status.h"
#include "store/access.h"

#define CLUSTER_FILE "cluster.properties"
#define CLUSTER_KEY "cluster.id"

enum { FILE_MAX = 4096 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789-_";

/* --- ids ------------------------------------------------------------------ */

/* 16 bytes in 22 characters of base64url. */
static void
to_text(const uint8_t noise[16], char id[HOME_CLUSTER_ID_LEN + 1])
{
	uint32_t bits = 0;
	int have = 0, at = 0;

	for (int i = 0; i < HOME_CLUSTER_ID_LEN; i++) {
		if (have < 6) {
			bits = bits << 8 | (at < 16 ? noise[at] : 0);
			at++;
			have += 8;
		}
		have -= 6;
		id[i] = digits[bits >> have & 63];
	}
	id[HOME_CLUSTER_ID_LEN] = '\0';
}

/* Of the directory itself, which is the same until it is copied. */
static int
derive(const char *root, char id[HOME_CLUSTER_ID_LEN + 1])
{
	static const uint64_t key[2] = {0x6c6f6773, 0x65727665};
	uint64_t place[2];
	struct siphash h;
	struct stat st;

	if (stat(root, &st) != 0)
		return errno;
	place[0] = (uint64_t)st.st_dev;
	place[1] = (uint64_t)st.st_ino;
	h = siphash_128(key, place, sizeof(place));
	to_text((const uint8_t *)&h, id);
	return 0;
}

static bool
is_id(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= HOME_CLUSTER_ID_LEN &&
	    strspn(s, digits) == len;
}

/* --- the file ------------------------------------------------------------- */

static int
find_id(const struct buf *text, char id[HOME_CLUSTER_ID_LEN + 1])
{
	const char *key, *value;
	struct pairs p;
	int rc;

	id[0] = '\0';
	pairs_init(&p, text->data, text->len);
	while ((rc = pairs_next(&p, &key, &value)) == 0)
		if (strcmp(key, CLUSTER_KEY) == 0 && is_id(value))
			strlcpy(id, value, HOME_CLUSTER_ID_LEN + 1);
	pairs_release(&p);
	if (rc == STATUS_END)
		rc = id[0] != '\0' ? 0 : STATUS_SYNTAX;
	return rc;
}

static int
read_id(int dirfd, char id[HOME_CLUSTER_ID_LEN + 1])
{
	struct buf text;
	int rc;

	buf_init(&text, FILE_MAX);
	rc = io_read_file(dirfd, CLUSTER_FILE, FILE_MAX, &text);
	if (rc == 0)
		rc = find_id(&text, id);
	buf_release(&text);
	return rc;
}

/* Who made it at the same time has it, too: read it again. */
static int
make_id(int dirfd, const struct stat *root, char id[HOME_CLUSTER_ID_LEN + 1])
{
	uint8_t noise[16];
	struct buf text;
	int rc;

	if (getrandom(noise, sizeof(noise), 0) != sizeof(noise))
		return STATUS_FAILED;
	to_text(noise, id);
	buf_init(&text, FILE_MAX);
	rc = pairs_add(&text, CLUSTER_KEY, id);
	if (rc == 0)
		rc = io_replace_file(dirfd, CLUSTER_FILE, text.data, text.len,
		    access_file_mode(root->st_mode), root->st_gid);
	buf_release(&text);
	return rc == 0 ? read_id(dirfd, id) : rc;
}

static int
make_dir(int rootfd, const struct stat *root, int *fd)
{
	int rc = io_mkdir(rootfd, HOME_DIR, access_dir_mode(root->st_mode));

	if (rc != 0 && rc != EEXIST)
		return rc;
	rc = io_open(rootfd, HOME_DIR, O_RDONLY | O_DIRECTORY, 0, fd);
	if (rc == 0)
		rc = io_set_access(*fd, access_dir_mode(root->st_mode),
		    root->st_gid);
	return rc == 0 ? io_sync_dir(rootfd) : rc;
}

static int
open_home(int rootfd, bool read_only, char id[HOME_CLUSTER_ID_LEN + 1])
{
	struct stat root;
	int fd = -1, rc;

	if (fstat(rootfd, &root) != 0)
		return errno;
	rc = io_open(rootfd, HOME_DIR, O_RDONLY | O_DIRECTORY, 0, &fd);
	if (rc == ENOENT && !read_only)
		rc = make_dir(rootfd, &root, &fd);
	if (rc == 0)
		rc = read_id(fd, id);
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
	snprintf(out->path, sizeof(out->path), "%s/%s", root, HOME_DIR);
	rc = open_home(rootfd, read_only, out->cluster_id);
	(void)io_close(&rootfd);
	if (rc == ENOENT || rc == EACCES || rc == EROFS) {
		out->path[0] = '\0';
		rc = derive(root, out->cluster_id);
	}
	return rc;
}
