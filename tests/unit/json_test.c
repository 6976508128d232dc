#include "text/json.h"

#include "base/bounds.h"
#include "base/status.h"
#include "tap.h"

/* json_check() on memory of its own: the sanitizer sees a read beyond. */
static int
check_text(const char *text, size_t len, struct json_value *v, const char **why)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int rc;

	memcpy(copy, text, len);
	rc = json_check(copy, len, v, why);
	v->text = NULL;
	free(copy);
	return rc;
}

/* "\x00" in a text of the tables is written as "@". */
static size_t
unfold(const char *text, char out[256])
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		out[i] = text[i] == '@' ? '\0' : text[i];
	return len;
}

static void
test_accept(void)
{
	static const struct {
		const char *text;
		enum json_type type;
	} good[] = {
	    {"null", JSON_NULL},
	    {"true", JSON_BOOL},
	    {"false", JSON_BOOL},
	    {" \t\r\n null \t\r\n ", JSON_NULL},
	    /* numbers */
	    {"0", JSON_NUMBER},
	    {"-0", JSON_NUMBER},
	    {"-1", JSON_NUMBER},
	    {"123456789012345678901234567890", JSON_NUMBER},
	    {"0.0", JSON_NUMBER},
	    {"-0.5e-10", JSON_NUMBER},
	    {"1E+2", JSON_NUMBER},
	    {"1e00", JSON_NUMBER},
	    {"0e1", JSON_NUMBER},
	    {"1e9999", JSON_NUMBER},
	    {"-1.23e+456789", JSON_NUMBER},
	    /* strings */
	    {"\"\"", JSON_STRING},
	    {"\"a\"", JSON_STRING},
	    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", JSON_STRING},
	    {"\"\\u0000\\u0041\\uFfFf\\u20aC\"", JSON_STRING},
	    {"\"\\ud83d\\ude00\"", JSON_STRING},
	    {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", JSON_STRING},
	    {"\"\\\\u0000\"", JSON_STRING},
	    {"\"\x7f\"", JSON_STRING},
	    {"\"\xc2\x80\xdf\xbf\"", JSON_STRING},
	    {"\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"",
		JSON_STRING},
	    {"\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", JSON_STRING},
	    {"\"/*comment*/ // # ,:[]{}\"", JSON_STRING},
	    {"\"sixteen bytes 123 and more of them \xc3\xa9 behind\"",
		JSON_STRING},
	    /* arrays */
	    {"[]", JSON_ARRAY},
	    {"[ ]", JSON_ARRAY},
	    {"[1,2 , 3]", JSON_ARRAY},
	    {"[[],[[]],{}]", JSON_ARRAY},
	    {"[null, 1, \"1\", {}, true]", JSON_ARRAY},
	    {"[1\n]", JSON_ARRAY},
	    /* objects */
	    {"{}", JSON_OBJECT},
	    {"{ }", JSON_OBJECT},
	    {"{\"\":0}", JSON_OBJECT},
	    {"{\"a\":1,\"a\":2}", JSON_OBJECT},
	    {"{\"a\" : [ ] , \"b\" : { } }", JSON_OBJECT},
	    {"{\"\\u0000\":1}", JSON_OBJECT},
	};
	struct json_value v;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		tap_int(check_text(good[i].text, strlen(good[i].text), &v,
			    NULL),
		    0, "accept %zu", i);
		tap_int(v.type, good[i].type, "type of %zu", i);
	}
}

static void
refuse_all(const char *what, const char *const *texts, size_t count)
{
	struct json_value v;
	char text[256];

	for (size_t i = 0; i < count; i++) {
		const char *why = NULL;
		size_t len = unfold(texts[i], text);

		tap_int(check_text(text, len, &v, &why), STATUS_SYNTAX,
		    "refuse %s %zu", what, i);
		tap(why != NULL, "say why: %s", why == NULL ? "" : why);
	}
}

