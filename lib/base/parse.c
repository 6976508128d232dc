#include "base/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/status.h"

enum {
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	HOUR_MS = 60 * MINUTE_MS,
	DAY_MS = 24 * HOUR_MS,
	WEEK_MS = 7 * DAY_MS,
	DAY_S = 86400,
	/* the first position of a range, with its NUL */
	POSITION_TEXT_MAX = 64,
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Digits from *p on, which is left behind them.  STATUS_SYNTAX if there are
 * none, ERANGE if their value is over UINT64_MAX.
 */
static int
take_number(const char **p, uint64_t *out)
{
	const char *s = *p;
	uint64_t v = 0;
	int rc = 0;

	if (!is_digit(*s))
		return STATUS_SYNTAX;
	for (; is_digit(*s); s++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			rc = ERANGE;
	}
	*p = s;
	*out = v;
	return rc;
}

int
parse_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
	bool negative = min < 0 && *s == '-';
	uint64_t u;
	int64_t v;
	int rc;

	if (negative)
		s++;
	rc = take_number(&s, &u);
	if (rc == STATUS_SYNTAX || *s != '\0')
		return STATUS_SYNTAX;
	if (rc != 0 || u > (uint64_t)INT64_MAX + negative)
		return ERANGE;
	v = negative ? (int64_t)(0 - u) : (int64_t)u;
	if (v < min || v > max)
		return ERANGE;
	*out = v;
	return 0;
}

/* The product, if the number and it fit; rc is take_number()'s. */
static int
scale(int rc, uint64_t u, int64_t unit, int64_t *out)
{
	if (rc != 0 || u > (uint64_t)(INT64_MAX / unit))
		return ERANGE;
	*out = (int64_t)u * unit;
	return 0;
}

int
parse_size(const char *s, int64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t u;
	int rc = take_number(&s, &u);

	if (rc == STATUS_SYNTAX)
		return rc;
	if (*s == '\0')
		return scale(rc, u, 1, bytes);
	unit = strchr(units, *s);
	if (unit == NULL || s[1] != '\0')
		return STATUS_SYNTAX;
	return scale(rc, u, INT64_C(1024) << (10 * (unit - units)), bytes);
}

int
parse_duration(const char *s, int64_t *ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", SECOND_MS}, {"m", MINUTE_MS},
	    {"h", HOUR_MS}, {"d", DAY_MS}, {"w", WEEK_MS}};
	uint64_t u;
	int rc = take_number(&s, &u);

	if (rc == STATUS_SYNTAX)
		return rc;
	if (rc == 0 && u == 0 && *s == '\0') {
		*ms = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(s, units[i].name) == 0)
			return scale(rc, u, units[i].ms, ms);
	return STATUS_SYNTAX;
}

/* A date and time of day as written, and what followed it. */
struct moment {
	struct tm tm;		/* checked: such a day exists */
	int ms;
	bool has_time;
	bool has_seconds;
	bool has_zone;
	int zone_s;		/* east of UTC */
};

struct cursor {
	const char *p;
	const char *end;
};

