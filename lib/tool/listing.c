#include "tool/listing.h"

#include <assert.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cli.h"
#include "base/status.h"
#include "text/json.h"

enum { TIME_TEXT = 64 };

void
listing_init(struct listing *l, const struct listing_column *columns, bool json)
{
	*l = (struct listing){.columns = columns, .json = json};
	buf_init(&l->cells, SIZE_MAX / 2);
	for (size_t i = 0; columns[i].field != NULL; i++)
		assert(i < LISTING_COLUMNS_MAX);
}

void
listing_release(struct listing *l)
{
	buf_release(&l->cells);
}

static void
check(int rc)
{
	if (rc != 0)
		errx(CLI_FAIL, "%s", status_text(rc));
}

static void
write_cells(struct listing *l)
{
	(void)fwrite(l->cells.data, 1, l->cells.len, stdout);
	l->cells.len = 0;
}

/* A cell as JSON has it; the last of a row ends the object. */
/* Bytes that are no UTF-8 are told as U+FFFD: it is JSON whatever a name is. */
static void
add_string(struct listing *l, const char *text)
{
	static const uint8_t unknown[] = {0xef, 0xbf, 0xbd};
	struct buf b;

	if (json_is_utf8((const uint8_t *)text, strlen(text))) {
		check(json_write_string(&l->cells, (const uint8_t *)text,
		    strlen(text)));
		return;
	}
	buf_init(&b, SIZE_MAX / 2);
	for (; *text != '\0'; text++)
		check((unsigned char)*text < 0x80
			? buf_add_8(&b, (uint8_t)*text)
			: buf_add(&b, unknown, sizeof(unknown)));
	check(json_write_string(&l->cells, b.data, b.len));
	buf_release(&b);
}

static void
add_json(struct listing *l, const char *text, bool quoted)
{
	const struct listing_column *c = &l->columns[l->column];

	check(buf_addf(&l->cells, "%s\"%s\":", l->column == 0 ? "{" : ",",
	    c->field));
	if (quoted)
		add_string(l, text);
	else
		check(buf_add_str(&l->cells, text));
	l->column++;
	if (l->columns[l->column].field != NULL)
		return;
	check(buf_add_str(&l->cells, "}\n"));
	write_cells(l);
	l->column = 0;
}

static void
add_text(struct listing *l, const char *text, bool right)
{
	size_t len = strlen(text);

	if (l->columns[l->column].title != NULL) {
		check(buf_add(&l->cells, text, len + 1));
		if (len > l->width[l->column])
			l->width[l->column] = len;
		if (right)
			l->right[l->column] = true;
	}
	l->column++;
	if (l->columns[l->column].field == NULL)
		l->column = 0;
}

void
listing_text(struct listing *l, const char *text)
{
	if (l->json)
		add_json(l, text, true);
	else
		add_text(l, text, false);
}

void
listing_number(struct listing *l, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%jd", (intmax_t)n);
	if (l->json)
		add_json(l, text, false);
	else
		add_text(l, text, true);
}

/* 2026-01-31T12:00:00.123+01:00 or, in UTC, ...Z; digits if it is too far. */
static void
format_time(int64_t ms, char out[TIME_TEXT])
{
	time_t s = ms / 1000;
	char date[40];
	struct tm tm;
	long east;

	if ((cli_utc ? gmtime_r(&s, &tm) : localtime_r(&s, &tm)) == NULL ||
	    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
		snprintf(out, TIME_TEXT, "%jd", (intmax_t)ms);
		return;
	}
	east = tm.tm_gmtoff / 60;
	if (east == 0)
		snprintf(out, TIME_TEXT, "%s.%03dZ", date, (int)(ms % 1000));
	else
		snprintf(out, TIME_TEXT, "%s.%03d%c%02ld:%02ld", date,
		    (int)(ms % 1000), east < 0 ? '-' : '+',
		    (east < 0 ? -east : east) / 60,
		    (east < 0 ? -east : east) % 60);
}

void
listing_time(struct listing *l, int64_t ms)
{
	char text[TIME_TEXT];

	if (ms < 0) {
		listing_none(l);
	} else if (l->json) {
		listing_number(l, ms);
	} else {
		format_time(ms, text);
		add_text(l, text, false);
	}
}

void
listing_none(struct listing *l)
{
	if (l->json)
		add_json(l, "null", false);
	else
		add_text(l, "-", false);
}

/* The column after i that text shows; at the end the first one. */
static size_t
next_column(const struct listing *l, size_t i, bool *last)
{
	*last = false;
	for (;;) {
		i++;
		if (l->columns[i].field == NULL) {
			*last = true;
			i = 0;
		}
		if (l->columns[i].title != NULL)
			return i;
	}
}

/* Print cells, count of them, in rows; blanks do not end a line. */
static void
print_cells(const struct listing *l, const char *cell, size_t len)
{
	const char *end = cell + len;
	size_t next, i = 0;
	bool last;

	if (l->columns[0].title == NULL)
		i = next_column(l, 0, &last);
	while (cell < end) {
		int width = (int)l->width[i];

		next = next_column(l, i, &last);
		if (last)
			width = 0;
		printf("%*s%c", l->right[i] ? (int)l->width[i] : -width, cell,
		    last ? '\n' : ' ');
		cell += strlen(cell) + 1;
		i = next;
	}
}

static void
print_titles(struct listing *l)
{
	struct buf head;

	buf_init(&head, SIZE_MAX / 2);
	for (size_t i = 0; l->columns[i].field != NULL; i++) {
		const char *title = l->columns[i].title;

		if (title == NULL)
			continue;
		if (l->width[i] < strlen(title))
			l->width[i] = strlen(title);
		check(buf_add(&head, title, strlen(title) + 1));
	}
	print_cells(l, (const char *)head.data, head.len);
	buf_release(&head);
}

void
listing_print(struct listing *l, bool titles)
{
	if (l->json)
		return;
	if (titles && l->cells.len > 0)
		print_titles(l);
	print_cells(l, (const char *)l->cells.data, l->cells.len);
	l->cells.len = 0;
}