static void
test_refuse(void)
{
	static const char *const words[] = {"", " ", "@", "nul", "nulll",
	    "Null", "TRUE", "truefalse", "tru", "undefined", "NaN", "Infinity",
	    "-Infinity", "a", "'a'", "*", "\xef\xbb\xbfnull", "\xef\xbb\xbf",
	    "\xc3\xa9", "\x80", "\xff", "\x0cnull", "null\x0b", "\xc2\xa0null",
	    "null null", "null,", ",null", "null@", "/**/null", "null//",
	    "# x\nnull"};
	static const char *const numbers[] = {"-", "+1", "--1", "01", "-01",
	    "00", "1.", ".1", "-.1", "1.e1", "1e", "1e+", "1E-", "1e1.5",
	    "1e1e1", "0x10", "0b1", "1_000", "1,000", "1 000", "1a", "-a",
	    "0.1.2", "1e@", "\xef\xbc\x91", "[-]", "[1e]", "[0.]", "[01]"};
	static const char *const strings[] = {"\"", "\"a", "a\"", "\"\\\"",
	    "\"\\", "\"\\a\"", "\"\\x41\"", "\"\\'\"", "\"\\@\"", "\"\\0\"",
	    "\"\\u\"", "\"\\u1\"", "\"\\u12\"", "\"\\u123\"", "\"\\u123g\"",
	    "\"\\U0041\"", "\"\\u 041\"", "\"\\u+041\"", "\"\\u00",
	    "\"\\\xc3\xa9\"", "\"\n\"", "\"\t\"", "\"\r\"", "\"@\"", "\"\x1f\"",
	    "\"\x08\"", "\"a long one of plain bytes, then \x01\"",
	    "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800a\"", "\"\\ud800\\n\"",
	    "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"",
	    "\"\\ud800\\u\"", "\"\\ud800\\udc0\"", "\"\\ud83d\\ude0",
	    "\"\\ud800\\\""};
	static const char *const utf8[] = {"\"\x80\"", "\"\xbf\"",
	    "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xc3\"", "\"\xc3(\"",
	    "\"\xe0\x80\x80\"", "\"\xe0\x9f\xbf\"", "\"\xe2\x82\"",
	    "\"\xe2\x82(\"", "\"\xed\xa0\x80\"", "\"\xed\xbf\xbf\"",
	    "\"\xf0\x80\x80\x80\"", "\"\xf0\x8f\xbf\xbf\"",
	    "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"",
	    "\"\xf8\x88\x80\x80\x80\"", "\"\xfe\"", "\"\xff\"",
	    "\"\xf0\x9f\x98\"", "\"\xf0\x9f\x98", "\"\xc3",
	    "\"plain bytes enough to fill a block of them: \xe9t\xe9\""};
	static const char *const arrays[] = {"[", "]", "[1", "[1,", "[1,]",
	    "[,1]", "[,]", "[1,,2]", "[1 2]", "[1;2]", "[1:2]", "[]]", "[[]",
	    "[}", "[\"a\"", "[\"a]", "[(]", "[1]x", "[1]]", "[\"a\" \"b\"]",
	    "[1]\xe2\x81\xa0", "[<null>]"};
	static const char *const objects[] = {"{", "}", "{\"a\"",
	    "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{\"a\"}",
	    "{\"a\",1}", "{\"a\" 1}", "{\"a\"::1}", "{\"a\":1 \"b\":2}",
	    "{\"a\":1,,\"b\":2}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}",
	    "{[]:1}", "{\"a\":}", "{:1}", "{\"a\":1]", "{\"a\":1}}",
	    "{\"a\":1}#", "{\"a\":1}/**/", "{\"a\":1}{", "{\"a",
	    "{\"a\\ud800\":1}", "{\"a\n\":1}", "{\"\xff\":1}", "{\"a\":\"b\"",
	    "{\"a\":b}"};

	refuse_all("words", words, sizeof(words) / sizeof(words[0]));
	refuse_all("numbers", numbers, sizeof(numbers) / sizeof(numbers[0]));
	refuse_all("strings", strings, sizeof(strings) / sizeof(strings[0]));
	refuse_all("utf8", utf8, sizeof(utf8) / sizeof(utf8[0]));
	refuse_all("arrays", arrays, sizeof(arrays) / sizeof(arrays[0]));
	refuse_all("objects", objects, sizeof(objects) / sizeof(objects[0]));
}

/* depth brackets around nothing. */
static int
check_depth(int depth, const char *open, const char *close)
{
	char text[4000] = "";
	struct json_value v;

	for (int i = 0; i < depth; i++)
		strlcat(text, open, sizeof(text));
	for (int i = 0; i < depth; i++)
		strlcat(text, i == 0 && *close == '}' ? "1}" : close,
		    sizeof(text));
	return check_text(text, strlen(text), &v, NULL);
}

