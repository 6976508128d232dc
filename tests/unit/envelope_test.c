#include "text/envelope.h"

#include "base/bounds.h"
#include "base/status.h"
#include "tap.h"
#include "text/json.h"

static struct envelope_reader reader;

/* Memory of its own for a line: the sanitizer sees a read beyond. */
static int
read_line(const void *line, size_t len, struct envelope_record *out,
    const char **why)
{
	static uint8_t *copy;

	free(copy);
	copy = malloc(len > 0 ? len : 1);
	memcpy(copy, line, len);
	return envelope_read(&reader, copy, len, out, why);
}

/* --- writing --- */

static struct record
record_of(const char *key, const char *value)
{
	return (struct record){.offset = 8,
	    .timestamp = 1795414032471,
	    .key = bytes_of(key),
	    .value = bytes_of(value)};
}

#define HEAD                                                                   \
	"{\"topic\":\"t\",\"partition\":3,\"offset\":8,\"timestamp\":"         \
	"1795414032471"

static void
check_write(enum envelope_value mode, const struct record *rec,
    const char *want)
{
	struct buf b;

	buf_init(&b, 10000);
	tap_int(envelope_write(&b, mode, "t", 3, rec), 0, "write");
	buf_add_8(&b, '\0');
	tap_str((char *)b.data, want);
	buf_release(&b);
}

static void
check_value(enum envelope_value mode, const char *value, const char *want)
{
	struct record rec = record_of("K", value);
	char line[1000];

	snprintf(line, sizeof(line), HEAD ",\"key\":\"K\"%s}\n", want);
	check_write(mode, &rec, line);
}

static void
test_write_values(void)
{
	const enum envelope_value a = ENVELOPE_VALUE_AUTO;

	check_value(a, "plain", ",\"value\":\"plain\"");
	check_value(a, "", ",\"value\":\"\"");
	check_value(a, NULL, ",\"value\":null");
	check_value(a, "{\"a\":[1, 2]}", ",\"value\":{\"a\":[1, 2]}");
	check_value(a, "[]", ",\"value\":[]");
	check_value(a, "\xc3\xa9\"\\\n\x01\x7f",
	    ",\"value\":\"\xc3\xa9\\\"\\\\\\n\\u0001\x7f\"");
	check_value(a, "\xff\xfe", ",\"value_base64\":\"//4=\"");
	/* Not embedded: a string. */
	check_value(a, "1", ",\"value\":\"1\"");
	check_value(a, "true", ",\"value\":\"true\"");
	check_value(a, "\"s\"", ",\"value\":\"\\\"s\\\"\"");
	check_value(a, "{", ",\"value\":\"{\"");
	check_value(a, "{]", ",\"value\":\"{]\"");
	check_value(a, " {}", ",\"value\":\" {}\"");
	check_value(a, "{} ", ",\"value\":\"{} \"");
	check_value(a, "{}{}", ",\"value\":\"{}{}\"");
	check_value(a, "[\n]", ",\"value\":\"[\\n]\"");
	check_value(a, "[\r]", ",\"value\":\"[\\r]\"");
	check_value(a, "[\t]", ",\"value\":[\t]");
	check_value(a, "[01]", ",\"value\":\"[01]\"");
	check_value(a, "[\"\\ud800\"]", ",\"value\":\"[\\\"\\\\ud800\\\"]\"");
	check_value(a, "[\"\xff\"]", ",\"value_base64\":\"WyL/Il0=\"");
	check_value(ENVELOPE_VALUE_STRING, "{}", ",\"value\":\"{}\"");
	check_value(ENVELOPE_VALUE_STRING, "\xff",
	    ",\"value_base64\":\"/w==\"");
	check_value(ENVELOPE_VALUE_STRING, NULL, ",\"value\":null");
	check_value(ENVELOPE_VALUE_JSON, "{}", ",\"value\":{}");
	check_value(ENVELOPE_VALUE_JSON, NULL, ",\"value\":null");
	check_value(ENVELOPE_VALUE_BASE64, "{}", ",\"value_base64\":\"e30=\"");
	check_value(ENVELOPE_VALUE_BASE64, "", ",\"value_base64\":\"\"");
	check_value(ENVELOPE_VALUE_BASE64, NULL, ",\"value\":null");
	check_value(ENVELOPE_VALUE_NONE, "x", "");
}

