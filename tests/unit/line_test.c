#include "text/line.h"

#include "feed.h"

static struct form form;

/* A form of lines with these marks; NULL: as it is without the option. */
static void
set(const char *delimiter, const char *separator, const char *null_string)
{
	form_release(&form);
	form_init(&form);
	if (delimiter != NULL)
		tap_int(line_set_delimiter(&form.line, delimiter), 0, "-D");
	if (separator != NULL)
		tap_int(line_set_separator(&form.line, separator), 0, "-K");
	form.line.null_in = form.line.null_out = null_string;
}

static void
check(const char *input, const char *want)
{
	feed_check(&form, input, strlen(input), want);
}

static void
test_marks(void)
{
	static const char *const bad[] = {"", "\\", "\\q", "\\x", "\\x1"};
	char mark[LINE_MARK_MAX + 2];
	struct line l;

	line_init(&l);
	tap_int(line_set_delimiter(&l, "\\t\\x00\\\\x"), 0, "escapes");
	tap(l.delimiter_len == 4 && memcmp(l.delimiter, "\t\0\\x", 4) == 0,
	    "are read");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tap(line_set_delimiter(&l, bad[i]) < 0, "bad: -D %s", bad[i]);
		tap(line_set_separator(&l, bad[i]) < 0, "bad: -K %s", bad[i]);
	}
	memset(mark, 'x', sizeof(mark) - 1);
	mark[sizeof(mark) - 1] = '\0';
	tap_int(line_set_delimiter(&l, mark), STATUS_TOO_BIG, "too long");
	tap(l.delimiter_len == 4 && l.separator_len == 0, "nothing changed");
	tap_int(line_set_separator(&l, mark + 1), 0, "as long as may be");
}

static void
test_read(void)
{
	set(NULL, NULL, NULL);
	check("", "");
	check("a", "null 1:a\n");
	check("a\n", "null 1:a\n");
	check("\n", "null 0:\n");
	check("a\n\nbc\n", "null 1:a\nnull 0:\nnull 2:bc\n");
	check("a\r\n", "null 2:a\r\n");
	check("a\1b\n\xff", "null 3:a\1b\nnull 1:\xff\n");
	set("\\0", NULL, NULL);
	feed_check(&form, "a\nb\0\0c", 6, "null 3:a\nb\nnull 0:\nnull 1:c\n");
	set("--", NULL, NULL);
	check("a--b-c----d-", "null 1:a\nnull 3:b-c\nnull 0:\nnull 2:d-\n");
	check("---", "null 0:\nnull 1:-\n");
	set("aab", NULL, NULL);
	check("aaaabaab", "null 2:aa\nnull 0:\n");
	set(NULL, ":", NULL);
	check("k:v\n:\nk:\n:v\nk:v:w\n",
	    "1:k 1:v\n0: 0:\n1:k 0:\n0: 1:v\n"
	    "1:k 3:v:w\n");
	check("k:v\nkv\n\nk:w",
	    "1:k 1:v\nbad: no key separator\n"
	    "bad: no key separator\n1:k 1:w\n");
	set(NULL, "::", NULL);
	check("a:b::c::d\na:b\n", "3:a:b 4:c::d\nbad: no key separator\n");
	set("\\t", "\\n", NULL);
	check("k\nv\t\n\t", "1:k 1:v\n0: 0:\n");
}

static void
test_null(void)
{
	set(NULL, ":", "");
	check("k:\n:v\n:\nk:v", "1:k null\nnull 1:v\nnull null\n1:k 1:v\n");
	set(NULL, NULL, "");
	check("\na\n\n", "null null\nnull 1:a\nnull null\n");
	set(NULL, ":", "NIL");
	check("NIL:NIL\nNI:NILL\n:\n", "null null\n2:NI 4:NILL\n0: 0:\n");
	set(NULL, NULL, NULL);
	form.line.is_delete = true;
	check("k\n\na:b\n", "1:k null\n0: null\n3:a:b null\n");
}

static void
test_bound(void)
{
	set(NULL, NULL, NULL);
	form.record_max = 4;
	check("1234\n12345\n1234\n",
	    "null 4:1234\n"
	    "bad: record is over the limit\nnull 4:1234\n");
	check("123456789012345678901234567890\n\n1\n",
	    "bad: record is over the limit\nnull 0:\nnull 1:1\n");
	check("1\n12345", "null 1:1\nbad: record is over the limit\n");
	check("123456789", "bad: record is over the limit\n");
	check("123456789\n", "bad: record is over the limit\n");
	check("1234", "null 4:1234\n");
	set("=+", NULL, NULL);
	form.record_max = 4;
	check("1234=+12345=+1234=+",
	    "null 4:1234\n"
	    "bad: record is over the limit\nnull 4:1234\n");
	check("123==+1=====+=+====",
	    "null 4:123=\n"
	    "bad: record is over the limit\nnull 0:\nnull 4:====\n");
	check("12345678901=", "bad: record is over the limit\n");
}

