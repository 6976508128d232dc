#include "text/form.h"

#include "base/bounds.h"
#include "feed.h"

static struct form form;

static void
set(enum form_kind kind)
{
	form_release(&form);
	form_init(&form);
	form.kind = kind;
}

static void
check(const char *input, const char *want)
{
	feed_check(&form, input, strlen(input), want);
}

static void
test_envelopes(void)
{
	set(FORM_ENVELOPE);
	check("", "");
	check("\n \t\r\n\n", "");
	check("{\"key\":\"k\",\"value\":\"v\",\"timestamp\":7,\"partition\":3}"
	      "\n",
	    "1:k 1:v @7 /3\n");
	check("\r\n{\"value\":1}\r\n\n  {\"value\":2}  \n{\"value\":\"\\u0033\""
	      "}",
	    "null 1:1\nnull 1:2\nnull 1:3\n");
	check("{\"value\":1}\n{\"value\":2\n{\"key\":3}\n{\"value\":4}\n",
	    "null 1:1\nbad: ends inside the object (one object a line: jq -c)"
	    "\nbad: no value\nnull 1:4\n");
	check("{\"value\":1}\n{\"value\":",
	    "null 1:1\nbad: ends inside the object (one object a line: jq -c)"
	    "\n");
	check("{\n\"value\":1\n}\n",
	    "bad: ends inside the object (one object a line: jq -c)\n"
	    "bad: not an object\nbad: not an object\n");
	check("{\"value\":\"a\nb\"}\n",
	    "bad: ends inside the object (one object a line: jq -c)\n"
	    "bad: not an object\n");
}

/* A string for null says nothing about lines that are envelopes. */
static void
test_null_string(void)
{
	set(FORM_ENVELOPE);
	form.line.null_in = "NULL";
	check("NULL\n{\"value\":\"NULL\"}\n",
	    "bad: not an object\nnull 4:NULL\n");
	tap_str(form.line.null_in, "NULL");
}

/* A line far over the limit is passed over, however long. */
static void
test_long(void)
{
	struct buf b, log;
	static const char good[] = "{\"value\":1}\n";
	static const char want[] = "null 1:1\nbad: record is over the limit\n"
				   "null 1:1\n";

	set(FORM_ENVELOPE);
	form.record_max = 10;
	buf_init(&b, 1 << 20);
	buf_init(&log, 1 << 20);
	buf_add_str(&b, good);
	buf_add_str(&b, "{\"value\":\"");
	while (b.len < 300000)
		buf_add_8(&b, 'x');
	buf_add_str(&b, "\"}\n");
	buf_add_str(&b, good);
	for (size_t piece = 0; piece <= 5000; piece += 5000) {
		log.len = 0;
		tap(feed(&form, b.data, b.len, piece, &log), "pieces of %zu",
		    piece);
		tap(log.len == strlen(want) &&
			memcmp(log.data, want, log.len) == 0,
		    "one is bad");
	}
	buf_release(&b);
	buf_release(&log);
}

static void
test_blank_lines(void)
{
	static const char text[] =
	    "\n \n{\"value\":1}\n\n{}\n{\"value\":2}\n\n";
	static const struct {
		int rc;
		int64_t blank;
	} want[] = {{0, 2}, {STATUS_SYNTAX, 1}, {0, 0}, {STATUS_END, 1}};
	struct form_record r;
	const char *why;
	size_t at = 0, used;

	set(FORM_ENVELOPE);
	for (size_t i = 0; i < 4; i++) {
		tap_int(form_read(&form, (const uint8_t *)text + at,
			    sizeof(text) - 1 - at, true, &r, &used, &why),
		    want[i].rc, "call %zu", i);
		tap_int(form.blank_lines, want[i].blank, "blank lines");
		at += used;
	}
	form_read(&form, (const uint8_t *)"\n\n{\"va", 6, false, &r, &used,
	    &why);
	tap_int(form.blank_lines, 2, "before what is not finished");
	tap_int(used, 2, "they are done with");
	set(FORM_LINE);
	form_read(&form, (const uint8_t *)"\n\nx", 3, false, &r, &used, &why);
	tap_int(form.blank_lines, 0, "elsewhere they are records");
}

