#include "tool/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/status.h"

void
cursor_init(struct cursor *c)
{
	*c = (struct cursor){NULL, 0};
}

void
cursor_release(struct cursor *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->entries[i].topic);
	free(c->entries);
	cursor_init(c);
}

/* The line of that id, or one without an id that has the name. */
static struct cursor_entry *
find(const struct cursor *c, const char *topic, const char *id,
    int32_t partition)
{
	struct cursor_entry *named = NULL;

	for (size_t i = 0; i < c->count; i++) {
		struct cursor_entry *e = &c->entries[i];

		if (e->partition != partition)
			continue;
		if (*id != '\0' && strcmp(e->id, id) == 0)
			return e;
		if (e->id[0] == '\0' && strcmp(e->topic, topic) == 0)
			named = e;
	}
	return named;
}

int64_t
cursor_get(const struct cursor *c, const char *topic, const char *id,
    int32_t partition)
{
	struct cursor_entry *e = find(c, topic, id, partition);

	return e == NULL ? -1 : e->offset;
}

int
cursor_set(struct cursor *c, const char *topic, const char *id,
    int32_t partition, int64_t offset)
{
	struct cursor_entry *e = find(c, topic, id, partition);

	if (e == NULL) {
		struct cursor_entry *entries =
		    reallocarray(c->entries, c->count + 1, sizeof(*entries));

		if (entries == NULL)
			return ENOMEM;
		c->entries = entries;
		e = &entries[c->count];
		e->topic = strdup(topic);
		if (e->topic == NULL)
			return ENOMEM;
		e->partition = partition;
		c->count++;
	}
	strlcpy(e->id, id, sizeof(e->id));
	e->offset = offset;
	return 0;
}

static int
parse_line(struct cursor *c, char *line)
{
	char *topic = strsep(&line, " ");
	char *partition = strsep(&line, " ");
	char *offset = strsep(&line, " ");
	int64_t p, o;

	if (offset == NULL || !topic_is_name(topic) ||
	    parse_int(partition, 0, PARTITIONS_MAX, &p) != 0 ||
	    parse_int(offset, 0, INT64_MAX, &o) != 0 ||
	    (line != NULL && strlen(line) != TOPIC_ID_LEN))
		return STATUS_SYNTAX;
	return cursor_set(c, topic, line != NULL ? line : "", (int32_t)p, o);
}

int
cursor_read(struct cursor *c, const char *path)
{
	struct buf b;
	char *rest, *line;
	int rc;

	buf_init(&b, TEXT_FILE_BYTES_MAX);
	rc = io_read_file(AT_FDCWD, path, TEXT_FILE_BYTES_MAX - 2, &b);
	if (rc == ENOENT) {
		buf_release(&b);
		return 0;
	}
	if (rc == 0)
		rc = buf_add_8(&b, 0);
	rest = (char *)b.data;
	while (rc == 0 && (line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			rc = parse_line(c, line);
	buf_release(&b);
	return rc;
}

int
cursor_may_write(const char *path)
{
	char real[PATH_MAX], dir[PATH_MAX];

	if (realpath(path, real) != NULL)
		path = real;
	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir))
		return ENAMETOOLONG;
	return access(dirname(dir), W_OK | X_OK) == 0 ? 0 : errno;
}

int
cursor_write(const struct cursor *c, const char *path)
{
	char real[PATH_MAX], dir[PATH_MAX], base[PATH_MAX];
	struct stat st = {.st_mode = 0644};
	struct buf b;
	int fd = -1, rc = 0;

	if (realpath(path, real) != NULL)
		path = real;
	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir))
		return ENAMETOOLONG;
	strlcpy(base, path, sizeof(base));
	buf_init(&b, TEXT_FILE_BYTES_MAX);
	for (size_t i = 0; rc == 0 && i < c->count; i++)
		rc = buf_addf(&b, "%s %" PRId32 " %" PRId64 "%s%s\n",
		    c->entries[i].topic, c->entries[i].partition,
		    c->entries[i].offset,
		    c->entries[i].id[0] != '\0' ? " " : "", c->entries[i].id);
	if (rc == 0)
		rc = io_open(AT_FDCWD, dirname(dir), O_RDONLY | O_DIRECTORY, 0,
		    &fd);
	if (stat(path, &st) != 0)
		st.st_gid = getegid();
	if (rc == 0)
		rc = io_replace_file(fd, basename(base), b.data, b.len,
		    st.st_mode & 0777, st.st_gid);
	(void)io_close(&fd);
	buf_release(&b);
	return rc;
}