static void
test_depth(void)
{
	static char open[100000];
	struct json_cursor c;
	struct json_value name, v;
	struct buf b;
	bool first = true;

	tap_int(check_depth(JSON_DEPTH_MAX, "[", "]"), 0, "arrays, deep");
	tap_int(check_depth(JSON_DEPTH_MAX + 1, "[", "]"), STATUS_TOO_BIG,
	    "arrays, too deep");
	tap_int(check_depth(JSON_DEPTH_MAX, "{\"a\":", "}"), 0,
	    "objects, deep");
	tap_int(check_depth(JSON_DEPTH_MAX + 1, "{\"a\":", "}"), STATUS_TOO_BIG,
	    "objects, too deep");
	memset(open, '[', sizeof(open));
	tap_int(check_text(open, sizeof(open), &v, NULL), STATUS_TOO_BIG,
	    "far too deep, and never closed");

	/* A value as deep as may be can be a member. */
	buf_init(&b, 1000);
	buf_add_str(&b, "{\"v\":");
	buf_add(&b, open, JSON_DEPTH_MAX);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_add_8(&b, ']');
	buf_add_8(&b, '}');
	c = (struct json_cursor){b.data, b.data + b.len, NULL};
	tap_int(json_enter(&c, '{'), 0, "enter");
	tap_int(json_member(&c, &first, &name, &v), 0, "deep member");
	tap_int(json_member(&c, &first, &name, &v), STATUS_END, "the last");
	buf_release(&b);
}

/* Where an error is. */
static void
test_position(void)
{
	static const struct {
		const char *text;
		size_t pos;
	} rows[] = {
	    {"nul", 0},
	    {"[1,x]", 3},
	    {"[1 2]", 3},
	    {"{\"a\" 1}", 5},
	    {"[\"abc\\qd\"]", 5},
	    {"[\"abc\xff\"]", 5},
	    {"[\"a\nb\"]", 3},
	    {"[\"abc", 5},
	    {"[1,", 3},
	    {"{\"a\":1,}", 7},
	    {"[1.x]", 3},
	    {"{\"a\":[1,\"\\u00g0\"]}", 9},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *text = (const uint8_t *)rows[i].text;
		struct json_cursor c = {text, text + strlen(rows[i].text),
		    NULL};
		struct json_value v;

		tap_int(json_next(&c, &v), STATUS_SYNTAX, "bad %zu", i);
		tap_int(c.pos - text, rows[i].pos, "where: %s", c.why);
	}
}

static void
check_string(const char *text, const char *want, size_t len)
{
	struct json_value v;
	struct buf b;

	buf_init(&b, 1000);
	tap_int(json_check((const uint8_t *)text, strlen(text), &v, NULL), 0,
	    "a string");
	tap_int(json_unescape(&v, &b), 0, "unescape %s", text);
	tap(b.len == len && (len == 0 || memcmp(b.data, want, len) == 0),
	    "its characters");
	buf_release(&b);
}