static void
test_write_rest(void)
{
	struct record rec = record_of(NULL, "v");
	struct buf h, b;
	enum envelope_value mode = ENVELOPE_VALUE_AUTO;

	check_write(mode, &rec, HEAD ",\"key\":null,\"value\":\"v\"}\n");
	rec = record_of("\xc3", "v");
	check_write(mode, &rec,
	    HEAD ",\"key_base64\":\"ww==\",\"value\":\"v\""
		 "}\n");
	rec = record_of("", "v");
	rec.offset = INT64_MAX;
	rec.timestamp = INT64_MIN;
	check_write(mode, &rec,
	    "{\"topic\":\"t\",\"partition\":3,\"offset\":"
	    "9223372036854775807,\"timestamp\":-9223372036854775808,"
	    "\"key\":\"\",\"value\":\"v\"}\n");

	buf_init(&h, 1000);
	record_headers_add(&h, bytes_of("h"), bytes_of("v\""));
	record_headers_add(&h, bytes_of("h"), BYTES_NULL);
	record_headers_add(&h, bytes_of(""), bytes_of("{}"));
	record_headers_add(&h, bytes_of("\xff"), bytes_of("\xfe"));
	rec = record_of("K", "v");
	rec.headers = h.data;
	rec.headers_len = h.len;
	rec.header_count = 4;
	check_write(mode, &rec,
	    HEAD
	    ",\"key\":\"K\",\"value\":\"v\",\"headers"
	    "\":[{\"key\":\"h\",\"value\":\"v\\\"\"},{\"key\":\"h\",\"value\":"
	    "null},{\"key\":\"\",\"value\":\"{}\"},{\"key_base64\":\"/w==\","
	    "\"value_base64\":\"/g==\"}]}\n");

	/* What cannot be written leaves the output as it was. */
	buf_init(&b, 200);
	buf_add_str(&b, "before");
	tap_int(envelope_write(&b, ENVELOPE_VALUE_JSON, "t", 3, &rec),
	    STATUS_SYNTAX, "not to be embedded");
	tap_int(b.len, 6, "nothing is added");
	tap_int(envelope_write(&b, mode, "t", 3, &rec), STATUS_TOO_BIG,
	    "no room");
	tap_int(b.len, 6, "nothing is added");
	buf_release(&b);
	buf_release(&h);
}

static void
test_modes(void)
{
	static const char *const names[] = {"auto", "string", "json", "base64",
	    "none"};
	enum envelope_value mode;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		tap_int(envelope_parse_value(names[i], &mode), 0, "mode %s",
		    names[i]);
		tap_int(mode, i, "is %s", names[i]);
	}
	tap_int(envelope_parse_value("Auto", &mode), STATUS_SYNTAX, "no mode");
	tap_int(envelope_parse_value("", &mode), STATUS_SYNTAX, "no mode");
}

/* --- reading --- */

static void
show_bytes(char *out, size_t size, struct bytes b)
{
	size_t at = strlen(out);

	if (bytes_is_null(b))
		snprintf(out + at, size - at, "null");
	else
		snprintf(out + at, size - at, "<%.*s>", (int)b.len,
		    b.len == 0 ? "" : (const char *)b.data);
}

/* "KEY VALUE [@TIMESTAMP] [/PARTITION] [NAME=VALUE]..." */
static void
show(char *out, size_t size, const struct envelope_record *e)
{
	struct record_headers it;
	struct record_header h;

	out[0] = '\0';
	show_bytes(out, size, e->rec.key);
	strlcat(out, " ", size);
	show_bytes(out, size, e->rec.value);
	if (e->has_timestamp)
		snprintf(out + strlen(out), size - strlen(out), " @%" PRId64,
		    e->rec.timestamp);
	if (e->partition >= 0)
		snprintf(out + strlen(out), size - strlen(out), " /%d",
		    (int)e->partition);
	record_headers_init(&it, &e->rec);
	while (record_headers_next(&it, &h) == 0) {
		strlcat(out, " ", size);
		show_bytes(out, size, h.name);
		strlcat(out, "=", size);
		show_bytes(out, size, h.value);
	}
}

