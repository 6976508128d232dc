#include "store/origin.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/pairs.h"
#include "base/parse.h"
#include "base/status.h"
#include "store/access.h"

#define KEY_VERSION "logkit.version"
#define KEY_SOURCE "source"
#define KEY_SEEN "seen.ms"
#define KEY_END "end."
#define KEY_BEGIN "begin."
#define KEY_OTHER "other."
#define KEY_SETTING "setting."

/* Of a great many partitions. */
enum { BYTES_MAX = 4 << 20 };

void
origin_init(struct origin *o)
{
	*o = (struct origin){.seen_ms = -1};
	properties_init(&o->settings);
}

void
origin_release(struct origin *o)
{
	free(o->ends);
	free(o->begins);
	free(o->others);
	origin_init(o);
}

static int
grow(int64_t **list, int32_t have, int32_t count)
{
	int64_t *more = reallocarray(*list, (size_t)count, sizeof(*more));

	if (more == NULL)
		return ENOMEM;
	*list = more;
	while (have < count)
		more[have++] = -1;
	return 0;
}

int
origin_grow(struct origin *o, int32_t count)
{
	int rc;

	if (count <= o->count)
		return 0;
	rc = grow(&o->ends, o->count, count);
	if (rc == 0)
		rc = grow(&o->begins, o->count, count);
	if (rc == 0)
		rc = grow(&o->others, o->count, count);
	if (rc == 0)
		o->count = count;
	return rc;
}

/* An offset of a partition, in one of the lists, which grows with the rest. */
static int
set_offset(struct origin *o, int64_t **list, const char *number,
    const char *value)
{
	int64_t n, offset;
	int rc;

	if (parse_int(number, 0, PARTITIONS_MAX - 1, &n) != 0 ||
	    parse_int(value, 0, INT64_MAX, &offset) != 0)
		return STATUS_SYNTAX;
	rc = origin_grow(o, (int32_t)n + 1);
	if (rc == 0)
		(*list)[n] = offset;
	return rc;
}

/* What a later version may add is left out. */
static int
set(struct origin *o, const char *key, const char *value)
{
	enum properties_id id;
	int64_t n;

	if (strcmp(key, KEY_VERSION) == 0) {
		if (parse_int(value, 1, INT64_MAX, &n) != 0)
			return STATUS_SYNTAX;
		return n > ORIGIN_VERSION ? STATUS_NEWER : 0;
	}
	if (strcmp(key, KEY_SOURCE) == 0)
		strlcpy(o->source, value, sizeof(o->source));
	if (strcmp(key, KEY_SEEN) == 0)
		return parse_int(value, 0, INT64_MAX, &o->seen_ms);
	if (strncmp(key, KEY_END, strlen(KEY_END)) == 0)
		return set_offset(o, &o->ends, key + strlen(KEY_END), value);
	if (strncmp(key, KEY_BEGIN, strlen(KEY_BEGIN)) == 0)
		return set_offset(o, &o->begins, key + strlen(KEY_BEGIN),
		    value);
	if (strncmp(key, KEY_OTHER, strlen(KEY_OTHER)) == 0)
		return set_offset(o, &o->others, key + strlen(KEY_OTHER),
		    value);
	if (strncmp(key, KEY_SETTING, strlen(KEY_SETTING)) == 0 &&
	    properties_find(key + strlen(KEY_SETTING), &id) == 0)
		return properties_set(&o->settings, id, value, NULL);
	if (strncmp(key, LINEAGE_KEY, strlen(LINEAGE_KEY)) == 0)
		return lineage_set(&o->lineage, key + strlen(LINEAGE_KEY),
		    value);
	return 0;
}

