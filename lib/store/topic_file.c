/* topic.properties: what a topic is. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/pairs.h"
#include "base/parse.h"
#include "store/access.h"
#include "store/topic_impl.h"

#define KEY_VERSION "logkit.version"
#define KEY_TOPIC "logkit.topic"
#define KEY_ID "logkit.topic.id"
#define KEY_PARTITIONS "logkit.partitions"

int
topic_write_file(const struct topic *t, const struct stat *dir)
{
	char number[TOPIC_NUMBER_TEXT];
	struct buf b;
	int rc;

	buf_init(&b, TEXT_FILE_BYTES_MAX);
	rc = buf_add_str(&b, "# A logkit topic; see logkit(5).\n");
	snprintf(number, sizeof(number), "%d", TOPIC_VERSION);
	if (rc == 0)
		rc = pairs_add(&b, KEY_VERSION, number);
	if (rc == 0)
		rc = pairs_add(&b, KEY_TOPIC, t->made_as);
	if (rc == 0)
		rc = pairs_add(&b, KEY_ID, t->id);
	snprintf(number, sizeof(number), "%d", t->partitions);
	if (rc == 0)
		rc = pairs_add(&b, KEY_PARTITIONS, number);
	if (rc == 0)
		rc = properties_write(&t->settings, &b);
	if (rc == 0)
		rc = io_replace_file(t->dirfd, TOPIC_FILE, b.data, b.len,
		    access_file_mode(dir->st_mode), dir->st_gid);
	buf_release(&b);
	return rc;
}

/* The version, before anything else is looked at: all may be different. */
static int
check_version(const struct buf *text, const char **what, int64_t *pos)
{
	struct pairs p;
	const char *key, *value;
	int64_t version = 0;
	int rc;

	pairs_init(&p, text->data, text->len);
	while ((rc = pairs_next(&p, &key, &value)) == 0) {
		if (strcmp(key, KEY_VERSION) != 0)
			continue;
		*pos = p.line_pos;
		*what = "bad " KEY_VERSION;
		version = 0;
		rc = parse_int(value, 1, INT64_MAX, &version);
		if (rc != 0)
			break;
	}
	if (rc == STATUS_END && version == 0)
		*what = "no " KEY_VERSION;
	pairs_release(&p);
	if (rc != STATUS_END && rc != STATUS_SYNTAX && rc != ERANGE)
		return rc;
	if (version == 0)
		return STATUS_SYNTAX;
	if (version <= TOPIC_VERSION)
		return 0;
	*what = "written by a newer version";
	return STATUS_NEWER;
}

static bool
is_id(const char *s)
{
	return strlen(s) == TOPIC_ID_LEN && s[0] != '-' &&
	    strspn(s, BASE64_URL) == TOPIC_ID_LEN;
}

static int
take_pair(struct topic *t, const char *key, const char *value,
    const char **what)
{
	enum properties_id id;
	int64_t n;

	if (strcmp(key, KEY_VERSION) == 0)
		return 0;
	if (strcmp(key, KEY_TOPIC) == 0) {
		*what = "bad " KEY_TOPIC;
		if (!topic_is_name(value))
			return STATUS_SYNTAX;
		strlcpy(t->made_as, value, sizeof(t->made_as));
		return 0;
	}
	if (strcmp(key, KEY_ID) == 0) {
		*what = "bad " KEY_ID;
		if (!is_id(value))
			return STATUS_SYNTAX;
		strlcpy(t->id, value, sizeof(t->id));
		return 0;
	}
	if (strcmp(key, KEY_PARTITIONS) == 0) {
		*what = "bad " KEY_PARTITIONS;
		if (parse_int(value, 1, PARTITIONS_MAX, &n) != 0)
			return STATUS_SYNTAX;
		t->partitions = (int32_t)n;
		return 0;
	}
	*what = "no such setting";
	if (properties_find(key, &id) != 0)
		return STATUS_SYNTAX;
	return properties_set(&t->settings, id, value, what) == 0
	    ? 0
	    : STATUS_SYNTAX;
}

static int
parse_text(const struct buf *text, struct topic *t, const char **what,
    int64_t *pos)
{
	struct pairs p;
	const char *key, *value;
	int rc;

	*what = "bad escape";
	rc = check_version(text, what, pos);
	if (rc != 0)
		return rc;
	t->made_as[0] = t->id[0] = '\0';
	t->partitions = 0;
	properties_init(&t->settings);
	pairs_init(&p, text->data, text->len);
	do {
		*what = "bad escape";
		rc = pairs_next(&p, &key, &value);
		if (rc == 0)
			rc = take_pair(t, key, value, what);
	} while (rc == 0);
	*pos = p.line_pos;
	pairs_release(&p);
	if (rc != STATUS_END)
		return rc;
	*what = t->made_as[0] == '\0' ? "no " KEY_TOPIC
	    : t->id[0] == '\0'        ? "no " KEY_ID
	    : t->partitions == 0      ? "no " KEY_PARTITIONS
				      : NULL;
	return *what == NULL ? 0 : STATUS_SYNTAX;
}

/* Read topic.properties of t->dirfd; path is for messages. */
int
topic_read_file(struct topic *t, const char *path, struct fault *fault)
{
	char file[sizeof(fault->file)];
	struct buf text;
	const char *what = "file is too large";
	int64_t pos = 0;
	int rc;

	buf_init(&text, TEXT_FILE_BYTES_MAX + 1);
	rc = io_read_file(t->dirfd, TOPIC_FILE, TEXT_FILE_BYTES_MAX, &text);
	if (rc == ENOENT || rc == EINVAL)
		rc = STATUS_NOT_TOPIC;
	else if (rc == STATUS_TOO_BIG)
		rc = STATUS_SYNTAX;
	else if (rc == 0)
		rc = parse_text(&text, t, &what, &pos);
	if (rc == STATUS_SYNTAX || rc == STATUS_NEWER) {
		snprintf(file, sizeof(file), "%.400s/%s", path, TOPIC_FILE);
		status_fault(fault, rc, file, pos, -1, what);
	}
	buf_release(&text);
	return rc;
}