static void
test_unescape(void)
{
	check_string("\"\"", "", 0);
	check_string("\"abc\"", "abc", 3);
	check_string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
	check_string("\"\\u0000\"", "\0", 1);
	check_string("\"x\\u0041\\u00e9\\u20AC\\ud83d\\uDE00y\"",
	    "xA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80y", 12);
	check_string("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
	    "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11);
	check_string("\"\\ud800\\udc00\\udbff\\udfff\"",
	    "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8);
	check_string("\"\\\\u0041\"", "\\u0041", 6);
}

static void
test_write(void)
{
	static const char want[] =
	    "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u0001\\u000b\\u001f\x7f"
	    "\xc3\xa9\xf0\x9f\x98\x80\"";
	struct buf b, back;
	struct json_value v;
	int wrong = 0;

	buf_init(&b, 10000);
	buf_init(&back, 10000);
	json_write_string(&b,
	    (const uint8_t *)"\"\\/\b\f\n\r\t\0\x01\x0b"
			     "\x1f\x7f\xc3\xa9\xf0\x9f\x98\x80",
	    19);
	tap(b.len == sizeof(want) - 1 && memcmp(b.data, want, b.len) == 0,
	    "what is escaped, and how");
	b.len = 0;
	tap(json_write_string(&b, NULL, 0) == 0 && b.len == 2 &&
		memcmp(b.data, "\"\"", 2) == 0,
	    "no bytes, and no pointer");
	for (int i = 0; i < 5000; i++) {
		static const char *const parts[] = {"a", "plain text ", "\"",
		    "\\", "\n", "\x01", "\xc3\xa9", "\xe2\x82\xac", "\x1f",
		    "\xf0\x9f\x98\x80", "0123456789abcdef", "\x7f", "/"};
		uint8_t data[300];
		size_t len = 0;

		while (len < 280 && tap_random() % 20 != 0) {
			const char *part = parts[tap_random() % 13];

			memcpy(data + len, part, strlen(part));
			len += strlen(part);
		}
		b.len = back.len = 0;
		wrong += json_write_string(&b, data, len) != 0 ||
		    json_check(b.data, b.len, &v, NULL) != 0 ||
		    json_unescape(&v, &back) != 0 || back.len != len ||
		    (len > 0 && memcmp(back.data, data, len) != 0) ||
		    v.has_escape != (memchr(b.data, '\\', b.len) != NULL);
	}
	tap_int(wrong, 0, "what is written is read back");
	buf_release(&b);
	buf_release(&back);
}

/* UTF-8 as RFC 3629 has it, by its table of ranges. */
static bool
slow_utf8(const uint8_t *p, size_t len)
{
	static const uint8_t rows[9][5] = {{0x00, 0x7f, 0, 0, 0},
	    {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
	    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f},
	    {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
	    {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f}};
	size_t i = 0;

	while (i < len) {
		const uint8_t *row = NULL;

		for (int k = 0; k < 9; k++)
			if (p[i] >= rows[k][0] && p[i] <= rows[k][1])
				row = rows[k];
		if (row == NULL || len - i <= row[2])
			return false;
		for (int k = 1; k <= row[2]; k++) {
			uint8_t low = k == 1 ? row[3] : 0x80;
			uint8_t high = k == 1 ? row[4] : 0xbf;

			if (p[i + (size_t)k] < low || p[i + (size_t)k] > high)
				return false;
		}
		i += row[2] + 1U;
	}
	return true;
}

static void
test_utf8(void)
{
	static const uint8_t edges[] = {'a', 'b', 0x7f, 0x80, 0x8f, 0x90, 0x9f,
	    0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
	    0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
	const size_t n = sizeof(edges);
	int wrong = 0, valid = 0;

	tap(json_is_utf8(NULL, 0), "nothing is UTF-8");
	for (size_t i = 0; i < n * n * n * n; i++) {
		uint8_t *p = malloc(4);
		bool want;

		p[0] = edges[i % n];
		p[1] = edges[i / n % n];
		p[2] = edges[i / n / n % n];
		p[3] = edges[i / n / n / n];
		want = slow_utf8(p, 4);
		valid += want;
		wrong += json_is_utf8(p, 4) != want;
		free(p);
	}
	tap(valid > 100, "%d of the texts are UTF-8", valid);
	tap_int(wrong, 0, "all four bytes at the edges");
	tap(json_is_utf8((const uint8_t *)"eight or more bytes \xc3\xa9!", 23),
	    "after plain bytes");
	tap(!json_is_utf8((const uint8_t *)"eight or more bytes, then \xc3",
		27),
	    "cut at the end");
}

static void
check_find(const char *text, const char *path, const char *want)
{
	struct json_value v = {.len = 0};
	const char *why = NULL;

	tap_int(json_find((const uint8_t *)text, strlen(text), path, &v, &why),
	    0, "%s in %s", path, text);
	tap(v.len == strlen(want) && memcmp(v.text, want, v.len) == 0, "is %s",
	    want);
}

static void
check_not_found(const char *text, const char *path, int want)
{
	struct json_value v;
	const char *why = NULL;

	tap_int(json_find((const uint8_t *)text, strlen(text), path, &v, &why),
	    want, "%s not in %s", path, text);
	tap((why != NULL) == (want == STATUS_SYNTAX),
	    "a reason if it is no JSON");
	why = "the caller's";
	if (want == STATUS_END) {
		json_find((const uint8_t *)text, strlen(text), path, &v, &why);
		tap(why != NULL && strcmp(why, "the caller's") == 0,
		    "the caller's reason is kept");
	}
}

static void
test_find(void)
{
	static const char *const paths[] = {".a", ".a.b", ".\"a.b\".c", ".\"\"",
	    ".\"a b\"", ".\xc3\xa9", ".a-b"};
	static const char *const bad[] = {"", "a", ".", "..a", ".a.", ".a..b",
	    ".\"a", ".\"a\"b", ".a\"b\"", "\"a\""};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		tap_int(json_check_path(paths[i]), 0, "path %s", paths[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		tap_int(json_check_path(bad[i]), STATUS_SYNTAX, "no path: %s",
		    bad[i]);
	check_find("{\"a\":1}", ".a", "1");
	check_find(" { \"a\" : \"x\" } ", ".a", "\"x\"");
	check_find("{\"b\":[1],\"a\":{\"a\":0,\"b\":{\"c\":[2]}}}", ".a.b.c",
	    "[2]");
	check_find("{\"a\":1,\"a\":2}", ".a", "2");
	check_find("{\"a.b\":{\"\":3}}", ".\"a.b\".\"\"", "3");
	check_find("{\"\\u0061\\/\":4}", ".a/", "4");
	check_find("{\"user\":{\"id\":null}}", ".user.id", "null");
	check_not_found("{\"a\":1}", ".b", STATUS_END);
	check_not_found("{\"a\":1}", ".a.b", STATUS_END);
	check_not_found("{\"a\":[]}", ".a.b", STATUS_END);
	check_not_found("{}", ".a", STATUS_END);
	check_not_found("[]", ".a", STATUS_END);
	check_not_found("1", ".a", STATUS_END);
	check_not_found("{\"a\\u0000\":1}", ".a", STATUS_END);
	check_not_found("{\"a\":{\"b\":1}}", ".b", STATUS_END);
	check_not_found("", ".a", STATUS_SYNTAX);
	check_not_found("plain", ".a", STATUS_SYNTAX);
	check_not_found("{\"a\":1}x", ".a", STATUS_SYNTAX);
	check_not_found("{\"a\":1,\"b\":x}", ".a", STATUS_SYNTAX);
}

/* Walking finds what checking finds, whatever the bytes. */
static bool
walk_agrees(const uint8_t *text, size_t len)
{
	struct json_cursor c = {text, text + len, NULL};
	struct json_value v, name, value;
	bool first = true;
	int rc = json_check(text, len, &v, NULL), walk;

	if (len == 0 || (text[0] != '{' && text[0] != '['))
		return rc == 0 || rc == STATUS_SYNTAX || rc == STATUS_TOO_BIG;
	walk = json_enter(&c, text[0]);
	while (walk == 0)
		walk = text[0] == '{' ? json_member(&c, &first, &name, &value)
				      : json_element(&c, &first, &value);
	if (walk != STATUS_END)
		return walk == rc && c.why != NULL;
	return rc == (json_at_end(&c) ? 0 : STATUS_SYNTAX);
}

static void
test_noise(void)
{
	static const char *const parts[] = {"{", "}", "[", "]", ",", ":", "\"",
	    "\"a\"", "\\", "\\u", "\\ud800", "\\udc00", "1", "-", "0", ".5",
	    "e", "null", "true", "fals", " ", "\n", "\xc3\xa9", "\xff",
	    "\"k\":", "\"v\",", "[]", "{}", "0041"};
	int wrong = 0, good = 0;

	for (int i = 0; i < 100000; i++) {
		uint8_t *text = malloc(200);
		size_t len = 0;
		struct json_value v;

		while (len < 180 && (len == 0 || tap_random() % 8 != 0)) {
			const char *part = parts[tap_random() %
			    (sizeof(parts) / sizeof(parts[0]))];

			memcpy(text + len, part, strlen(part));
			len += strlen(part);
		}
		text = realloc(text, len);
		wrong += !walk_agrees(text, len);
		good += json_check(text, len, &v, NULL) == 0;
		free(text);
	}
	tap(good > 100, "%d of the noise are JSON", good);
	tap_int(wrong, 0, "walking and checking agree about noise");
}

/* Every prefix of a text is refused, with a reason. */
static void
test_cut(void)
{
	static const char text[] =
	    "{\"a\":[1,-2.5e3,\"\\ud83d\\ude00\xc3\xa9\","
	    "true,null,{\"b\":{}}],\"c\":\"\\n\"}";
	struct json_value v;
	int wrong = 0;

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		const char *why = NULL;

		wrong += check_text(text, len, &v, &why) != STATUS_SYNTAX ||
		    why == NULL;
	}
	tap_int(wrong, 0, "no prefix is a value");
	tap_int(check_text(text, sizeof(text) - 1, &v, NULL), 0,
	    "all of it is");
}

int
main(void)
{
	test_accept();
	test_refuse();
	test_depth();
	test_position();
	test_unescape();
	test_write();
	test_utf8();
	test_find();
	test_noise();
	test_cut();
	return tap_done();
}
