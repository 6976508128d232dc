#include "store/keyed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/access.h"
#include "store/batch.h"
#include "store/compact.h"
#include "store/properties.h"
#include "store/reader.h"

enum {
	BATCH_BYTES = 16 << 20,
	/* Compaction is thought of so often. */
	TIDY_RECORDS = 1024,
	/* Its share of memory for the keys. */
	KEYS_BYTES = 16 << 20,
};

struct keyed {
	char path[PATH_MAX];
	enum partition_mode mode;
	keyed_take *take;
	void *arg;
	struct partition *p;	/* NULL: there is none, and we only read */
	struct reader *r;
	struct buf scratch;
	struct batch_builder builder;
};

/* --- reading -------------------------------------------------------------- */

static int
read_on(struct keyed *k, struct fault *f)
{
	struct batch_records it;
	const uint8_t *data;
	struct record rec;
	struct batch b;
	int rc;

	while ((rc = reader_next(k->r, &b, &data, f)) == 0 ||
	    rc == STATUS_OFFSET) {
		if (rc == STATUS_OFFSET)
			continue;
		rc = batch_records_init(&it, data, &b, &k->scratch);
		while (rc == 0 && (rc = batch_records_next(&it, &rec)) == 0)
			rc = k->take(k->arg, &rec);
		if (rc == STATUS_CORRUPT)
			rc = reader_fault(k->r, &b, "records do not add up", f);
		if (rc != STATUS_END)
			return rc;
	}
	return rc == STATUS_END ? 0 : rc;
}

static int open_partition(struct keyed *k, struct fault *f);

int
keyed_refresh(struct keyed *k, struct fault *f)
{
	int rc;

	if (k->take == NULL)
		return 0;
	/* There was none when it was opened: is there one now? */
	if (k->r == NULL) {
		rc = open_partition(k, f);
		if (rc == 0 || k->r != NULL)
			return rc;
		partition_close(k->p);
		k->p = NULL;
		return rc;
	}
	rc = reader_refresh(k->r, f);
	return rc == 0 ? read_on(k, f) : rc;
}

/* --- opening -------------------------------------------------------------- */

/* The settings of the small partition that it is. */
static int
settings_of(struct properties *props)
{
	const char *why;
	int rc;

	properties_init(props);
	rc = properties_set(props, PROPERTIES_SEGMENT_BYTES, "1048576", &why);
	if (rc == 0)
		rc = properties_set(props, PROPERTIES_CLEANUP_POLICY, "compact",
		    &why);
	if (rc == 0)
		rc = properties_set(props, PROPERTIES_MAX_MESSAGE_BYTES,
		    "16777216", &why);
	return rc;
}

int
keyed_make_directory(int parentfd, const char *path)
{
	const char *name = strrchr(path, '/');
	struct stat st;
	int fd = -1, rc;

	name = name == NULL ? path : name + 1;
	if (fstat(parentfd, &st) != 0)
		return errno;
	rc = io_mkdir(parentfd, name, access_dir_mode(st.st_mode));
	if (rc == EEXIST)
		return 0;
	if (rc == 0)
		rc = io_open(parentfd, name, O_RDONLY | O_DIRECTORY, 0, &fd);
	if (rc == 0)
		rc = io_set_access(fd, access_dir_mode(st.st_mode), st.st_gid);
	if (rc == 0)
		rc = io_sync_dir(parentfd);
	(void)io_close(&fd);
	return rc;
}

static int
open_partition(struct keyed *k, struct fault *f)
{
	struct partition_settings settings;
	struct properties props;
	int rc = settings_of(&props);

	partition_settings_of(&props, &settings);
	if (rc == 0)
		rc = partition_open(k->path, k->mode, &settings, &k->p, f);
	if (rc == ENOENT && k->mode == PARTITION_READ)
		return 0;
	if (rc == 0 && k->take == NULL)
		return 0;
	if (rc == 0)
		rc = reader_open(k->p, 0, 0, &k->r, f);
	return rc == 0 ? keyed_refresh(k, f) : rc;
}

int
keyed_open(int parentfd, const char *path, enum partition_mode mode,
    keyed_take *take, void *arg, struct keyed **out, struct fault *f)
{
	struct keyed *k = calloc(1, sizeof(*k));
	int rc = 0;

	if (k == NULL)
		return ENOMEM;
	buf_init(&k->scratch, RECORDS_BYTES_MAX);
	batch_builder_init(&k->builder, CODEC_NONE, INT32_MIN, BATCH_BYTES);
	strlcpy(k->path, path, sizeof(k->path));
	k->mode = mode;
	k->take = take;
	k->arg = arg;
	if (mode != PARTITION_READ)
		rc = keyed_make_directory(parentfd, path);
	if (rc == 0)
		rc = open_partition(k, f);
	if (rc != 0) {
		keyed_close(k);
		return rc;
	}
	*out = k;
	return 0;
}

void
keyed_close(struct keyed *k)
{
	if (k == NULL)
		return;
	reader_close(k->r);
	partition_close(k->p);
	buf_release(&k->scratch);
	batch_builder_release(&k->builder);
	free(k);
}

void
keyed_wait_until(struct keyed *k, int64_t until_ms)
{
	partition_wait_until(k->p, until_ms);
}

const char *
keyed_path(const struct keyed *k)
{
	return k->path;
}

int
keyed_dirfd(const struct keyed *k)
{
	return k->p == NULL ? -1 : partition_dirfd(k->p);
}

/* --- writing -------------------------------------------------------------- */

/* Sealed segments are compacted now and then, by whoever writes. */
static void
tidy(struct keyed *k)
{
	struct compact_options o;
	struct compact_stats stats;
	struct properties props;
	bool due = false;

	/* It is an extra: what fails here will be done by another. */
	if (settings_of(&props) != 0)
		return;
	compact_options_of(&props, now_wall_ms(), &o);
	o.memory = KEYS_BYTES;
	if (compact_is_due(k->p, &o, &due) == 0 && due)
		(void)compact_run(k->p, &o, &stats, NULL);
}

int
keyed_add(struct keyed *k, const struct record *rec)
{
	return batch_builder_add(&k->builder, rec);
}

void
keyed_drop(struct keyed *k)
{
	k->builder.count = 0;
}

int
keyed_write(struct keyed *k, struct fault *f)
{
	struct partition_append a = {.checked = true, .expect = -1};
	const uint8_t *data;
	size_t size;
	int rc;

	if (k->builder.count == 0)
		return 0;
	rc = batch_builder_finish(&k->builder, &data, &size);
	keyed_drop(k);
	if (rc != 0)
		return rc;
	a.data = (uint8_t *)(uintptr_t)data;
	a.len = size;
	rc = partition_append(k->p, &a, f);
	if (rc == 0 && k->mode == PARTITION_WRITE)
		rc = partition_sync(k->p, f);
	if (rc == 0 &&
	    a.base_offset / TIDY_RECORDS != a.end_offset / TIDY_RECORDS)
		tidy(k);
	return rc;
}

int
keyed_sync(struct keyed *k, struct fault *f)
{
	return partition_sync(k->p, f);
}
