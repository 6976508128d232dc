#include "replicate/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "base/status.h"
#include "replicate/frame.h"

void
request_init(struct request *r)
{
	*r = (struct request){.send = false};
}

void
request_release(struct request *r)
{
	for (size_t i = 0; i < r->patterns.count; i++)
		free((void *)(uintptr_t)r->patterns.items[i]);
	free(r->patterns.items);
	r->patterns = (struct disk_patterns){NULL, 0};
}

int
request_add_pattern(struct request *r, const char *pattern)
{
	struct disk_patterns *p = &r->patterns;
	const char **more;

	if (p->count == REQUEST_PATTERNS_MAX)
		return STATUS_TOO_BIG;
	more = reallocarray(p->items, p->count + 1, sizeof(*more));
	if (more == NULL)
		return ENOMEM;
	p->items = more;
	more[p->count] = strdup(pattern);
	return more[p->count] == NULL ? ENOMEM : (p->count++, 0);
}

static int
put(struct buf *out, const char *name, const char *value)
{
	int rc = buf_add_str(out, name);

	if (rc == 0)
		rc = buf_add(out, value, strlen(value) + 1);
	return rc;
}

static int
put_flag(struct buf *out, const char *name, bool is)
{
	return is ? put(out, name, "1") : 0;
}

/* As parse_position() reads it, wherever and whenever that is. */
static int
put_from(struct buf *out, const struct position *from)
{
	char text[PARSE_TIME_TEXT + 1] = "@";

	switch (from->kind) {
	case POSITION_END:
		return put(out, "from=", "end");
	case POSITION_TIME:
		(void)parse_time_text(from->n, text + 1);
		return put(out, "from=", text);
	case POSITION_OFFSET:
	case POSITION_BACK:
		snprintf(text, sizeof(text), "%s%lld",
		    from->kind == POSITION_BACK ? "-" : "", (long long)from->n);
		return put(out, "from=", text);
	default:
		return 0;
	}
}

static int
put_number(struct buf *out, const char *name, int64_t value)
{
	char number[24];

	if (value == 0)
		return 0;
	snprintf(number, sizeof(number), "%lld", (long long)value);
	return put(out, name, number);
}

int
request_encode(const struct request *r, struct buf *out)
{
	int rc = put(out, "mode=", r->send ? "send" : "receive");

	if (rc == 0)
		rc = put(out, "path=", r->path);
	if (rc == 0 && r->source[0] != '\0')
		rc = put(out, "source=", r->source);
	if (rc == 0 && r->partitions_text != NULL)
		rc = put(out, "partitions=", r->partitions_text);
	for (size_t i = 0; rc == 0 && i < r->patterns.count; i++)
		rc = put(out, "pattern=", r->patterns.items[i]);
	if (rc == 0)
		rc = put_flag(out, "named=", r->named);
	if (rc == 0)
		rc = put_flag(out, "follow=", r->follow);
	if (rc == 0)
		rc = put_flag(out, "groups=", r->groups);
	if (rc == 0)
		rc = put_flag(out, "cut=", r->cut);
	if (rc == 0)
		rc = put_flag(out, "mirror=", r->mirror);
	if (rc == 0)
		rc = put_flag(out, "dry-run=", r->dry_run);
	if (rc == 0)
		rc = put_flag(out, "checksum=", r->checksum);
	if (rc == 0)
		rc = put_from(out, &r->from);
	if (rc == 0)
		rc = put_number(out, "rate=", r->rate);
	if (rc == 0)
		rc = put_number(out, "timeout=", r->timeout_ms);
	return rc;
}

static int
set_mode(struct request *r, const char *value)
{
	r->send = strcmp(value, "send") == 0;
	return r->send || strcmp(value, "receive") == 0 ? 0 : STATUS_SYNTAX;
}

static int
set_path(struct request *r, const char *value)
{
	if (value[0] == '\0' || strlen(value) >= sizeof(r->path))
		return STATUS_SYNTAX;
	strlcpy(r->path, value, sizeof(r->path));
	return 0;
}

static int
set_from(struct request *r, const char *value)
{
	return parse_position(value, 0, true, &r->from) == 0 &&
		r->from.kind != POSITION_STORED
	    ? 0
	    : STATUS_SYNTAX;
}

static int
set_flag(struct request *r, const char *name, const char *value)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {{"named", &r->named}, {"follow", &r->follow},
	    {"groups", &r->groups}, {"cut", &r->cut}, {"mirror", &r->mirror},
	    {"dry-run", &r->dry_run}, {"checksum", &r->checksum}};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(flags[i].name, name) != 0)
			continue;
		*flags[i].flag = true;
		return strcmp(value, "1") == 0 ? 0 : STATUS_SYNTAX;
	}
	return STATUS_SYNTAX;
}

static int
set_number(const char *value, int64_t min, int64_t max, int64_t *out)
{
	return parse_int(value, min, max, out) == 0 ? 0 : STATUS_SYNTAX;
}

static int
set(struct request *r, const char *name, const char *value)
{
	if (strcmp(name, "mode") == 0)
		return set_mode(r, value);
	if (strcmp(name, "path") == 0)
		return set_path(r, value);
	if (strcmp(name, "source") == 0) {
		/* It is shown to who asks for copies. */
		plain_copy(value, strlen(value), r->source, sizeof(r->source));
		return 0;
	}
	if (strcmp(name, "partitions") == 0)
		return parse_partitions(value, &r->partitions) == 0
		    ? 0
		    : STATUS_SYNTAX;
	if (strcmp(name, "rate") == 0)
		return set_number(value, 1, INT64_MAX, &r->rate);
	if (strcmp(name, "timeout") == 0)
		return set_number(value, REQUEST_TIMEOUT_MS_MIN,
		    REQUEST_TIMEOUT_MS_MAX, &r->timeout_ms);
	if (strcmp(name, "from") == 0)
		return set_from(r, value);
	if (strcmp(name, "pattern") == 0 &&
	    (value[0] == '+' || value[0] == '-'))
		return request_add_pattern(r, value);
	return set_flag(r, name, value);
}

int
request_decode(struct view data, struct request *r, char *bad, size_t size)
{
	char text[PATH_MAX + 64], *value;
	int rc = 0;

	strlcpy(bad, "", size);
	request_init(r);
	while (rc == 0 && data.len > 0) {
		rc = frame_string(&data, text, sizeof(text));
		if (rc != 0)
			rc = STATUS_SYNTAX;
		value = rc == 0 ? strchr(text, '=') : NULL;
		if (rc == 0 && value == NULL)
			rc = STATUS_SYNTAX;
		if (rc == 0) {
			strlcpy(bad, text, size);
			*value = '\0';
			rc = set(r, text, value + 1);
		}
	}
	if (rc == 0 && r->path[0] == '\0') {
		strlcpy(bad, "no path", size);
		rc = STATUS_SYNTAX;
	}
	if (rc != 0)
		request_release(r);
	return rc;
}
