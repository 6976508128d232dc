#include "store/cluster_id.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/pairs.h"
#include "base/siphash.h"
#include "base/status.h"

enum { FILE_MAX = 4096 };

int
cluster_id_derive(int rootfd, char id[CLUSTER_ID_LEN + 1])
{
	static const uint64_t key[2] = {0x6c6f6773, 0x65727665};
	uint64_t place[2];
	struct siphash h;
	struct stat st;

	if (fstat(rootfd, &st) != 0)
		return errno;
	place[0] = (uint64_t)st.st_dev;
	place[1] = (uint64_t)st.st_ino;
	h = siphash_128(key, place, sizeof(place));
	base64_id_encode((const uint8_t *)&h, id);
	return 0;
}

static bool
is_id(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= CLUSTER_ID_LEN && strspn(s, BASE64_URL) == len;
}

static int
find_id(const struct buf *text, char id[CLUSTER_ID_LEN + 1])
{
	const char *key, *value;
	struct pairs p;
	int rc;

	id[0] = '\0';
	pairs_init(&p, text->data, text->len);
	while ((rc = pairs_next(&p, &key, &value)) == 0)
		if (strcmp(key, CLUSTER_ID_KEY) == 0 && is_id(value))
			strlcpy(id, value, CLUSTER_ID_LEN + 1);
	pairs_release(&p);
	if (rc == STATUS_END)
		rc = id[0] != '\0' ? 0 : STATUS_SYNTAX;
	return rc;
}

int
cluster_id_read(int dirfd, char id[CLUSTER_ID_LEN + 1])
{
	struct buf text;
	int rc;

	buf_init(&text, FILE_MAX);
	rc = io_read_file(dirfd, CLUSTER_ID_FILE, FILE_MAX, &text);
	if (rc == 0)
		rc = find_id(&text, id);
	buf_release(&text);
	return rc;
}

int
cluster_id_of(int rootfd, char id[CLUSTER_ID_LEN + 1])
{
	int fd = -1;
	int rc =
	    io_open(rootfd, CLUSTER_ID_DIR, O_RDONLY | O_DIRECTORY, 0, &fd);

	if (rc == 0)
		rc = cluster_id_read(fd, id);
	(void)io_close(&fd);
	return rc == ENOENT || rc == EACCES ? cluster_id_derive(rootfd, id)
					    : rc;
}

void
cluster_id_hash(const char *id, uint8_t out[CLUSTER_ID_HASH_LEN])
{
	/* Fixed: it is to be the same everywhere. */
	static const uint64_t key[2] = {0x6b61666b61746f70, 0x69636964656e7469};
	struct siphash h = siphash_128(key, id, strlen(id));

	memcpy(out, &h, CLUSTER_ID_HASH_LEN);
}

void
cluster_id_topic(const char *cluster, const char *name, const uint8_t id[16],
    uint8_t out[16 + CLUSTER_ID_HASH_LEN])
{
	static const uint8_t none[16];
	uint64_t key[2];
	struct siphash h;

	cluster_id_hash(cluster, out + 16);
	if (memcmp(id, none, sizeof(none)) != 0) {
		memcpy(out, id, 16);
		return;
	}
	memcpy(key, out + 16, sizeof(key));
	h = siphash_128(key, name, strlen(name));
	memcpy(out, &h, 16);
}
