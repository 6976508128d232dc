#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "store/batch.h"

static char dir[] = "/dev/shm/fuzz.XXXXXX";
static int dirfd_ = -1;

void
fuzz_fail(const char *file, int line, const char *text)
{
	fprintf(stderr, "# %s:%d: %s\n", file, line, text);
	abort();
}

uint8_t
fuzz_byte(struct fuzz_input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->data++;
}

uint64_t
fuzz_number(struct fuzz_input *in, int bytes)
{
	uint64_t n = 0;

	while (bytes-- > 0)
		n = n << 8 | fuzz_byte(in);
	return n;
}

const char *
fuzz_string(struct fuzz_input *in)
{
	static char *last;
	size_t len = strnlen((const char *)in->data, in->len);

	free(last);
	last = strndup((const char *)in->data, len);
	fuzz_must(last != NULL);
	in->data += len;
	in->len -= len;
	fuzz_byte(in);
	return last;
}

struct fuzz_input
fuzz_part(struct fuzz_input *in)
{
	struct fuzz_input part = {in->data, 0};

	if (in->len >= 2) {
		in->len -= 2;
		part.len =
		    (size_t)(in->data[in->len] << 8) | in->data[in->len + 1];
	}
	if (part.len > in->len)
		part.len = in->len;
	in->data += part.len;
	in->len -= part.len;
	return part;
}

static void
put(int fd, const void *data, size_t len)
{
	fuzz_must(ftruncate(fd, 0) == 0);
	fuzz_must(len == 0 || pwrite(fd, data, len, 0) == (ssize_t)len);
}

int
fuzz_file(const void *data, size_t len)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", 0);
	fuzz_must(fd >= 0);
	put(fd, data, len);
	return fd;
}

/* Remove all that is in it. */
static void
empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(copy);
	struct dirent *e;

	fuzz_must(d != NULL);
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) == 0)
			continue;
		copy = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY);
		fuzz_must(copy >= 0);
		empty(copy);
		close(copy);
		fuzz_must(unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0);
	}
	closedir(d);
}

static void
remove_dir(void)
{
	empty(dirfd_);
	(void)rmdir(dir);
}

int
fuzz_dirfd(void)
{
	if (dirfd_ < 0) {
		if (access("/dev/shm", W_OK) != 0)
			memmove(dir, "/tmp/fuzz.XXXXXX", 17);
		fuzz_must(mkdtemp(dir) != NULL);
		dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
		fuzz_must(dirfd_ >= 0);
		atexit(remove_dir);
	}
	return dirfd_;
}

const char *
fuzz_dir(void)
{
	(void)fuzz_dirfd();
	return dir;
}

void
fuzz_empty(void)
{
	empty(fuzz_dirfd());
}

void
fuzz_write(const char *name, const void *data, size_t len)
{
	int fd = openat(fuzz_dirfd(), name, O_RDWR | O_CREAT, 0666);

	fuzz_must(fd >= 0);
	put(fd, data, len);
	close(fd);
}

void
fuzz_sign(uint8_t *p, size_t len)
{
	struct batch b;

	for (size_t at = 0; at + BATCH_HEADER_LEN <= len;) {
		if (batch_decode(p + at, len - at, &b, NULL) != 0 ||
		    b.size > len - at) {
			at++;
			continue;
		}
		buf_put_32(p + at + BATCH_CRC,
		    crc32c(p + at + BATCH_ATTRIBUTES,
			b.size - BATCH_ATTRIBUTES));
		at += b.size;
	}
}
