#include "tell.h"

#include <err.h>
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "store/topic.h"

static void
add(struct tell *t, const char *text)
{
	size_t len = strlen(text);

	if (len > TELL_LINE_MAX - 1 - t->len)
		len = TELL_LINE_MAX - 1 - t->len;
	memcpy(t->line + t->len, text, len);
	t->len += len;
	t->line[t->len] = '\0';
}

static bool
is_plain(const char *value)
{
	for (const char *c = value; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '"' ||
		    *c == '\\')
			return false;
	return value[0] != '\0';
}

static void
add_quoted(struct tell *t, const char *value)
{
	char one[8];

	add(t, "\"");
	for (const char *c = value; *c != '\0'; c++) {
		unsigned char u = (unsigned char)*c;

		if (u < ' ' || u == 0x7f)
			snprintf(one, sizeof(one), "\\x%02x", u);
		else if (u == '"' || u == '\\')
			snprintf(one, sizeof(one), "\\%c", u);
		else
			snprintf(one, sizeof(one), "%c", u);
		add(t, one);
	}
	add(t, "\"");
}

void
tell_begin(struct tell *t, const char *what)
{
	t->len = 0;
	add(t, what);
	add(t, ":");
}

void
tell_text(struct tell *t, const char *key, const char *value)
{
	if (value == NULL)
		return;
	add(t, " ");
	add(t, key);
	add(t, "=");
	if (is_plain(value))
		add(t, value);
	else
		add_quoted(t, value);
}

void
tell_number(struct tell *t, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	tell_text(t, key, text);
}

void
tell_partition(struct tell *t, const char *topic, int32_t number)
{
	char text[TOPIC_NAME_MAX + 16];

	snprintf(text, sizeof(text), "%s/%d", topic, (int)number);
	tell_text(t, "partition", text);
}

void
tell_end(struct tell *t)
{
	cli_warn("%s", t->line);
}

void
tell_error(struct tell *t)
{
	warnx("%s", t->line);
}