static void
check_read(const char *line, const char *want)
{
	struct envelope_record e;
	const char *why = NULL;
	char got[1000] = "";

	tap_int(read_line(line, strlen(line), &e, &why), 0, "read %s (%s)",
	    line, why == NULL ? "good" : why);
	if (why == NULL)
		show(got, sizeof(got), &e);
	tap_str(got, want);
}

static void
test_read(void)
{
	check_read("{\"value\":\"v\"}", "null <v>");
	check_read(" { \"value\" : \"v\" , \"key\" : \"k\" } \r", "<k> <v>");
	check_read("{\"key\":null,\"value\":null}", "null null");
	check_read("{\"key\":\"\",\"value\":\"\"}", "<> <>");
	check_read("{\"value\":\"\\u0041\\n\\ud83d\\ude00\\/\",\"key\":\"\\\"\""
		   "}",
	    "<\"> <A\n\xf0\x9f\x98\x80/>");
	check_read("{\"value\":{\"a\": [1 ,2]}}", "null <{\"a\": [1 ,2]}>");
	check_read("{\"value\":[ ]}", "null <[ ]>");
	check_read("{\"value\":-1.50e3}", "null <-1.50e3>");
	check_read("{\"value\":true,\"key\":7}", "<7> <true>");
	check_read("{\"value_base64\":\"YWI=\",\"key_base64\":\"Yw==\"}",
	    "<c> <ab>");
	check_read("{\"value_base64\":\"\"}", "null <>");
	check_read("{\"value_base64\":null}", "null null");
	check_read("{\"value_base64\":\"Pz8\\/Pw\\u003d=\"}",
	    "null <\?\?\?\?>");
	check_read("{\"\\u0076alue\":\"v\"}", "null <v>");
	/* Names that are not ours, nested ones, are nothing. */
	check_read("{\"x\":{\"value\":1},\"value\":2,\"topic\":[],\"offset\":"
		   "\"x\",\"Value \":3,\"\":4,\"val\":5,\"value\\u0000\":6}",
	    "null <2>");
	check_read("{\"x\":1,\"x\":2,\"value\":\"v\"}", "null <v>");
	/* timestamps */
	check_read("{\"value\":1,\"timestamp\":0}", "null <1> @0");
	check_read("{\"value\":1,\"timestamp\":-1}", "null <1> @-1");
	check_read("{\"value\":1,\"timestamp\":9223372036854775807}",
	    "null <1> @9223372036854775807");
	check_read("{\"value\":1,\"timestamp\":\"1970-01-01T00:00:01.5Z\"}",
	    "null <1> @1500");
	check_read("{\"value\":1,\"timestamp\":\"1970-01-01T02:00:00+02:00\"}",
	    "null <1> @0");
	check_read("{\"value\":1,\"timestamp\":null}", "null <1>");
	/* partitions */
	check_read("{\"value\":1,\"partition\":7}", "null <1> /7");
	check_read("{\"value\":1,\"partition\":null}", "null <1>");
	check_read("{\"value\":1,\"partition\":-1}", "null <1>");
}

