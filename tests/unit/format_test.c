#include "text/format.h"

#include "feed.h"

static struct form form;

/* Compile for input; the form reads and writes with it. */
static void
set(const char *format)
{
	const char *why = NULL;

	form_release(&form);
	form_init(&form);
	form.kind = FORM_FORMAT;
	tap_int(format_compile(&form.format, format, true, &why), 0, "-F %s",
	    format);
}

static void
set_null(const char *s)
{
	form.format.null_in = form.format.null_out = s;
}

/* --- compiling --- */

static void
check_bad(const char *format, bool for_input, const char *words)
{
	const char *why = NULL;
	struct format f;

	format_init(&f);
	tap_int(format_compile(&f, format, for_input, &why), STATUS_SYNTAX,
	    "refuse %s", format);
	tap_str(why == NULL ? "(null)" : why, words);
	format_release(&f);
}

static void
test_compile(void)
{
	static const char field[] = "a % that no field follows";
	static const char modifier[] = "a modifier that this field does not "
				       "take";
	static const char end[] = "a field with neither a length before it "
				  "nor a literal behind it";
	static const char digit[] = "a number with a digit behind it";
	static const char output[] = "%h %t %p %o cannot be read";
	char many[4 * FORMAT_TOKENS_MAX], text[6000];
	const char *why = NULL;
	struct format f;

	check_bad("%", false, field);
	check_bad("%x", false, field);
	check_bad("%v\\q", false, "a backslash that no escape follows");
	check_bad("%v\\x1", false, "a backslash that no escape follows");
	check_bad("%v\\", false, "a backslash that no escape follows");
	check_bad("%v{big32}", false, modifier);
	check_bad("%V{hex}", false, modifier);
	check_bad("%v{", false, modifier);
	check_bad("%k{Hex}", false, modifier);
	check_bad("%V{big24}", false, modifier);
	check_bad("%v", true, end);
	check_bad("%k%v\\n", true, end);
	check_bad("%V%v\\n", true, end);
	check_bad("%v\\n%T", true, end);
	check_bad("%K %k%v\\n%V", true, end);
	check_bad("%v\\n%v\\n", true, "a field given twice");
	check_bad("%v %s\\n", true, "a field given twice");
	check_bad("%T %d %T\\n", true, "a field given twice");
	check_bad("%V0%v", true, digit);
	check_bad("%T\\x39%v\\n", true, digit);
	set("%V{big8}0%v");
	check_bad("", true, "no field");
	check_bad("x\\n", true, "no field");
	check_bad("%o %v\\n", true, output);
	check_bad("%h %v\\n", true, output);
	check_bad("%t %v\\n", true, output);
	check_bad("%p %v\\n", true, output);

	format_init(&f);
	tap_int(format_compile(&f, "%o{x}%%\\x41", false, &why), 0,
	    "a brace behind a field without modifiers");
	many[0] = '\0';
	for (int i = 0; i <= FORMAT_TOKENS_MAX; i++)
		strlcat(many, "%v", sizeof(many));
	tap_int(format_compile(&f, many, false, &why), STATUS_TOO_BIG,
	    "too many fields");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	tap_int(format_compile(&f, text, false, &why), STATUS_TOO_BIG,
	    "too much text");
	tap_str(why, "too long");
	format_release(&f);
}

/* --- writing --- */

static void
check_write(const char *format, const char *key, const char *value,
    const char *want, size_t want_len)
{
	struct record rec = {.offset = 42,
	    .timestamp = 1795414032471,
	    .key = bytes_of(key),
	    .value = bytes_of(value)};
	const char *why = NULL;
	struct buf headers, b;
	const char *null_string = form.format.null_out;

	form_release(&form);
	form_init(&form);
	form.kind = FORM_FORMAT;
	form.format.null_out = null_string;
	format_compile(&form.format, format, false, &why);
	buf_init(&headers, 100);
	buf_init(&b, 1000);
	record_headers_add(&headers, bytes_of("a"), bytes_of("1"));
	record_headers_add(&headers, bytes_of("b"), BYTES_NULL);
	record_headers_add(&headers, bytes_of("a"), bytes_of(""));
	rec.headers = headers.data;
	rec.headers_len = headers.len;
	rec.header_count = 3;
	tap_int(form_write(&form, "orders", 7, &rec, &b), 0, "write %s",
	    format);
	if (!tap(b.len == want_len && memcmp(b.data, want, b.len) == 0,
		"as it should be"))
		fprintf(stderr, "# got: %.*s\n", (int)b.len, (char *)b.data);
	buf_release(&b);
	buf_release(&headers);
}

