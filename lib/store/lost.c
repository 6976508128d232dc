#include "store/lost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/now.h"
#include "store/access.h"
#include "store/partition_impl.h"

enum { COPY_BLOCK = 1 << 20 };

static int
open_dir(struct partition *p, int *dirfd)
{
	mode_t mode = p->file_mode | ((p->file_mode & 0444) >> 2);
	int rc = io_mkdir(p->dirfd, LOST_DIR, 0700);

	if (rc != 0 && rc != EEXIST)
		return rc;
	rc = io_open(p->dirfd, LOST_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
	    dirfd);
	if (rc == 0)
		rc = io_set_access(*dirfd, access_dir_mode(mode), p->gid);
	return rc == EPERM ? 0 : rc;
}

/* Make a file whose name begins with prefix. */
static int
make_file(struct partition *p, int dirfd, const char *prefix,
    char saved[LOST_NAME_LEN], int *fd)
{
	int64_t ms = now_wall_ms();
	int rc = EEXIST;

	while (rc == EEXIST) {
		snprintf(saved, LOST_NAME_LEN, "%.*s.%lld", LOST_NAME_LEN - 24,
		    prefix, (long long)ms++);
		rc = io_open(dirfd, saved, O_WRONLY | O_CREAT | O_EXCL, 0600,
		    fd);
	}
	return rc == 0 ? io_set_access(*fd, p->file_mode, p->gid) : rc;
}

static int
copy(int from, int64_t pos, int64_t len, int to)
{
	uint8_t *block = malloc(COPY_BLOCK);
	int rc = block == NULL ? ENOMEM : 0;

	for (int64_t at = 0; rc == 0 && at < len;) {
		int64_t want = len - at < COPY_BLOCK ? len - at : COPY_BLOCK;
		size_t got;

		rc = io_pread(from, block, (size_t)want, pos + at, &got);
		if (rc == 0 && got == 0)
			break;
		if (rc == 0)
			rc = io_pwrite_full(to, block, got, at);
		at += (int64_t)got;
	}
	free(block);
	return rc;
}

int
lost_save(struct partition *p, int fd, int64_t base, int64_t pos, int64_t len,
    char saved[LOST_NAME_LEN])
{
	char prefix[LOST_NAME_LEN - 24];
	int dirfd = -1, to = -1, rc = open_dir(p, &dirfd);

	snprintf(prefix, sizeof(prefix), "%020lld.log.%lld", (long long)base,
	    (long long)pos);
	if (rc == 0)
		rc = make_file(p, dirfd, prefix, saved, &to);
	if (rc == 0)
		rc = copy(fd, pos, len, to);
	if (rc == 0)
		rc = io_sync(to);
	if (rc == 0)
		rc = io_sync_dir(dirfd);
	(void)io_close(&to);
	(void)io_close(&dirfd);
	return rc == 0 ? io_sync_dir(p->dirfd) : rc;
}

int
lost_move(struct partition *p, const char *name, char saved[LOST_NAME_LEN])
{
	char to[LOST_NAME_LEN + sizeof(LOST_DIR)];
	int dirfd = -1, rc = open_dir(p, &dirfd);

	snprintf(saved, LOST_NAME_LEN, "%.*s.%lld", LOST_NAME_LEN - 24, name,
	    (long long)now_wall_ms());
	snprintf(to, sizeof(to), LOST_DIR "/%s", saved);
	if (rc == 0)
		rc = io_rename(p->dirfd, name, to);
	if (rc == 0)
		rc = io_sync_dir(dirfd);
	(void)io_close(&dirfd);
	return rc == 0 ? io_sync_dir(p->dirfd) : rc;
}