static void
test_read_headers(void)
{
	check_read("{\"value\":1,\"headers\":[{\"key\":\"h\",\"value\":\"v\"},"
		   "{\"value\":null,\"key\":\"h\"},{\"key\":\"\",\"value\":"
		   "\"\"}]}",
	    "null <1> <h>=<v> <h>=null <>=<>");
	check_read("{\"headers\":[{\"key_base64\":\"YQ==\",\"value_base64\":"
		   "\"Yg==\",\"x\":1}],\"value\":1}",
	    "null <1> <a>=<b>");
	check_read("{\"headers\":[{\"key\":\"\\n\",\"value\":\"\\t\"}],"
		   "\"value\":\"\\r\",\"key\":\"\\b\"}",
	    "<\b> <\r> <\n>=<\t>");
	check_read("{\"headers\":[{\"key\":\"h\",\"value\":{\"a\":1}}],"
		   "\"value\":1}",
	    "null <1> <h>=<{\"a\":1}>");
	check_read("{\"headers\":[],\"value\":1}", "null <1>");
	check_read("{\"headers\":null,\"value\":1}", "null <1>");
	check_read("{\"headers\":{},\"value\":1}", "null <1>");
	check_read("{\"headers\":{\"a\":\"b\",\"a\":null,\"\\u0063\":1},"
		   "\"value\":1}",
	    "null <1> <a>=<b> <a>=null <c>=<1>");
	check_read("{\"headers\":[\"a\",\"b\",\"a\",null,\"\",\"\"],"
		   "\"value\":1}",
	    "null <1> <a>=<b> <a>=null <>=<>");
}

/* As the others write them. */
static void
test_others(void)
{
	/* kcat */
	check_read("{\"topic\":\"t1\",\"partition\":0,\"offset\":8,\"tstype\":"
		   "\"create\",\"ts\":1795414032471,\"broker\":1,\"headers\":["
		   "\"h1\","
		   "\"v1\",\"h1\",\"v2\",\"nul\",null,\"emp\",\"\"],\"key\":"
		   "\"K\","
		   "\"payload\":\"text\"}",
	    "<K> <text> @1795414032471 /0 <h1>=<v1> "
	    "<h1>=<v2> <nul>=null <emp>=<>");
	check_read("{\"topic\":\"t1\",\"partition\":0,\"offset\":8,\"key\":"
		   "null,\"payload\":null}",
	    "null null /0");
	/* rpk */
	check_read("{\"topic\":\"t\",\"key\":\"k\",\"value\":\"v\",\"headers\":"
		   "[{\"key\":\"h\",\"value\":\"x\"}],\"timestamp\":"
		   "1700000000000,"
		   "\"partition\":2,\"offset\":5}",
	    "<k> <v> @1700000000000 /2 <h>=<x>");
	/* kaf */
	check_read("{\"topic\":\"t\",\"partition\":1,\"offset\":4,"
		   "\"timestamp\":\"2023-11-14T22:13:20.123Z\",\"headers\":[{"
		   "\"key\":"
		   "\"h\",\"value\":\"x\"}],\"key\":\"k\",\"payload\":{\"a\":1}"
		   "}",
	    "<k> <{\"a\":1}> @1700000000123 /1 <h>=<x>");
	/* kafkactl */
	check_read("{\"Partition\":1,\"Offset\":4,\"Headers\":{\"h\":\"x\"},"
		   "\"Key\":\"k\",\"Value\":\"v\",\"Timestamp\":"
		   "\"2023-11-14T22:13:20Z\"}",
	    "<k> <v> @1700000000000 /1 <h>=<x>");
}

static void
check_bad_bytes(const char *line, size_t len, int want, const char *words)
{
	struct envelope_record e;
	const char *why = NULL;

	tap_int(read_line(line, len, &e, &why), want, "refuse %.*s",
	    (int)(len < 60 ? len : 60), line);
	tap_str(why == NULL ? "(null)" : why, words);
}

static void
check_bad(const char *line, const char *words)
{
	check_bad_bytes(line, strlen(line), STATUS_SYNTAX, words);
}

#define MORE "ends inside the object (one object a line: jq -c)"