static void
check_text(const char *format, const char *want)
{
	check_write(format, "k\xff", "v\"\n", want, strlen(want));
}

static void
test_write(void)
{
	struct record rec = {.value = bytes_of("\xff")};
	const char *why;
	struct buf b;
	char big[200];

	check_text("%v", "v\"\n");
	check_text("%s|%S|%V", "v\"\n|3|3");
	check_text("%k %K\\n", "k\xff 2\n");
	check_text("%t/%p/%o", "orders/7/42");
	check_text("%T", "1795414032471");
	check_text("%d", "2026-11-23T06:07:12.471Z");
	check_text("%h", "a=1,b=,a=");
	check_text("100%% \\x41\\t\\\\n", "100% A\t\\n");
	check_text("%v{base64}", "diIK");
	check_text("%k{hex}%v{hex}", "6bff76220a");
	check_text("%v{json}", "\"v\\\"\\n\"");
	check_write("%V{big8}%V{big16}%V{big32}%V{big64}", "", "abc",
	    "\3\0\3\0\0\0\3\0\0\0\0\0\0\0\3", 15);
	check_write("%K{little16}%K{little32}%K{little64}", "abc", "",
	    "\3\0\3\0\0\0\3\0\0\0\0\0\0\0", 14);
	check_write("%V{big16}%V{little32}", "", NULL,
	    "\xff\xff\xff\xff\xff\xff", 6);
	check_write("%V|%v|%v{json}|%v{hex}|%k", NULL, NULL, "-1||null||", 10);
	form.format.null_out = "NIL";
	check_write("%V|%v|%v{json}|%v{hex}|%k|%h", NULL, NULL,
	    "-1|NIL|null|NIL|NIL|a=1,b=NIL,a=", 32);

	/* What cannot be written leaves the output as it was. */
	buf_init(&b, 1000);
	buf_add_str(&b, "before");
	form.format.null_out = NULL;
	format_compile(&form.format, "%V %v{json}", false, &why);
	tap_int(form_write(&form, "t", 0, &rec, &b), STATUS_SYNTAX,
	    "bytes that are no JSON string");
	memset(big, 'x', 128);
	big[128] = '\0';
	rec.value = bytes_of(big);
	format_compile(&form.format, "%v%V{big8}", false, &why);
	tap_int(form_write(&form, "t", 0, &rec, &b), STATUS_TOO_BIG,
	    "a length that does not fit");
	tap_int(b.len, 6, "nothing is added");
	buf_release(&b);
}

/* --- reading --- */

static void
check(const char *input, const char *want)
{
	feed_check(&form, input, strlen(input), want);
}

static void
test_read(void)
{
	set("%v\\n");
	check("", "");
	check("a\n\nb\n", "null 1:a\nnull 0:\nnull 1:b\n");
	check("a\nb", "null 1:a\nbad: ends in the middle of a record\n");
	set("%k:%v;;");
	check("k:v;;:;;a:b;c:d;;", "1:k 1:v\n0: 0:\n1:a 5:b;c:d\n");
	check("kv;;k:v;;", "5:kv;;k 1:v\n");
	set("[%T] %k=%v\\n");
	check("[12] a=b\n[-1] =\n", "1:a 1:b @12\n0: 0: @-1\n");
	set("%d %v\\n");
	check("2026-11-23T06:07:12.471Z x\n", "null 1:x @1795414032471\n");
	set("%%%v%%");
	check("%a%%b%", "null 1:a\nnull 1:b\n");
	set("%k\\n");
	check("a\n", "1:a null\n");
	set("%v,%V\\n");
	check("a,1\n", "null 1:a\n");
}

static void
test_read_lengths(void)
{
	set("%V %v");
	check("1 a0 3 a b-1 4 \n\n\n\n",
	    "null 1:a\nnull 0:\nnull 3:a b\n"
	    "null null\nnull 4:\n\n\n\n\n");
	check("2 a", "bad: ends in the middle of a record\n");
	set("%K %k%V %v\\n");
	check("1 a2 bc\n-1 -1 \n", "1:a 2:bc\nnull null\n");
	set("%V{big16}%K{big8}%v%k");
	feed_check(&form, "\0\2\1abk\xff\xff\xff\0\0\0", 12,
	    "1:k 2:ab\nnull null\n0: 0:\n");
	set("%V{little32}%v");
	feed_check(&form, "\1\0\0\0a\xff\xff\xff\xff", 9,
	    "null 1:a\nnull null\n");
	set("%V{big64}%v");
	feed_check(&form, "\0\0\0\0\0\0\0\1a", 9, "null 1:a\n");
	feed_check(&form, "\xff\xff\xff\xff\xff\xff\xff\xfe\0", 9,
	    "bad: a negative length\n");
	set("%V{little64}%v");
	feed_check(&form, "\1\0\0\0\0\0\0\x80 ", 9, "bad: a negative length\n");
}