static bool
take(struct cursor *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

/* Exactly count digits, whose value is between min and max. */
static bool
take_digits(struct cursor *c, int count, int min, int max, int *out)
{
	int v = 0;

	if (c->end - c->p < count)
		return false;
	for (int i = 0; i < count; i++) {
		if (!is_digit(c->p[i]))
			return false;
		v = v * 10 + (c->p[i] - '0');
	}
	if (v < min || v > max)
		return false;
	c->p += count;
	*out = v;
	return true;
}

static int
days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
	    31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* YYYY-MM-DD */
static bool
take_date(struct cursor *c, struct tm *tm)
{
	int year, month, day;

	if (!take_digits(c, 4, 0, 9999, &year) || !take(c, '-') ||
	    !take_digits(c, 2, 1, 12, &month) || !take(c, '-') ||
	    !take_digits(c, 2, 1, days_of_month(year, month), &day))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return true;
}

/* .DIGITS, cut to ms */
static bool
take_fraction(struct cursor *c, int *ms)
{
	int unit = 100, v = 0;

	if (c->p == c->end || !is_digit(*c->p))
		return false;
	for (; c->p < c->end && is_digit(*c->p); c->p++) {
		v += (*c->p - '0') * unit;
		unit /= 10;
	}
	*ms = v;
	return true;
}

/* HH:MM[:SS[.FRACTION]] */
static bool
take_time_of_day(struct cursor *c, struct moment *m)
{
	m->has_time = true;
	if (!take_digits(c, 2, 0, 23, &m->tm.tm_hour) || !take(c, ':') ||
	    !take_digits(c, 2, 0, 59, &m->tm.tm_min))
		return false;
	if (!take(c, ':'))
		return true;
	m->has_seconds = true;
	if (!take_digits(c, 2, 0, 60, &m->tm.tm_sec))
		return false;
	return !take(c, '.') || take_fraction(c, &m->ms);
}

/* Nothing, Z, +HH:MM or -HH:MM, up to the end. */
static bool
take_zone(struct cursor *c, struct moment *m)
{
	int sign, hour, minute;

	if (c->p == c->end)
		return true;
	m->has_zone = true;
	if (take(c, 'Z') || take(c, 'z'))
		return c->p == c->end;
	sign = *c->p == '-' ? -1 : 1;
	if (!take(c, '+') && !take(c, '-'))
		return false;
	if (!take_digits(c, 2, 0, 23, &hour) || !take(c, ':') ||
	    !take_digits(c, 2, 0, 59, &minute))
		return false;
	m->zone_s = sign * (hour * 3600 + minute * 60);
	return c->p == c->end;
}

/* A whole date, or a date and time. */
static bool
read_moment(const char *s, size_t len, struct moment *m)
{
	struct cursor c = {s, s + len};

	*m = (struct moment){.ms = 0};
	if (!take_date(&c, &m->tm))
		return false;
	if (c.p == c.end)
		return true;
	if (!take(&c, 'T') && !take(&c, 't') && !take(&c, ' '))
		return false;
	return take_time_of_day(&c, m) && take_zone(&c, m);
}

/* What the local zone adds to UTC at t. */
static time_t
local_zone_s(time_t t)
{
	struct tm tm = {.tm_sec = 0};

	(void)localtime_r(&t, &tm);
	return tm.tm_gmtoff;
}

/*
 * The time at which the local clock shows what the UTC clock shows at shown.
 * Not mktime(3), whose answer for an hour that comes twice depends on the
 * calls before.  The zone's offset a day before and a day after are the two
 * that may hold: of an hour that comes twice the first is meant, and one
 * that is left out is read with the offset before the gap.
 */
static time_t
local_to_time(time_t shown)
{
	time_t before, after;

	tzset();
	before = local_zone_s(shown - DAY_S);
	after = local_zone_s(shown + DAY_S);
	if (local_zone_s(shown - before) == before)
		return shown - before;
	if (local_zone_s(shown - after) == after)
		return shown - after;
	return shown - before;
}

static int64_t
moment_ms(const struct moment *m, bool utc)
{
	struct tm tm = m->tm;
	time_t t = timegm(&tm);

	if (m->has_zone)
		t -= m->zone_s;
	else if (!utc)
		t = local_to_time(t);
	return (int64_t)t * SECOND_MS + m->ms;
}

/* Midnight at the start of the day of now_ms, or of the one back days ago. */
static int64_t
midnight_ms(int64_t now_ms, bool utc, int back)
{
	struct moment m = {.ms = 0};
	time_t t = (time_t)(now_ms / SECOND_MS);
	struct tm tm = {.tm_sec = 0};

	tzset();
	(void)(utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm));
	m.tm.tm_year = tm.tm_year;
	m.tm.tm_mon = tm.tm_mon;
	m.tm.tm_mday = tm.tm_mday - back;
	return moment_ms(&m, utc);
}