static void
test_refuse(void)
{
	check_bad("plain", "not an object");
	check_bad("[1]", "not an object");
	check_bad("\"{}\"", "not an object");
	check_bad("{}", "no value");
	check_bad("{\"key\":\"k\"}", "no value");
	check_bad("{", MORE);
	check_bad("{\"value\":1", MORE);
	check_bad("{\"value\":\"v", MORE);
	check_bad("{\"value\":[1,", MORE);
	check_bad("{\"value\":1} {\"value\":2}",
	    "something stands behind the object");
	check_bad("{\"value\":1,}", "a name is missing");
	check_bad("{\"value\"=1}", "a colon is missing");
	check_bad("{\"value\":1;\"key\":2}", "a comma is missing");
	check_bad("{\"value\":01}", "a number begins with 0");
	check_bad("{\"value\":\"\xff\"}", "not UTF-8");
	check_bad("{\"x\":\"\xff\",\"value\":1}", "not UTF-8");
	check_bad("{\"value\":\"\\ud800\"}", "an escape is no character");
	check_bad("{\"value\":[\"\\udc00\"]}", "an escape is no character");
	check_bad("{\"value\":\"a\tb\"}", "a control character in a string");
	check_bad("{\"value\":1,\"value\":1}", "value given twice");
	check_bad("{\"value\":1,\"payload\":1}", "value given twice");
	check_bad("{\"value\":1,\"Value\":1}", "value given twice");
	check_bad("{\"value\":1,\"value_base64\":\"\"}", "value given twice");
	check_bad("{\"key\":1,\"key_base64\":\"\",\"value\":1}",
	    "key given twice");
	check_bad("{\"ts\":1,\"timestamp\":1,\"value\":1}",
	    "timestamp given twice");
	check_bad("{\"headers\":[],\"Headers\":[],\"value\":1}",
	    "headers given twice");
	check_bad("{\"partition\":1,\"partition\":1,\"value\":1}",
	    "partition given twice");
	check_bad("{\"value_base64\":\"YQ\"}", "not base64");
	check_bad("{\"value_base64\":\"Y\\nQ=\"}", "not base64");
	check_bad("{\"value_base64\":{}}", "base64 is no string");
	check_bad("{\"timestamp\":1.5,\"value\":1}",
	    "timestamp is neither milliseconds nor RFC 3339");
	check_bad("{\"timestamp\":true,\"value\":1}",
	    "timestamp is neither milliseconds nor RFC 3339");
	check_bad("{\"timestamp\":\"now\",\"value\":1}",
	    "timestamp is neither milliseconds nor RFC 3339");
	check_bad("{\"timestamp\":9223372036854775808,\"value\":1}",
	    "timestamp is neither milliseconds nor RFC 3339");
	check_bad("{\"timestamp\":100000000000000000000000,\"value\":1}",
	    "timestamp is neither milliseconds nor RFC 3339");
	check_bad("{\"timestamp\":1000000000000000000000000000,\"value\":1}",
	    "timestamp is neither milliseconds nor RFC 3339");
	check_bad("{\"partition\":\"1\",\"value\":1}",
	    "partition is no number");
	check_bad("{\"partition\":-2,\"value\":1}", "partition is no number");
	check_bad("{\"headers\":\"x\",\"value\":1}", "headers are no list");
	check_bad("{\"headers\":[\"a\"],\"value\":1}",
	    "a header without a value");
	check_bad("{\"headers\":[null,\"a\"],\"value\":1}",
	    "a header's name is no string");
	check_bad("{\"headers\":[[],\"a\"],\"value\":1}",
	    "a header's name is no string");
	check_bad("{\"headers\":[{\"key\":null,\"value\":1}],\"value\":1}",
	    "a header's name is no string");
	check_bad("{\"headers\":[{\"value\":1}],\"value\":1}",
	    "a header without a key");
	check_bad("{\"headers\":[{\"key\":\"a\",\"key\":\"b\"}],\"value\":1}",
	    "a header's field is given twice");
	check_bad_bytes("{\"value\":1}\0", 12, STATUS_SYNTAX,
	    "something stands behind the object");
	check_bad_bytes("", 0, STATUS_SYNTAX, "not an object");
}