static void
check_write(const char *key, const char *value, const char *want)
{
	struct record rec = {.key = bytes_of(key), .value = bytes_of(value)};
	struct buf b;

	buf_init(&b, 1000);
	buf_add_str(&b, ">");
	tap_int(form_write(&form, "t", 0, &rec, &b), 0, "write");
	buf_add_8(&b, '\0');
	tap_str((char *)b.data + 1, want);
	buf_release(&b);
}

static void
test_write(void)
{
	struct record rec = {.value = bytes_of("12345")};
	struct buf b;

	set(NULL, NULL, NULL);
	check_write("k", "v", "v\n");
	check_write("k", "", "\n");
	check_write("k", NULL, "\n");
	set("==", "\\t", NULL);
	check_write("k", "v", "k\tv==");
	check_write(NULL, NULL, "\t==");
	set(NULL, ":", "NULL");
	check_write("k", NULL, "k:NULL\n");
	check_write(NULL, "", "NULL:\n");
	set(NULL, NULL, "NULL");
	check_write(NULL, NULL, "NULL\n");
	buf_init(&b, 5);
	tap_int(line_write(&form.line, &rec, &b), STATUS_TOO_BIG, "no room");
	tap_int(b.len, 0, "nothing is added");
	buf_release(&b);
}

/* Random bytes without any of those in none; sometimes null. */
static struct bytes
random_field(uint8_t *data, size_t size, const char *none, bool may_be_null)
{
	size_t len = tap_random() % size;

	if (may_be_null && tap_random() % 5 == 0)
		return BYTES_NULL;
	if (tap_random() % 5 == 0)
		len = 0;
	for (size_t i = 0; i < len; i++)
		do {
			data[i] = (uint8_t)tap_random();
			if (tap_random() % 3 == 0)
				data[i] = (uint8_t) "-N,UL\\"[data[i] % 6];
		} while (memchr(none, data[i], strlen(none)) != NULL);
	return (struct bytes){data, (int32_t)len};
}

/* Random records are written, and read in random pieces. */
static bool
survive(const char *none, bool has_key, bool has_null)
{
	uint8_t data[2][40];
	struct buf text, want, log;
	bool good = true;

	buf_init(&text, 100000);
	buf_init(&want, 100000);
	buf_init(&log, 100000);
	for (int i = 0; i < 20; i++) {
		struct form_record r = {.partition = -1};

		r.rec.key = BYTES_NULL;
		if (has_key)
			r.rec.key = random_field(data[0], 40, none, has_null);
		r.rec.value = random_field(data[1], 40, none, has_null);
		feed_log(&want, &r);
		good = form_write(&form, "t", 0, &r.rec, &text) == 0 && good;
	}
	good = feed(&form, text.data, text.len, tap_random() % 30, &log) &&
	    good && log.len == want.len &&
	    memcmp(log.data, want.data, log.len) == 0;
	buf_release(&text);
	buf_release(&want);
	buf_release(&log);
	return good;
}

static void
test_round(void)
{
	int wrong = 0;

	set(NULL, NULL, NULL);
	for (int i = 0; i < 1000; i++)
		wrong += !survive("\n", false, false);
	tap_int(wrong, 0, "values survive");
	set("--", ",", NULL);
	for (int i = 0; i < 1000; i++)
		wrong += !survive("-,", true, false);
	tap_int(wrong, 0, "keys and values survive");
	set(NULL, ",", "\1NULL\1");
	for (int i = 0; i < 1000; i++)
		wrong += !survive("\n,\1", true, true);
	tap_int(wrong, 0, "nulls survive");
}

/* Noise comes to the same however it is cut. */
static void
test_pieces(void)
{
	struct buf once, log;
	uint8_t text[200];
	int wrong = 0;

	buf_init(&once, 100000);
	buf_init(&log, 100000);
	for (int i = 0; i < 6000; i++) {
		size_t len = tap_random() % sizeof(text);

		if (i % 1000 == 0) {
			set(i < 3000 ? "\\n" : "abb",
			    i % 2000 == 0 ? "a" : NULL,
			    i % 3000 == 0 ? "" : NULL);
			form.record_max = 12;
		}
		for (size_t k = 0; k < len; k++)
			text[k] = (uint8_t) "abb\nc"[tap_random() % 5];
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
	test_marks();
	test_read();
	test_null();
	test_bound();
	test_write();
	test_round();
	test_pieces();
	form_release(&form);
	return tap_done();
}