/* 1 to 11 digits are seconds, 13 are ms. */
static int
parse_epoch(const char *s, int64_t *ms)
{
	size_t len = strlen(s);
	int64_t v;

	if (len == 12 || len > 13 || parse_int(s, 0, INT64_MAX, &v) != 0)
		return STATUS_SYNTAX;
	*ms = len == 13 ? v : v * SECOND_MS;
	return 0;
}

int
parse_time(const char *s, int64_t now_ms, bool utc, int64_t *ms)
{
	struct moment m;
	int64_t ago_ms;
	int rc;

	if (strcmp(s, "now") == 0) {
		*ms = now_ms;
	} else if (strcmp(s, "today") == 0) {
		*ms = midnight_ms(now_ms, utc, 0);
	} else if (strcmp(s, "yesterday") == 0) {
		*ms = midnight_ms(now_ms, utc, 1);
	} else if (*s == '-') {
		rc = parse_duration(s + 1, &ago_ms);
		if (rc != 0)
			return rc;
		if (__builtin_sub_overflow(now_ms, ago_ms, &ago_ms))
			return ERANGE;
		*ms = ago_ms;
	} else if (read_moment(s, strlen(s), &m)) {
		*ms = moment_ms(&m, utc);
	} else {
		return parse_epoch(s, ms);
	}
	return 0;
}

int
parse_rfc3339(const char *s, size_t len, int64_t *ms)
{
	struct moment m;

	if (!read_moment(s, len, &m) || !m.has_seconds || !m.has_zone)
		return STATUS_SYNTAX;
	*ms = moment_ms(&m, true);
	return 0;
}

