#include "base/parse.h"

#include <errno.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/status.h"
#include "tap.h"

/* 2026-01-31T12:34:56.789Z */
static const int64_t now_ms = 1769862896789;

static void
zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

/* One case of a grammar whose result is a number. */
struct number_case {
	const char *text;
	int rc;
	int64_t want;
};

static void
test_numbers(const char *name, int (*parse)(const char *, int64_t *),
    const struct number_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct number_case *c = &cases[i];
		int64_t got = -77;
		int rc = parse(c->text, &got);

		tap_int(rc, c->rc, "%s \"%s\": status", name, c->text);
		tap_int(got, c->rc == 0 ? c->want : -77, "%s \"%s\": value",
		    name, c->text);
	}
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NUMBERS(name, parse, cases)                                            \
	test_numbers(name, parse, cases, COUNT(cases))

static int
int_any(const char *s, int64_t *out)
{
	return parse_int(s, INT64_MIN, INT64_MAX, out);
}

static int
int_port(const char *s, int64_t *out)
{
	return parse_int(s, 0, 65535, out);
}

static void
test_int(void)
{
	static const struct number_case any[] = {
	    {"0", 0, 0},
	    {"-0", 0, 0},
	    {"007", 0, 7},
	    {"9223372036854775807", 0, INT64_MAX},
	    {"-9223372036854775808", 0, INT64_MIN},
	    {"9223372036854775808", ERANGE, 0},
	    {"-9223372036854775809", ERANGE, 0},
	    {"99999999999999999999999", ERANGE, 0},
	    {"99999999999999999999999x", STATUS_SYNTAX, 0},
	    {"", STATUS_SYNTAX, 0},
	    {"-", STATUS_SYNTAX, 0},
	    {"+1", STATUS_SYNTAX, 0},
	    {" 1", STATUS_SYNTAX, 0},
	    {"1 ", STATUS_SYNTAX, 0},
	    {"0x10", STATUS_SYNTAX, 0},
	    {"1e3", STATUS_SYNTAX, 0},
	};
	static const struct number_case port[] = {
	    {"65535", 0, 65535},
	    {"65536", ERANGE, 0},
	    {"-1", STATUS_SYNTAX, 0},
	};

	NUMBERS("int", int_any, any);
	NUMBERS("port", int_port, port);
}

static void
test_size(void)
{
	static const struct number_case cases[] = {
	    {"0", 0, 0},
	    {"512", 0, 512},
	    {"64K", 0, 65536},
	    {"16M", 0, 16 << 20},
	    {"1G", 0, 1 << 30},
	    {"2T", 0, INT64_C(2) << 40},
	    {"8388607T", 0, INT64_C(8388607) << 40},
	    {"8388608T", ERANGE, 0},
	    {"18446744073709551617", ERANGE, 0},
	    {"64k", STATUS_SYNTAX, 0},
	    {"64KB", STATUS_SYNTAX, 0},
	    {"K", STATUS_SYNTAX, 0},
	    {"1.5G", STATUS_SYNTAX, 0},
	    {"-1K", STATUS_SYNTAX, 0},
	    {"", STATUS_SYNTAX, 0},
	};

	NUMBERS("size", parse_size, cases);
}

static void
test_duration(void)
{
	static const struct number_case cases[] = {
	    {"0", 0, 0},
	    {"0s", 0, 0},
	    {"250ms", 0, 250},
	    {"10s", 0, 10000},
	    {"5m", 0, 300000},
	    {"2h", 0, 7200000},
	    {"7d", 0, 604800000},
	    {"4w", 0, INT64_C(2419200000)},
	    {"9223372036854775807ms", 0, INT64_MAX},
	    {"9223372036854775807s", ERANGE, 0},
	    {"5", STATUS_SYNTAX, 0},
	    {"5M", STATUS_SYNTAX, 0},
	    {"5 m", STATUS_SYNTAX, 0},
	    {"1h30m", STATUS_SYNTAX, 0},
	    {"s", STATUS_SYNTAX, 0},
	    {"-5m", STATUS_SYNTAX, 0},
	    {"", STATUS_SYNTAX, 0},
	};

	NUMBERS("duration", parse_duration, cases);
}

static int
time_local(const char *s, int64_t *out)
{
	return parse_time(s, now_ms, false, out);
}

static int
time_utc(const char *s, int64_t *out)
{
	return parse_time(s, now_ms, true, out);
}