static void
test_read_modifiers(void)
{
	set("%k{hex} %v{base64}\\n");
	check("6bFF YWI=\n \n", "2:k\xff 2:ab\n0: 0:\n");
	check("6 YQ==\n6g YQ==\n61 YQ=\n61 YQ==\n",
	    "bad: not hexadecimal\n"
	    "bad: not hexadecimal\nbad: not base64\n1:a 1:a\n");
	set("%k{json}\\t%v{json}\\n");
	check("\"a\\tb\"\t\"\\ud83d\\ude00\"\nnull\tnull\n\"\"\t\"\"\n",
	    "3:a\tb 4:\xf0\x9f\x98\x80\nnull null\n0: 0:\n");
	check("a\t\"\"\n\"\"\t1\n\"\"\t\"\n\"\"\t\"\\ud800\"\n",
	    "bad: not a JSON string\nbad: not a JSON string\n"
	    "bad: not a JSON string\nbad: not a JSON string\n");
	/* Lengths are those of the fields, as printed by %V. */
	set("%K %k{hex}%V %v{base64}");
	check("1 6b2 YWI=0 0 -1 -1 3 6162631 YQ==",
	    "1:k 2:ab\n0: 0:\nnull null\n3:abc 1:a\n");
	set("%V %v{json}\\n");
	check("3 \"a\\n\xc3\"\n5 \"abcde\"\n",
	    "bad: not a JSON string\nnull 5:abcde\n");
	check("3 \"a\xc3\xa9\"\n4 \"\\ud83d\\ude00\"\n0 \"\"\n-1 null\n-1 \n",
	    "null 3:a\xc3\xa9\nnull 4:\xf0\x9f\x98\x80\nnull 0:\nnull null\n"
	    "null null\n");
	check("1 \"ab\"\n", "bad: not as long as it says\n");
	check("1 a\n1 \"a\"\n", "bad: not a JSON string\nnull 1:a\n");
	check("1 \"a", "bad: ends in the middle of a record\n");
	set("%V %v{base64}\\n");
	check("1 YWI=\n3 YQ==\n",
	    "bad: not as long as it says\n"
	    "bad: not as long as it says\n");
}

static void
test_read_nulls(void)
{
	set("%k=%v\\n");
	set_null("NIL");
	check("NIL=NIL\nNI=NILL\n", "null null\n2:NI 4:NILL\n");
	set_null("");
	check("=\na=\n", "null null\n1:a null\n");
	set("%k{hex}=%v{json}\\n");
	set_null("NIL");
	check("NIL=null\n4e494c=\"NIL\"\n=\"\"\n",
	    "null null\n3:NIL 3:NIL\n0: 0:\n");
	set("%V %v|%K{big8}%k\\n");
	set_null("NIL");
	feed_check(&form, "-1 NIL|\xffNIL\n-1 |\xff\n2 NI|\1N\n", 26,
	    "null null\nnull null\n1:N 2:NI\n");
}

/* An unfinished field is not searched from its beginning again. */
static void
test_searched(void)
{
	static const uint8_t text[] = "k:aaaa-aa--k:b--";
	const struct format_token *key, *value;
	struct form_record r;
	const char *why;
	size_t used;

	set("%k:%v--");
	key = &form.format.tokens[0];
	value = &form.format.tokens[2];
	tap_int(form_read(&form, text, 7, false, &r, &used, &why), STATUS_SHORT,
	    "half a delimiter is there");
	tap_int(key->searched, 1, "the key ends there");
	tap_int(value->searched, 4, "what may begin a delimiter remains");
	tap_int(form_read(&form, text, 10, false, &r, &used, &why),
	    STATUS_SHORT, "half a delimiter again");
	tap_int(value->searched, 7, "it went on");
	tap_int(form_read(&form, text, 11, false, &r, &used, &why), 0,
	    "the record is whole");
	tap_int(r.rec.value.len, 7, "and right");
	tap(key->searched == 0 && value->searched == 0, "the next is new");
	tap_int(form_read(&form, text + 11, 5, false, &r, &used, &why), 0,
	    "a shorter one");
	tap_int(r.rec.value.len, 1, "is right, too");
}