static void
check_write(const char *want)
{
	struct record rec = {.offset = 1,
	    .timestamp = 2,
	    .key = bytes_of("k"),
	    .value = bytes_of("{}")};
	struct buf b;

	buf_init(&b, 1000);
	tap_int(form_write(&form, "t", 3, &rec, &b), 0, "write");
	buf_add_8(&b, '\0');
	tap_str((char *)b.data, want);
	buf_release(&b);
}

static void
test_write(void)
{
	const char *why;

	set(FORM_LINE);
	check_write("{}\n");
	set(FORM_ENVELOPE);
	check_write("{\"topic\":\"t\",\"partition\":3,\"offset\":1,"
		    "\"timestamp\":2,\"key\":\"k\",\"value\":{}}\n");
	form.value_mode = ENVELOPE_VALUE_STRING;
	check_write("{\"topic\":\"t\",\"partition\":3,\"offset\":1,"
		    "\"timestamp\":2,\"key\":\"k\",\"value\":\"{}\"}\n");
	form.value_mode = ENVELOPE_VALUE_NONE;
	check_write("{\"topic\":\"t\",\"partition\":3,\"offset\":1,"
		    "\"timestamp\":2,\"key\":\"k\"}\n");
	set(FORM_FORMAT);
	tap_int(format_compile(&form.format, "%t %v", false, &why), 0, "-F");
	check_write("t {}");
}

/* Many records as envelopes, read in random pieces. */
static void
test_round(void)
{
	uint8_t data[2][60];
	struct buf text, want, log;
	int wrong = 0;

	set(FORM_ENVELOPE);
	buf_init(&text, 1 << 20);
	buf_init(&want, 1 << 20);
	buf_init(&log, 1 << 20);
	for (int i = 0; i < 500; i++) {
		text.len = want.len = log.len = 0;
		for (int k = 0; k < 20; k++) {
			struct form_record r = {.partition = k,
			    .has_timestamp = true,
			    .rec = {.timestamp = (int64_t)tap_random(),
			        .key = {data[0], (int32_t)(tap_random() % 60)},
			        .value = {data[1],
				    (int32_t)(tap_random() % 60)}}};
			uint64_t mask = tap_random() % 2 ? 0x7f : 0xff;

			for (size_t n = 0; n < 60; n++) {
				data[0][n] = (uint8_t)(tap_random() & mask);
				data[1][n] = (uint8_t)(tap_random() & mask);
			}
			feed_log(&want, &r);
			wrong += form_write(&form, "t", k, &r.rec, &text) != 0;
		}
		wrong += !feed(&form, text.data, text.len, tap_random() % 500,
			     &log) ||
		    log.len != want.len ||
		    memcmp(log.data, want.data, log.len) != 0;
	}
	tap_int(wrong, 0, "records survive");
	buf_release(&text);
	buf_release(&want);
	buf_release(&log);
}

/* Noise comes to the same however it is cut. */
static void
test_pieces(void)
{
	static const char *const parts[] = {"{\"value\":1}\n", "\n", "{}\n",
	    "{\"value\":", "\"", "x", "\r", " ", "{", "}", "\xff", "\\u0041",
	    "{\"value\":\"\\ud83d\\ude00\",\"key_base64\":\"YQ==\"}\n"};
	struct buf once, log;
	uint8_t text[300];
	int wrong = 0;

	set(FORM_ENVELOPE);
	buf_init(&once, 100000);
	buf_init(&log, 100000);
	for (int i = 0; i < 3000; i++) {
		size_t len = 0;

		while (len < 240 && tap_random() % 20 != 0) {
			const char *part = parts[tap_random() % 13];

			memcpy(text + len, part, strlen(part));
			len += strlen(part);
		}
		once.len = log.len = 0;
		wrong += !feed(&form, text, len, 0, &once) ||
		    !feed(&form, text, len, tap_random() % 20 + 1, &log) ||
		    once.len != log.len ||
		    (log.len > 0 && memcmp(once.data, log.data, log.len) != 0);
	}
	tap_int(wrong, 0, "noise comes to the same however it is cut");
	buf_release(&once);
	buf_release(&log);
}

int
main(void)
{
	form_init(&form);
	tap_int(form.record_max, MESSAGE_BYTES_DEFAULT, "the default limit");
	test_envelopes();
	test_null_string();
	test_long();
	test_blank_lines();
	test_write();
	test_round();
	test_pieces();
	form_release(&form);
	return tap_done();
}