static void
test_time_utc(void)
{
	static const struct number_case cases[] = {
	    {"now", 0, 1769862896789},
	    {"today", 0, 1769817600000},
	    {"yesterday", 0, 1769731200000},
	    {"-2h", 0, 1769862896789 - 7200000},
	    {"-0", 0, 1769862896789},
	    {"1", 0, 1000},
	    {"1769862896", 0, 1769862896000},
	    {"99999999999", 0, 99999999999000},
	    {"1769862896789", 0, 1769862896789},
	    {"176986289678", STATUS_SYNTAX, 0},
	    {"17698628967890", STATUS_SYNTAX, 0},
	    {"1970-01-01", 0, 0},
	    {"1969-12-31T23:59:59.999", 0, -1},
	    {"0000-01-01", 0, INT64_C(-62167219200000)},
	    {"9999-12-31T23:59:59.999", 0, INT64_C(253402300799999)},
	    {"2024-02-29", 0, 1709164800000},
	    {"2000-02-29", 0, 951782400000},
	    {"2023-02-29", STATUS_SYNTAX, 0},
	    {"1900-02-29", STATUS_SYNTAX, 0},
	    {"2026-04-31", STATUS_SYNTAX, 0},
	    {"2026-01-00", STATUS_SYNTAX, 0},
	    {"2026-13-01", STATUS_SYNTAX, 0},
	    {"2026-01-31T12:34", 0, 1769862840000},
	    {"2026-01-31 12:34:56", 0, 1769862896000},
	    {"2026-01-31T12:34:56.7", 0, 1769862896700},
	    {"2026-01-31T12:34:56.7899", 0, 1769862896789},
	    {"2026-01-31T12:34:60", 0, 1769862900000},
	    {"2026-01-31T12:34Z", 0, 1769862840000},
	    {"2026-01-31T14:34:56.789+02:00", 0, 1769862896789},
	    {"2026-01-31T00:04:56.789-12:30", 0, 1769862896789},
	    {"2026-01-31T24:00", STATUS_SYNTAX, 0},
	    {"2026-01-31T12:60", STATUS_SYNTAX, 0},
	    {"2026-01-31T12:34:61", STATUS_SYNTAX, 0},
	    {"2026-01-31T12", STATUS_SYNTAX, 0},
	    {"2026-01-31T", STATUS_SYNTAX, 0},
	    {"2026-01-31Z", STATUS_SYNTAX, 0},
	    {"2026-01-31T12:34:56.", STATUS_SYNTAX, 0},
	    {"2026-01-31T12:34+0200", STATUS_SYNTAX, 0},
	    {"2026-01-31T12:34+24:00", STATUS_SYNTAX, 0},
	    {"2026-01-31T12:34ZZ", STATUS_SYNTAX, 0},
	    {"2026-1-31", STATUS_SYNTAX, 0},
	    {"26-01-31", STATUS_SYNTAX, 0},
	    {"tomorrow", STATUS_SYNTAX, 0},
	    {"-2", STATUS_SYNTAX, 0},
	    {"-9223372036854775807s", ERANGE, 0},
	    {"", STATUS_SYNTAX, 0},
	};

	zone("America/New_York");
	NUMBERS("time in UTC", time_utc, cases);
}

/* Clocks go forward on 2026-03-29 at 01:00Z and back on 2026-10-25. */
static void
test_time_local(void)
{
	static const struct number_case berlin[] = {
	    {"2026-01-31T13:34:56.789", 0, 1769862896789},
	    {"2026-07-01T00:00", 0, 1782856800000},
	    {"2026-07-01T00:00Z", 0, 1782864000000},
	    {"2026-03-29T01:59:59", 0, 1774745999000},
	    {"2026-03-29T02:30", 0, 1774747800000},
	    {"2026-03-29T03:00", 0, 1774746000000},
	    {"2026-10-25T01:59", 0, 1792886340000},
	    {"2026-10-25T02:30", 0, 1792888200000},
	    {"2026-10-25T03:00", 0, 1792893600000},
	    {"2026-10-26", 0, 1792969200000},
	    {"today", 0, 1769814000000},
	};
	static const struct number_case new_york[] = {
	    {"2026-03-08T02:30", 0, 1772955000000},
	    {"2026-11-01T01:30", 0, 1793511000000},
	    {"today", 0, 1769835600000},
	};
	int64_t ms;

	/* the rules are in the name: no zone files needed */
	zone("CET-1CEST,M3.5.0,M10.5.0/3");
	NUMBERS("time in Berlin", time_local, berlin);
	/* yesterday had 25 hours: midnight to midnight, not 24 hours */
	tap_int(parse_time("yesterday", 1792969200000, false, &ms), 0,
	    "the day before 2026-10-26");
	tap_int(ms, 1792879200000, "is 25 hours");
	zone("EST5EDT,M3.2.0,M11.1.0");
	NUMBERS("time in New York", time_local, new_york);
	/* the answer for an hour that comes twice must not depend on what
	 * was asked before */
	tap(time_local("2026-12-01", &ms) == 0 &&
		time_local("2026-11-01T01:30", &ms) == 0 && ms == 1793511000000,
	    "asked in winter");
	tap(time_local("2026-08-01", &ms) == 0 &&
		time_local("2026-11-01T01:30", &ms) == 0 && ms == 1793511000000,
	    "asked in summer");
	zone("UTC0");
}