/* After a bad record. */
static void
test_bad(void)
{
	set("<%T> %v\\n");
	check("x\n<1> a\n", "bad: does not follow the format\nnull 1:a @1\n");
	check("<1>a\n<x> a\n<1> b\n", "bad: not a number\nnull 1:b @1\n");
	check("<999999999999999999999999999> a\n<1> b\n",
	    "bad: not a number\nnull 1:b @1\n");
	check("<9223372036854775808> a\n<1> b\n",
	    "bad: not a number\nnull 1:b @1\n");
	check("x", "bad: does not follow the format\n");
	set("%d %v\\n");
	check("today x\n", "bad: not a date\n");
	set("%v{hex}--");
	check("x--61--xx-x--62--",
	    "bad: not hexadecimal\nnull 1:a\n"
	    "bad: not hexadecimal\nnull 1:b\n");
	/* Without a literal at the end there is nothing to go on from. */
	set("%V:%v");
	check("1:ax:y1:a", "null 1:a\nbad: not a number\n");
	check("-2:a1:a", "bad: a negative length\n");
	set("%V{big8}%v.");
	check("\1abc.\1a.\xfe..",
	    "bad: does not follow the format\nnull 1:a\n"
	    "bad: a negative length\nbad: ends in the middle of a record\n");
}