int
origin_read(int dirfd, struct origin *o)
{
	const char *key, *value;
	struct pairs p;
	struct buf text;
	int rc;

	buf_init(&text, BYTES_MAX);
	rc = io_read_file(dirfd, ORIGIN_FILE, BYTES_MAX, &text);
	if (rc != 0) {
		buf_release(&text);
		return rc;
	}
	lineage_init(&o->lineage);
	pairs_init(&p, text.data, text.len);
	while ((rc = pairs_next(&p, &key, &value)) == 0 &&
	    (rc = set(o, key, value)) == 0)
		continue;
	pairs_release(&p);
	/* Of a crash: begun and not written. */
	if (rc == STATUS_END && text.len == 0)
		rc = STATUS_SYNTAX;
	buf_release(&text);
	return rc == STATUS_END ? 0 : rc == ERANGE ? STATUS_SYNTAX : rc;
}

static int
add_number(struct buf *out, const char *key, int64_t n)
{
	return buf_addf(out, "%s=%lld\n", key, (long long)n);
}

static int
add_settings(struct buf *out, const struct properties *p)
{
	int rc = 0;

	for (int id = 0; rc == 0 && id < PROPERTIES_COUNT; id++) {
		if (!p->values[id].is_set)
			continue;
		rc = buf_addf(out, "%s%s=", KEY_SETTING,
		    properties_info((enum properties_id)id)->name);
		if (rc == 0)
			rc = properties_text(p, (enum properties_id)id, out);
		if (rc == 0)
			rc = buf_add_str(out, "\n");
	}
	return rc;
}

static int
add_offsets(struct buf *out, const char *key, const int64_t *offsets,
    int32_t count)
{
	int rc = 0;

	for (int32_t n = 0; rc == 0 && n < count; n++)
		if (offsets[n] >= 0)
			rc = buf_addf(out, "%s%d=%lld\n", key, (int)n,
			    (long long)offsets[n]);
	return rc;
}

static int
add_all(struct buf *out, const struct origin *o)
{
	int rc = buf_add_str(out, "# Of a copy; see logkit(5).\n");

	if (rc == 0)
		rc = add_number(out, KEY_VERSION, ORIGIN_VERSION);
	if (rc == 0 && o->source[0] != '\0')
		rc = pairs_add(out, KEY_SOURCE, o->source);
	if (rc == 0 && o->seen_ms >= 0)
		rc = add_number(out, KEY_SEEN, o->seen_ms);
	if (rc == 0)
		rc = add_offsets(out, KEY_END, o->ends, o->count);
	if (rc == 0)
		rc = add_offsets(out, KEY_BEGIN, o->begins, o->count);
	if (rc == 0)
		rc = add_offsets(out, KEY_OTHER, o->others, o->count);
	if (rc == 0)
		rc = add_settings(out, &o->settings);
	return rc == 0 ? lineage_add(&o->lineage, out) : rc;
}

/* As io_replace_file(), but for the syncs. */
static int
replace(int dirfd, const struct buf *text, mode_t mode, gid_t gid)
{
	static const char tmp[] = ORIGIN_FILE ".tmp";
	int fd = -1, close_rc;
	int rc = io_open_anew(dirfd, tmp, &fd);

	if (rc != 0)
		return rc;
	rc = io_set_access(fd, mode, gid);
	if (rc == 0)
		rc = io_write_full(fd, text->data, text->len);
	close_rc = io_close(&fd);
	if (rc == 0)
		rc = close_rc;
	if (rc == 0)
		rc = io_rename(dirfd, tmp, ORIGIN_FILE);
	if (rc != 0)
		(void)io_unlink(dirfd, tmp);
	return rc;
}

int
origin_write(int dirfd, const struct origin *o, bool durable)
{
	struct stat st;
	struct buf text;
	mode_t mode;
	int rc;

	if (fstat(dirfd, &st) != 0)
		return errno;
	mode = access_file_mode(st.st_mode);
	buf_init(&text, BYTES_MAX);
	rc = add_all(&text, o);
	if (rc == 0 && durable)
		rc = io_replace_file(dirfd, ORIGIN_FILE, text.data, text.len,
		    mode, st.st_gid);
	else if (rc == 0)
		rc = replace(dirfd, &text, mode, st.st_gid);
	buf_release(&text);
	return rc;
}