static int
rfc3339(const char *s, int64_t *out)
{
	return parse_rfc3339(s, strlen(s), out);
}

static void
test_rfc3339(void)
{
	static const struct number_case cases[] = {
	    {"2026-01-31T12:34:56.789Z", 0, 1769862896789},
	    {"2026-01-31t12:34:56z", 0, 1769862896000},
	    {"2026-01-31 14:34:56.789123456789+02:00", 0, 1769862896789},
	    {"1990-12-31T15:59:60-08:00", 0, 662688000000},
	    {"2026-01-31T12:34:56", STATUS_SYNTAX, 0},
	    {"2026-01-31T12:34Z", STATUS_SYNTAX, 0},
	    {"2026-01-31", STATUS_SYNTAX, 0},
	    {"now", STATUS_SYNTAX, 0},
	    {"", STATUS_SYNTAX, 0},
	};
	int64_t ms = 5;

	NUMBERS("rfc3339", rfc3339, cases);
	tap_int(parse_rfc3339("2026-01-31T12:34:56Z9", 20, &ms), 0,
	    "reads no further than len");
	tap_int(parse_rfc3339("2026-01-31T12:34:56Z", 19, &ms), STATUS_SYNTAX,
	    "nor guesses what is after it");
}

static void
test_time_text(void)
{
	char text[PARSE_TIME_TEXT];
	int bad = 0;

	tap_int(parse_time_text(now_ms, text), 24, "length");
	tap_str(text, "2026-01-31T12:34:56.789Z");
	parse_time_text(-1, text);
	tap_str(text, "1969-12-31T23:59:59.999Z");
	tap_int(parse_time_text(INT64_MAX, text), 29, "the last ms");
	tap_str(text, "292278994-08-17T07:12:55.807Z");
	tap_int(parse_time_text(INT64_MIN, text), 30, "the first ms");
	for (int i = 0; i < 20000; i++) {
		/* years 0000 to 9999 */
		int64_t ms =
		    (int64_t)(tap_random() % 315569520000000) - 62167219200000;
		int64_t back = ms + 1;
		size_t len = parse_time_text(ms, text);

		if (ms <= 253402300799999 &&
		    (parse_rfc3339(text, len, &back) != 0 || back != ms))
			bad++;
	}
	tap_int(bad, 0, "times are read as they were written");
}

struct position_case {
	const char *text;
	int rc;
	struct position want;
};

static bool
same_position(struct position a, struct position b)
{
	return a.kind == b.kind && a.n == b.n;
}

static void
test_position(void)
{
	static const struct position_case cases[] = {
	    {"start", 0, {POSITION_START, 0}},
	    {"end", 0, {POSITION_END, 0}},
	    {"stored", 0, {POSITION_STORED, 0}},
	    {"0", 0, {POSITION_OFFSET, 0}},
	    {"42", 0, {POSITION_OFFSET, 42}},
	    {"9223372036854775807", 0, {POSITION_OFFSET, INT64_MAX}},
	    {"-10", 0, {POSITION_BACK, 10}},
	    {"-0", 0, {POSITION_BACK, 0}},
	    {"@now", 0, {POSITION_TIME, 1769862896789}},
	    {"@-1s", 0, {POSITION_TIME, 1769862895789}},
	    {"@2026-01-31T12:34Z", 0, {POSITION_TIME, 1769862840000}},
	    {"9223372036854775808", ERANGE, {POSITION_START, 0}},
	    {"-9223372036854775808", ERANGE, {POSITION_START, 0}},
	    {"", STATUS_SYNTAX, {POSITION_START, 0}},
	    {"@", STATUS_SYNTAX, {POSITION_START, 0}},
	    {"--1", STATUS_SYNTAX, {POSITION_START, 0}},
	    {"-2h", STATUS_SYNTAX, {POSITION_START, 0}},
	    {"begin", STATUS_SYNTAX, {POSITION_START, 0}},
	};
	const struct position untouched = {POSITION_STORED, 77};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct position got = untouched;

		tap_int(parse_position(cases[i].text, now_ms, true, &got),
		    cases[i].rc, "position \"%s\"", cases[i].text);
		tap(same_position(got,
			cases[i].rc == 0 ? cases[i].want : untouched),
		    "position \"%s\": value", cases[i].text);
	}
}