static void
test_bounds(void)
{
	struct buf b;

	buf_init(&b, 10 << 20);
	buf_add_str(&b, "{\"value\":");
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		buf_add_8(&b, '[');
	check_bad_bytes((const char *)b.data, b.len, STATUS_TOO_BIG,
	    "nested too deeply");
	b.len = 0;
	buf_add_str(&b, "{\"value\":1,\"headers\":[\"a\",1");
	for (int i = 0; i < RECORD_HEADERS_MAX; i++)
		buf_add_str(&b, ",\"a\",1");
	buf_add_str(&b, "]}");
	check_bad_bytes((const char *)b.data, b.len, STATUS_TOO_BIG,
	    "too many headers");
	/* Scratch that is used up has words, too. */
	reader.text.max = 3;
	reader.headers.max = 3;
	check_bad_bytes("{\"value\":\"\\u0041\"}", 18, STATUS_TOO_BIG,
	    "record is over the limit");
	check_bad_bytes("{\"headers\":{\"a\":\"b\"},\"value\":1}", 32,
	    STATUS_TOO_BIG, "record is over the limit");
	envelope_reader_release(&reader);
	envelope_reader_init(&reader);
	buf_release(&b);
}

/* --- both --- */

/* Random bytes of one of several kinds; NULL is null. */
static struct bytes
random_bytes(uint8_t *data, size_t size, bool may_be_null)
{
	static const char *const parts[] = {"{", "}", "[", "]", "\"", "\\",
	    "\\u0041", ":", ",", "1", "null", "a", "\n", "\r", "\x01", " ",
	    "\xc3\xa9", "\xf0\x9f\x98\x80"};
	static const char *const whole[] = {"{}", "[]", "{\"a\":1}", "[1,2]",
	    "null", "true", "1", "\"s\"", "{\"a\":\"\\ud800\"}", "[1] ", "[\n]",
	    "{\"\\u0041\":[{\"b\":\"\xc3\xa9\"}]}", "{\"a\":1", "{\"\xc3\":1}"};
	size_t len = 0, kind = tap_random() % 8;

	if (kind == 0 && may_be_null)
		return BYTES_NULL;
	if (kind <= 1)
		return (struct bytes){data, 0};
	if (kind <= 3) {
		size_t count = tap_random() % size;

		for (len = count; len > 0; len--)
			data[len - 1] = (uint8_t)tap_random();
		return (struct bytes){data, (int32_t)count};
	}
	if (kind <= 5) {
		const char *s = whole[tap_random() % 14];

		memcpy(data, s, strlen(s));
		return (struct bytes){data, (int32_t)strlen(s)};
	}
	while (len + 8 < size && tap_random() % 12 != 0) {
		const char *s = parts[tap_random() % 18];

		memcpy(data + len, s, strlen(s));
		len += strlen(s);
	}
	return (struct bytes){data, (int32_t)len};
}

static bool
same(const struct record *a, const struct record *b)
{
	return bytes_equal(a->key, b->key) && bytes_equal(a->value, b->value) &&
	    a->timestamp == b->timestamp &&
	    a->header_count == b->header_count &&
	    a->headers_len == b->headers_len &&
	    (a->headers_len == 0 ||
		memcmp(a->headers, b->headers, a->headers_len) == 0);
}

/* A random record goes out and comes back. */
static bool
survives(enum envelope_value mode, int *embedded)
{
	static uint8_t data[6][300];
	struct record rec = {.timestamp = (int64_t)tap_random()};
	struct envelope_record e;
	struct json_value v;
	struct buf headers, out;
	const char *why;
	bool good;

	memset(data, 0, sizeof(data));
	buf_init(&headers, 10000);
	buf_init(&out, 100000);
	rec.key = random_bytes(data[0], sizeof(data[0]), true);
	rec.value = random_bytes(data[1], sizeof(data[1]), true);
	for (uint64_t n = tap_random() % 4; n > 0; n--) {
		record_headers_add(&headers,
		    random_bytes(data[2], sizeof(data[2]), false),
		    random_bytes(data[3], sizeof(data[3]), true));
		rec.header_count++;
	}
	rec.headers = headers.data;
	rec.headers_len = headers.len;
	good = envelope_write(&out, mode, "topic", 5, &rec) == 0 &&
	    out.data[out.len - 1] == '\n' &&
	    memchr(out.data, '\n', out.len) == out.data + out.len - 1 &&
	    json_is_utf8(out.data, out.len) &&
	    json_check(out.data, out.len, &v, NULL) == 0 &&
	    read_line(out.data, out.len - 1, &e, &why) == 0 &&
	    e.has_timestamp && e.partition == 5 && same(&rec, &e.rec);
	if (out.len > 0)
		*embedded +=
		    memmem(out.data, out.len, "\"value\":{", 9) != NULL;
	buf_release(&headers);
	buf_release(&out);
	return good;
}