static void
test_bound(void)
{
	set("%k %v\\n");
	form.record_max = 10;
	check("k 1234567890\nk 12345678901234567890\nk 1\n",
	    "1:k 10:1234567890\nbad: record is over the limit\n1:k 1:1\n");
	set("%V %v\\n");
	form.record_max = 3;
	check("3 abc\n4 abcd\n1 a\n",
	    "null 3:abc\nbad: record is over the limit\nnull 1:a\n");
	check("999999999999 abcd\n1 a\n",
	    "bad: record is over the limit\nnull 1:a\n");
	set("%K %k{json}%V %v{json}\\n");
	form.record_max = 3;
	check("1 \"\\u0041\"3 \"\\u0001\\u0002\\u0003\"\n", "1:A 3:\1\2\3\n");
	check("1 \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "bad: not a JSON string\n");
	/* Fields far longer than the limit, decoded: both stay valid. */
	set("%k{hex} %v{hex}\\n");
	form.record_max = 300;
	{
		char text[1300], want[700];
		size_t n = 0;

		for (int i = 0; i < 300; i++)
			n += (size_t)snprintf(text + n, 3, "61");
		text[n++] = ' ';
		for (int i = 0; i < 300; i++)
			n += (size_t)snprintf(text + n, 3, "62");
		text[n++] = '\n';
		text[n] = '\0';
		memset(want, 0, sizeof(want));
		snprintf(want, sizeof(want), "300:");
		memset(want + 4, 'a', 300);
		snprintf(want + 304, sizeof(want) - 304, " 300:");
		memset(want + 309, 'b', 300);
		want[609] = '\n';
		check(text, want);
	}
}

/* --- both --- */

static struct bytes
random_field(uint8_t *data, size_t size, bool utf8, bool may_be_null)
{
	size_t len = tap_random() % size;

	if (may_be_null && tap_random() % 5 == 0)
		return BYTES_NULL;
	if (tap_random() % 5 == 0)
		len = 0;
	for (size_t i = 0; i < len; i++) {
		data[i] = (uint8_t)(tap_random() % (utf8 ? 0x80 : 0x100));
		if (tap_random() % 3 == 0)
			data[i] = (uint8_t) "01 \n\"\\ul-"[data[i] % 9];
	}
	return (struct bytes){data, (int32_t)len};
}

/* Random records are written, and read in random pieces. */
static bool
survive(bool utf8, bool has_null, bool has_time)
{
	uint8_t data[2][40];
	struct buf text, want, log;
	bool good = true;

	buf_init(&text, 100000);
	buf_init(&want, 100000);
	buf_init(&log, 100000);
	for (int i = 0; i < 10; i++) {
		struct form_record r = {.partition = -1};

		r.rec.key = random_field(data[0], 40, utf8, has_null);
		r.rec.value = random_field(data[1], 40, utf8, has_null);
		r.has_timestamp = has_time;
		r.rec.timestamp = (int64_t)(tap_random() % 4000000000000);
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
	static const struct {
		const char *format;
		bool utf8;
		bool has_null;
		bool has_time;
	} rows[] = {
	    {"%K{big16}%V{big32}%k%v", false, true, false},
	    {"%K %V %k%v", false, true, false},
	    {"%K{little64}%k%V{little32}%v\\n", false, true, false},
	    {"%T:%K:%k:%V:%v\\n", false, true, true},
	    {"%d %K{little16}%k%V{big8}%v", false, true, true},
	    {"%K %V %k{hex}%v{base64}", false, true, false},
	    {"%K %V{big64}%k{base64}%v{hex}\\n", false, true, false},
	    {"%k{hex} %v{base64}\\n", false, false, false},
	    {"%T,%k{base64},%v{hex}\\n", false, false, true},
	    {"%k{json}\\n%v{json}\\n", true, true, false},
	    {"%K %V %k{json}%v{json}", true, true, false},
	    {"%V\\n%v{json}%K{big8}%k", true, true, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int wrong = 0;

		set(rows[i].format);
		for (int k = 0; k < 300; k++)
			wrong += !survive(rows[i].utf8, rows[i].has_null,
			    rows[i].has_time);
		tap_int(wrong, 0, "records survive %s", rows[i].format);
	}
}

/* Some records, then a few bytes changed; returns their length. */
static size_t
random_damaged(uint8_t *text, size_t size)
{
	uint8_t data[2][12];
	struct buf b;
	size_t len;

	buf_init(&b, 10000);
	for (int i = 0; i < 3; i++) {
		struct record rec = {.timestamp = 1795414032471 + i};

		rec.key = random_field(data[0], 12, true, false);
		rec.value = random_field(data[1], 12, true, false);
		form_write(&form, "t", 0, &rec, &b);
	}
	len = b.len < size ? b.len : size;
	memcpy(text, b.data, len);
	for (uint64_t n = tap_random() % 3; n > 0; n--)
		text[tap_random() % len] = (uint8_t)tap_random();
	buf_release(&b);
	return len;
}

/* Noise comes to the same however it is cut. */
static void
test_pieces(void)
{
	static const char *const formats[] = {"%v\\n", "%k:%v\\n", "%V %v",
	    "%V{big8}%v\\n", "%K %k{hex}%V %v{base64}\\n", "%V %v{json}\\n",
	    "%k{json}:%v{hex}--", "[%T] %v\\n", "%K %V %k{json}%v{json}",
	    "%d %v\\n"};
	static const char *const parts[] = {"1", "2 ", "0", "-1", " ", ":",
	    "\n", "--", "\"", "\"a\"", "\\", "\\u0041", "\\ud83d\\ude00", "61",
	    "YQ==", "[", "] ", "\1", "\2", "\xff", "\xc3\xa9", "null",
	    "2026-01-31T12:00:00Z "};
	struct buf once, log;
	uint8_t text[200];
	int wrong = 0, bad = 0, good = 0;

	buf_init(&once, 100000);
	buf_init(&log, 100000);
	for (int i = 0; i < 10000; i++) {
		size_t len = 0;

		if (i % 1000 == 0) {
			set(formats[i / 1000]);
			form.record_max = 12;
		}
		if (i % 2 == 0)
			len = random_damaged(text, sizeof(text));
		while (i % 2 == 1 && len < 150 && tap_random() % 20 != 0) {
			const char *part = parts[tap_random() % 23];

			memcpy(text + len, part, strlen(part));
			len += strlen(part);
		}
		once.len = log.len = 0;
		wrong += !feed(&form, text, len, 0, &once) ||
		    !feed(&form, text, len, tap_random() % 20 + 1, &log) ||
		    once.len != log.len ||
		    (log.len > 0 && memcmp(once.data, log.data, log.len) != 0);
		bad += memmem(once.data, once.len, "bad: ", 5) != NULL;
		good += memmem(once.data, once.len, "bad: ", 5) == NULL;
	}
	tap_int(wrong, 0, "noise comes to the same however it is cut");
	tap(bad > 1000 && good > 1000, "%d times bad, %d good", bad, good);
	buf_release(&once);
	buf_release(&log);
}

int
main(void)
{
	form_init(&form);
	test_compile();
	test_write();
	test_read();
	test_read_lengths();
	test_read_modifiers();
	test_read_nulls();
	test_searched();
	test_bad();
	test_bound();
	test_round();
	test_pieces();
	form_release(&form);
	return tap_done();
}