static void
test_range(void)
{
	static const struct {
		const char *text;
		int rc;
		struct range want;
	} cases[] = {
#define P(k, n) {POSITION_##k, n}
	    {"5", 0, {P(OFFSET, 5), P(END, 0), false}},
	    {"5:", 0, {P(OFFSET, 5), P(END, 0), false}},
	    {":5", 0, {P(START, 0), P(OFFSET, 5), true}},
	    {"5:9", 0, {P(OFFSET, 5), P(OFFSET, 9), true}},
	    {"9:5", 0, {P(OFFSET, 9), P(OFFSET, 5), true}},
	    {"-10:-5", 0, {P(BACK, 10), P(BACK, 5), true}},
	    {"start:end", 0, {P(START, 0), P(END, 0), true}},
	    {"stored", 0, {P(STORED, 0), P(END, 0), false}},
	    {"@now", 0, {P(TIME, 1769862896789), P(END, 0), false}},
	    {"@now:", 0, {P(TIME, 1769862896789), P(END, 0), false}},
	    {"@now:end", 0, {P(TIME, 1769862896789), P(END, 0), true}},
	    {"@12:@13", 0, {P(TIME, 12000), P(TIME, 13000), true}},
	    {":@13", 0, {P(START, 0), P(TIME, 13000), true}},
	    {"5:@2026-01-31T12:34Z", 0,
		{P(OFFSET, 5), P(TIME, 1769862840000), true}},
	    {"@2026-01-31T12:34", 0,
		{P(TIME, 1769862840000), P(END, 0), false}},
	    {"@2026-01-31T12:34:", 0,
		{P(TIME, 1769862840000), P(END, 0), false}},
	    {"@2026-01-31T12:34:56.789+00:00:@2026-01-31T12:34:57", 0,
		{P(TIME, 1769862896789), P(TIME, 1769862897000), true}},
	    {"@2026-01-31 12:34:end", 0,
		{P(TIME, 1769862840000), P(END, 0), true}},
	    {"@now:5", STATUS_SYNTAX, {P(START, 0), P(END, 0), false}},
	    {":", STATUS_SYNTAX, {P(START, 0), P(END, 0), false}},
	    {"", STATUS_SYNTAX, {P(START, 0), P(END, 0), false}},
	    {"@", STATUS_SYNTAX, {P(START, 0), P(END, 0), false}},
	    {"1:2:3", STATUS_SYNTAX, {P(START, 0), P(END, 0), false}},
	    {"5:x", STATUS_SYNTAX, {P(START, 0), P(END, 0), false}},
	    {"x:5", STATUS_SYNTAX, {P(START, 0), P(END, 0), false}},
	    {"5:99999999999999999999", ERANGE, {P(START, 0), P(END, 0), false}},
	    {"0000000000000000000000000000000000000000000000000000000000000000"
	     "5",
		STATUS_SYNTAX, {P(START, 0), P(END, 0), false}},
#undef P
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct range r = {{POSITION_STORED, 7}, {0, 0}, true};
		const struct range *w = &cases[i].want;

		tap_int(parse_range(cases[i].text, now_ms, true, &r),
		    cases[i].rc, "range \"%s\"", cases[i].text);
		if (cases[i].rc != 0)
			tap(r.from.kind == POSITION_STORED && r.from.n == 7,
			    "range \"%s\": as it was", cases[i].text);
		else
			tap(same_position(r.from, w->from) &&
				same_position(r.to, w->to) &&
				r.has_to == w->has_to,
			    "range \"%s\": value", cases[i].text);
	}
}

/* The first ten partitions of a list as a string of bits. */
static const char *
chosen(const struct partition_list *list)
{
	static char bits[11];

	for (int32_t p = 0; p < 10; p++)
		bits[p] = parse_partitions_has(list, p) ? '1' : '0';
	return bits;
}