static void
test_round(void)
{
	static const enum envelope_value modes[] = {ENVELOPE_VALUE_AUTO,
	    ENVELOPE_VALUE_STRING, ENVELOPE_VALUE_BASE64};
	int wrong, embedded = 0;

	for (size_t m = 0; m < 3; m++) {
		wrong = 0;
		for (int i = 0; i < 20000; i++)
			wrong += !survives(modes[m], &embedded);
		tap_int(wrong, 0, "records survive, mode %zu", m);
	}
	tap(embedded > 500, "%d values were embedded", embedded);
}

/* A value nested as deep as may be. */
static void
test_round_deep(void)
{
	char value[2 * JSON_DEPTH_MAX + 3];
	struct record rec;
	struct envelope_record e;
	const char *why = NULL;
	struct buf b;

	for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1;
	     depth++) {
		memset(value, '[', depth);
		memset(value + depth, ']', depth);
		value[2 * depth] = '\0';
		rec = record_of("k", value);
		buf_init(&b, 10000);
		tap_int(envelope_write(&b, ENVELOPE_VALUE_AUTO, "t", 0, &rec),
		    0, "write a value nested %zu deep", depth);
		tap_int(memmem(b.data, b.len, ":\"[[", 4) != NULL,
		    depth > JSON_DEPTH_MAX, "as a string if too deep");
		tap_int(read_line(b.data, b.len, &e, &why), 0, "read it");
		tap(bytes_equal(e.rec.value, rec.value), "it is the same");
		buf_release(&b);
	}
}

/* Envelopes with bytes changed, inserted, left out: read or refused. */
static void
test_noise(void)
{
	static const char line[] =
	    "{\"topic\":\"t\",\"partition\":0,\"offset\":8,\"timestamp\":17,"
	    "\"key_base64\":\"YQ==\",\"value\":{\"a\":\"\\ud83d\\ude00\"},"
	    "\"headers\":[{\"key\":\"h\",\"value\":\"\\n\"},\"x\",null]}";
	static const char letters[] = "{}[]\",:\\un0=Y\xc3 ";
	int odd = 0, good = 0, mute = 0;

	for (int i = 0; i < 100000; i++) {
		char text[sizeof(line) + 1];
		size_t len = sizeof(line) - 1;
		struct envelope_record e;
		const char *why = NULL;
		char shown[1000];
		int rc;

		memcpy(text, line, sizeof(line));
		for (uint64_t n = tap_random() % 3 + 1; n > 0; n--) {
			size_t at = tap_random() % len;

			if (tap_random() % 3 == 0)
				memmove(text + at, text + at + 1, len-- - at);
			else
				text[at] = letters[tap_random() %
				    (sizeof(letters) - 1)];
		}
		rc = read_line(text, len, &e, &why);
		odd += rc != 0 && rc != STATUS_SYNTAX;
		mute += rc != 0 && why == NULL;
		good += rc == 0;
		if (rc == 0)
			show(shown, sizeof(shown), &e);
	}
	tap(good > 1000, "%d changed envelopes are read", good);
	tap_int(odd, 0, "the others are refused");
	tap_int(mute, 0, "with a reason");
}

int
main(void)
{
	envelope_reader_init(&reader);
	test_modes();
	test_write_values();
	test_write_rest();
	test_read();
	test_read_headers();
	test_others();
	test_refuse();
	test_bounds();
	test_round();
	test_round_deep();
	test_noise();
	envelope_reader_release(&reader);
	return tap_done();
}