size_t
parse_time_text(int64_t ms, char out[PARSE_TIME_TEXT])
{
	int64_t rest = ms % SECOND_MS;
	time_t t = (time_t)(ms / SECOND_MS);
	struct tm tm = {.tm_sec = 0};
	int len;

	if (rest < 0) {
		rest += SECOND_MS;
		t--;
	}
	(void)gmtime_r(&t, &tm);
	len = snprintf(out, PARSE_TIME_TEXT,
	    "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (int)rest);
	return (size_t)len;
}

int
parse_position(const char *s, int64_t now_ms, bool utc, struct position *out)
{
	struct position pos = {POSITION_OFFSET, 0};
	int rc = 0;

	if (strcmp(s, "start") == 0) {
		pos.kind = POSITION_START;
	} else if (strcmp(s, "end") == 0) {
		pos.kind = POSITION_END;
	} else if (strcmp(s, "stored") == 0) {
		pos.kind = POSITION_STORED;
	} else if (*s == '@') {
		pos.kind = POSITION_TIME;
		rc = parse_time(s + 1, now_ms, utc, &pos.n);
	} else if (*s == '-') {
		pos.kind = POSITION_BACK;
		rc = parse_int(s + 1, 0, INT64_MAX, &pos.n);
	} else {
		rc = parse_int(s, 0, INT64_MAX, &pos.n);
	}
	if (rc == 0)
		*out = pos;
	return rc;
}

/* Where the colon between the two positions is; NULL: there is but one. */
static const char *
range_separator(const char *s)
{
	size_t len = strlen(s);
	const char *sep;

	if (*s != '@')
		return strchr(s, ':');
	sep = strstr(s, ":@");
	if (sep != NULL)
		return sep;
	if (s[len - 1] == ':')
		return s + len - 1;
	if (len > 4 && strcmp(s + len - 4, ":end") == 0)
		return s + len - 4;
	return NULL;
}

int
parse_range(const char *s, int64_t now_ms, bool utc, struct range *out)
{
	struct range r = {{POSITION_START, 0}, {POSITION_END, 0}, false};
	const char *sep = range_separator(s);
	size_t len = sep == NULL ? strlen(s) : (size_t)(sep - s);
	char first[POSITION_TEXT_MAX];
	int rc;

	r.has_to = sep != NULL && sep[1] != '\0';
	if (len >= sizeof(first) || (len == 0 && !r.has_to))
		return STATUS_SYNTAX;
	memcpy(first, s, len);
	first[len] = '\0';
	if (len > 0) {
		rc = parse_position(first, now_ms, utc, &r.from);
		if (rc != 0)
			return rc;
	}
	if (r.has_to) {
		rc = parse_position(sep + 1, now_ms, utc, &r.to);
		if (rc != 0)
			return rc;
	}
	*out = r;
	return 0;
}

/* N or N-M; *p is left behind it. */
static int
take_span(const char **p, int32_t *first, int32_t *last)
{
	uint64_t from, to;
	int rc = take_number(p, &from), rc_to = 0;

	to = from;
	if (rc != STATUS_SYNTAX && **p == '-') {
		(*p)++;
		rc_to = take_number(p, &to);
	}
	if (rc == STATUS_SYNTAX || rc_to == STATUS_SYNTAX)
		return STATUS_SYNTAX;
	if (rc != 0 || rc_to != 0 || from >= PARTITIONS_MAX ||
	    to >= PARTITIONS_MAX)
		return ERANGE;
	if (from > to)
		return STATUS_SYNTAX;
	*first = (int32_t)from;
	*last = (int32_t)to;
	return 0;
}

/* Add a span, as more of the last one where it goes on from it. */
static int
add_span(struct partition_list *list, int32_t first, int32_t last)
{
	const size_t max = sizeof(list->spans) / sizeof(list->spans[0]);

	if (list->count > 0 && first == list->spans[list->count - 1].last + 1) {
		list->spans[list->count - 1].last = last;
		return 0;
	}
	if (list->count == max)
		return ERANGE;
	list->spans[list->count].first = first;
	list->spans[list->count].last = last;
	list->count++;
	return 0;
}

int
parse_partitions(const char *s, struct partition_list *out)
{
	struct partition_list list = {.count = 0};
	int range_rc = 0;

	for (;;) {
		int32_t first, last;
		int rc = take_span(&s, &first, &last);

		if (rc == 0)
			rc = add_span(&list, first, last);
		if (rc == STATUS_SYNTAX)
			return rc;
		if (rc != 0)
			range_rc = rc;
		if (*s == '\0')
			break;
		if (*s++ != ',')
			return STATUS_SYNTAX;
	}
	if (range_rc == 0)
		*out = list;
	return range_rc;
}

bool
parse_partitions_has(const struct partition_list *list, int32_t p)
{
	for (size_t i = 0; i < list->count; i++)
		if (p >= list->spans[i].first && p <= list->spans[i].last)
			return true;
	return list->count == 0;
}

/* 0 to 15; -1 if c is no hexadecimal digit. */
static int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* What stands behind a backslash at *p, which is left behind it; or -1. */
static int
take_escape(const char **p)
{
	static const char letters[] = "ntr0\\", bytes[] = "\n\t\r\0\\";
	const char *s = *p, *found;
	int high, low;

	if (*s == 'x') {
		high = hex_digit(s[1]);
		low = high < 0 ? -1 : hex_digit(s[2]);
		*p = s + 3;
		return low < 0 ? -1 : high * 16 + low;
	}
	found = *s == '\0' ? NULL : strchr(letters, *s);
	*p = s + 1;
	return found == NULL ? -1 : bytes[found - letters];
}

int
parse_escapes(const char *s, struct buf *out)
{
	size_t start = out->len;
	int rc = 0;

	while (rc == 0 && *s != '\0') {
		int byte = (unsigned char)*s++;

		if (byte == '\\')
			byte = take_escape(&s);
		rc = byte < 0 ? STATUS_SYNTAX : buf_add_8(out, (uint8_t)byte);
	}
	if (rc != 0)
		out->len = start;
	return rc;
}