static void
test_partitions(void)
{
	static const struct {
		const char *text;
		int rc;
		const char *want;
	} cases[] = {
	    {"0", 0, "1000000000"},
	    {"0,2,5-7", 0, "1010011100"},
	    {"7,5-6,2,0,2,0-0", 0, "1010011100"},
	    {"1,2,3", 0, "0111000000"},
	    {"3-99999", 0, "0001111111"},
	    {"99999", 0, "0000000000"},
	    {"100000", ERANGE, NULL},
	    {"0-100000", ERANGE, NULL},
	    {"99999999999999999999", ERANGE, NULL},
	    {"100000,", STATUS_SYNTAX, NULL},
	    {"", STATUS_SYNTAX, NULL},
	    {",", STATUS_SYNTAX, NULL},
	    {"1,,2", STATUS_SYNTAX, NULL},
	    {"1,", STATUS_SYNTAX, NULL},
	    {"7-5", STATUS_SYNTAX, NULL},
	    {"-5", STATUS_SYNTAX, NULL},
	    {"5-", STATUS_SYNTAX, NULL},
	    {"1-2-3", STATUS_SYNTAX, NULL},
	    {"1 ,2", STATUS_SYNTAX, NULL},
	    {"all", STATUS_SYNTAX, NULL},
	};
	struct partition_list list = {.count = 0};
	char many[1024] = "";
	size_t len = 0;

	tap_str(chosen(&list), "1111111111");
	for (size_t i = 0; i < COUNT(cases); i++) {
		list = (struct partition_list){.count = 0};
		tap_int(parse_partitions(cases[i].text, &list), cases[i].rc,
		    "partitions \"%s\"", cases[i].text);
		if (cases[i].rc == 0)
			tap_str(chosen(&list), cases[i].want);
		else
			tap_int(list.count, 0, "left as it was");
	}
	for (int i = 0; i < 64; i++)
		len += (size_t)snprintf(many + len, sizeof(many) - len, "%s%d",
		    i == 0 ? "" : ",", 2 * i);
	tap_int(parse_partitions(many, &list), 0, "as many spans as fit");
	tap(parse_partitions_has(&list, 126) &&
		!parse_partitions_has(&list, 125) &&
		!parse_partitions_has(&list, 128),
	    "all are there");
	snprintf(many + len, sizeof(many) - len, ",200");
	tap_int(parse_partitions(many, &list), ERANGE, "one more");
}

static void
test_escapes(void)
{
	static const struct {
		const char *text;
		int rc;
		size_t len;
		const char *want;
	} cases[] = {
	    {"", 0, 0, ""},
	    {"plain \xc3\xa9\xff", 0, 9, "plain \xc3\xa9\xff"},
	    {"\\n\\t\\r\\0\\\\", 0, 5, "\n\t\r\0\\"},
	    {"a\\x00b\\xfF\\x7e", 0, 5, "a\0b\xff~"},
	    {"\\0z", 0, 2, "\0z"},
	    {"\\", STATUS_SYNTAX, 0, NULL},
	    {"ab\\q", STATUS_SYNTAX, 0, NULL},
	    {"ab\\x", STATUS_SYNTAX, 0, NULL},
	    {"ab\\x4", STATUS_SYNTAX, 0, NULL},
	    {"ab\\xg0", STATUS_SYNTAX, 0, NULL},
	    {"ab\\x0g", STATUS_SYNTAX, 0, NULL},
	};
	struct buf b;

	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_init(&b, 100);
		buf_add_str(&b, "#");
		tap_int(parse_escapes(cases[i].text, &b), cases[i].rc,
		    "escapes \"%s\"", cases[i].text);
		tap_int(b.len, 1 + cases[i].len, "so many bytes");
		tap(cases[i].len == 0 ||
			memcmp(b.data + 1, cases[i].want, cases[i].len) == 0,
		    "these");
		buf_release(&b);
	}
	buf_init(&b, 3);
	tap_int(parse_escapes("abcd", &b), STATUS_TOO_BIG, "over the maximum");
	tap_int(b.len, 0, "leaves it as it was");
	buf_release(&b);
}

int
main(void)
{
	test_int();
	test_size();
	test_duration();
	test_time_utc();
	test_time_local();
	test_rfc3339();
	test_time_text();
	test_position();
	test_range();
	test_partitions();
	test_escapes();
	return tap_done();
}
