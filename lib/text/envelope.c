#include "text/envelope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/bounds.h"
#include "base/parse.h"
#include "base/status.h"
#include "text/json.h"
#include "text/line.h"

int
envelope_parse_value(const char *s, enum envelope_value *out)
{
	static const char *const names[] = {"auto", "string", "json", "base64",
	    "none"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(s, names[i]) == 0) {
			*out = (enum envelope_value)i;
			return 0;
		}
	}
	return STATUS_SYNTAX;
}

/* --- writing --- */

/* A number in decimal at p; returns the byte after it. */
static uint8_t *
put_int(uint8_t *p, int64_t v)
{
	uint8_t digits[20];
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	size_t n = 0;

	if (v < 0)
		*p++ = '-';
	do
		digits[n++] = (uint8_t)('0' + u % 10);
	while ((u /= 10) != 0);
	while (n > 0)
		*p++ = digits[--n];
	return p;
}

static uint8_t *
put_text(uint8_t *p, const char *s)
{
	size_t len = strlen(s);

	memcpy(p, s, len);
	return p + len;
}

/* "NAME":"text", "NAME":null or "NAME_base64":"...", with prefix before. */
static int
write_bytes(struct buf *out, const char *prefix, const char *name,
    struct bytes b, bool base64)
{
	int rc = buf_reserve(out, strlen(prefix) + strlen(name) + 16);

	if (rc != 0)
		return rc;
	if (b.len > 0 && !base64)
		base64 = !json_is_utf8(b.data, (size_t)b.len);
	if (bytes_is_null(b))
		base64 = false;
	buf_add_str(out, prefix);
	buf_add_8(out, '"');
	buf_add_str(out, name);
	buf_add_str(out, base64 ? "_base64\":" : "\":");
	if (bytes_is_null(b))
		return buf_add_str(out, "null");
	if (!base64)
		return json_write_string(out, b.data, (size_t)b.len);
	rc = buf_add_8(out, '"');
	if (rc == 0)
		rc = base64_encode(out, b.data, (size_t)b.len);
	return rc != 0 ? rc : buf_add_8(out, '"');
}

/* May the value stand in the envelope as it is? */
static bool
is_embeddable(struct bytes b)
{
	struct json_value v;
	uint8_t last;

	if (b.len < 2 || (b.data[0] != '{' && b.data[0] != '['))
		return false;
	last = b.data[b.len - 1];
	if (last != (b.data[0] == '{' ? '}' : ']') ||
	    memchr(b.data, '\n', (size_t)b.len) != NULL ||
	    memchr(b.data, '\r', (size_t)b.len) != NULL)
		return false;
	return json_check(b.data, (size_t)b.len, &v, NULL) == 0;
}

static int
write_value(struct buf *out, enum envelope_value mode, struct bytes b)
{
	int rc;

	if (mode == ENVELOPE_VALUE_NONE)
		return 0;
	if (mode <= ENVELOPE_VALUE_JSON && mode != ENVELOPE_VALUE_STRING &&
	    is_embeddable(b)) {
		rc = buf_add_str(out, ",\"value\":");
		return rc != 0 ? rc : buf_add(out, b.data, (size_t)b.len);
	}
	if (mode == ENVELOPE_VALUE_JSON && !bytes_is_null(b))
		return STATUS_SYNTAX;
	return write_bytes(out, ",", "value", b, mode == ENVELOPE_VALUE_BASE64);
}

static int
write_headers(struct buf *out, const struct record *rec)
{
	struct record_headers it;
	struct record_header h;
	const char *before = ",\"headers\":[{";
	int rc = 0;

	record_headers_init(&it, rec);
	while (rc == 0 && record_headers_next(&it, &h) == 0) {
		rc = write_bytes(out, before, "key", h.name, false);
		if (rc == 0)
			rc = write_bytes(out, ",", "value", h.value, false);
		if (rc == 0)
			rc = buf_add_8(out, '}');
		before = ",{";
	}
	if (rc == 0 && rec->header_count > 0)
		rc = buf_add_8(out, ']');
	return rc;
}

int
envelope_write(struct buf *out, enum envelope_value mode, const char *topic,
    int32_t partition, const struct record *rec)
{
	size_t start = out->len;
	uint8_t *p;
	int rc = buf_reserve(out, strlen(topic) + 160);

	if (rc != 0)
		return rc;
	p = out->data + out->len;
	p = put_text(p, "{\"topic\":\"");
	p = put_text(p, topic);
	p = put_text(p, "\",\"partition\":");
	p = put_int(p, partition);
	p = put_text(p, ",\"offset\":");
	p = put_int(p, rec->offset);
	p = put_text(p, ",\"timestamp\":");
	p = put_int(p, rec->timestamp);
	out->len = (size_t)(p - out->data);
	rc = write_bytes(out, ",", "key", rec->key, false);
	if (rc == 0)
		rc = write_value(out, mode, rec->value);
	if (rc == 0 && rec->header_count > 0)
		rc = write_headers(out, rec);
	if (rc == 0)
		rc = buf_add(out, "}\n", 2);
	if (rc != 0)
		out->len = start;
	return rc;
}

/* --- reading --- */

void
envelope_reader_init(struct envelope_reader *r)
{
	buf_init(&r->text, RECORDS_BYTES_MAX);
	buf_init(&r->headers, RECORDS_BYTES_MAX);
	buf_init(&r->name, RECORDS_BYTES_MAX);
	r->no_partition = false;
}

void
envelope_reader_release(struct envelope_reader *r)
{
	buf_release(&r->text);
	buf_release(&r->headers);
	buf_release(&r->name);
}

enum field {
	FIELD_KEY,
	FIELD_KEY_BASE64,
	FIELD_VALUE,
	FIELD_VALUE_BASE64,
	FIELD_TIMESTAMP,
	FIELD_PARTITION,
	FIELD_HEADERS,
	FIELD_COUNT,		/* any other name: ignored */
};

#define FIELD(name, field, twice)                                              \
	{                                                                      \
		name, sizeof(name) - 1, field, twice                           \
	}

static const struct {
	const char *name;
	size_t len;
	enum field field;
	const char *twice;
} fields[] = {
    FIELD("key", FIELD_KEY, "key given twice"),
    FIELD("value", FIELD_VALUE, "value given twice"),
    FIELD("payload", FIELD_VALUE, "value given twice"),
    FIELD("timestamp", FIELD_TIMESTAMP, "timestamp given twice"),
    FIELD("ts", FIELD_TIMESTAMP, "timestamp given twice"),
    FIELD("headers", FIELD_HEADERS, "headers given twice"),
    FIELD("partition", FIELD_PARTITION, "partition given twice"),
    FIELD("key_base64", FIELD_KEY_BASE64, "key given twice"),
    FIELD("value_base64", FIELD_VALUE_BASE64, "value given twice"),
    FIELD("Key", FIELD_KEY, "key given twice"),
    FIELD("Value", FIELD_VALUE, "value given twice"),
    FIELD("Timestamp", FIELD_TIMESTAMP, "timestamp given twice"),
    FIELD("Headers", FIELD_HEADERS, "headers given twice"),
    FIELD("Partition", FIELD_PARTITION, "partition given twice"),
};

/* The characters of a string value, in r->name if it has escapes. */
static int
plain(struct envelope_reader *r, const struct json_value *v,
    const uint8_t **text, size_t *len)
{
	int rc;

	*text = v->text + 1;
	*len = v->len - 2;
	if (!v->has_escape)
		return 0;
	r->name.len = 0;
	rc = json_unescape(v, &r->name);
	*text = r->name.data;
	*len = r->name.len;
	return rc;
}

/*
 * A name's place in the table of fields, -1: ignored.  One that is too long
 * to unescape is none of ours.
 */
static int
field_of(struct envelope_reader *r, const struct json_value *name)
{
	const uint8_t *text;
	size_t len;

	if (plain(r, name, &text, &len) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].len == len &&
		    memcmp(fields[i].name, text, len) == 0)
			return (int)i;
	return -1;
}

static bool
is_base64(enum field field)
{
	return field == FIELD_KEY_BASE64 || field == FIELD_VALUE_BASE64;
}

/*
 * The bytes a JSON value stands for: a string's characters, null, else its
 * own text.  Unescaped ones are appended to text, whose memory may move: they
 * are returned as a place in it (data NULL, *at) and fixed at the end.
 */
struct slot {
	struct bytes bytes;
	size_t at;
	bool in_text;
	bool is_set;
};

/* The bytes of a base64 string, appended to text. */
static int
take_base64(struct envelope_reader *r, const struct json_value *v,
    const char **why)
{
	const uint8_t *text;
	size_t len;
	int rc;

	if (v->type != JSON_STRING) {
		*why = "base64 is no string";
		return STATUS_SYNTAX;
	}
	/* Some programs escape the slash. */
	rc = plain(r, v, &text, &len);
	if (rc == 0)
		rc = base64_decode(text, len, &r->text);
	if (rc == STATUS_SYNTAX)
		*why = "not base64";
	return rc;
}

static int
take(struct envelope_reader *r, const struct json_value *v, bool base64,
    struct slot *out, const char **why)
{
	int rc;

	*out = (struct slot){.bytes = BYTES_NULL, .is_set = true};
	if (v->type == JSON_NULL)
		return 0;
	if (!base64 && v->type != JSON_STRING) {
		out->bytes = (struct bytes){v->text, (int32_t)v->len};
		return 0;
	}
	if (!base64 && !v->has_escape) {
		out->bytes = (struct bytes){v->text + 1, (int32_t)v->len - 2};
		return 0;
	}
	out->in_text = true;
	out->at = r->text.len;
	rc = base64 ? take_base64(r, v, why) : json_unescape(v, &r->text);
	out->bytes.len = (int32_t)(r->text.len - out->at);
	return rc;
}

/* The name of a header. */
static int
take_name(struct envelope_reader *r, const struct json_value *v, bool base64,
    struct slot *out, const char **why)
{
	if (v->type == JSON_STRING)
		return take(r, v, base64, out, why);
	*why = "a header's name is no string";
	return STATUS_SYNTAX;
}

static struct bytes
settle(const struct envelope_reader *r, const struct slot *s)
{
	struct bytes b = s->bytes;

	if (s->in_text)
		b.data = b.len > 0 ? r->text.data + s->at : (const uint8_t *)"";
	return b;
}

static int
add_header(struct envelope_reader *r, const struct slot *name,
    const struct slot *value, struct record *rec, const char **why)
{
	if (rec->header_count == RECORD_HEADERS_MAX) {
		*why = "too many headers";
		return STATUS_TOO_BIG;
	}
	rec->header_count++;
	return record_headers_add(&r->headers, settle(r, name),
	    settle(r, value));
}

/* {"key":"h","value":"v"} */
static int
read_header_object(struct envelope_reader *r, const struct json_value *v,
    struct record *rec, const char **why)
{
	struct json_cursor c = {v->text, v->text + v->len, NULL};
	struct json_value name, value;
	struct slot key = {.is_set = false}, val = {.bytes = {NULL, -1}};
	bool first = true;
	int rc = json_enter(&c, '{');

	while (rc == 0 && (rc = json_member(&c, &first, &name, &value)) == 0) {
		int i = field_of(r, &name);
		enum field field = i < 0 ? FIELD_COUNT : fields[i].field;
		bool is_key = field <= FIELD_KEY_BASE64;

		if (field > FIELD_VALUE_BASE64)
			continue;
		if (is_key ? key.is_set : val.is_set) {
			*why = "a header's field is given twice";
			return STATUS_SYNTAX;
		}
		rc = is_key ? take_name(r, &value, is_base64(field), &key, why)
			    : take(r, &value, is_base64(field), &val, why);
	}
	if (rc != STATUS_END)
		return rc;
	if (!key.is_set) {
		*why = "a header without a key";
		return STATUS_SYNTAX;
	}
	return add_header(r, &key, &val, rec, why);
}

/* A list of objects, or flat: name, value, name, value. */
static int
read_header_list(struct envelope_reader *r, const struct json_value *v,
    struct record *rec, const char **why)
{
	struct json_cursor c = {v->text, v->text + v->len, NULL};
	struct json_value item, value;
	struct slot key, val;
	bool first = true;
	int rc = json_enter(&c, '[');

	while (rc == 0 && (rc = json_element(&c, &first, &item)) == 0) {
		if (item.type == JSON_OBJECT) {
			rc = read_header_object(r, &item, rec, why);
			continue;
		}
		if (json_element(&c, &first, &value) != 0) {
			*why = "a header without a value";
			return STATUS_SYNTAX;
		}
		rc = take_name(r, &item, false, &key, why);
		if (rc == 0)
			rc = take(r, &value, false, &val, why);
		if (rc == 0)
			rc = add_header(r, &key, &val, rec, why);
	}
	return rc == STATUS_END ? 0 : rc;
}

/* {"name":"value",...} */
static int
read_header_map(struct envelope_reader *r, const struct json_value *v,
    struct record *rec, const char **why)
{
	struct json_cursor c = {v->text, v->text + v->len, NULL};
	struct json_value name, value;
	struct slot key, val;
	bool first = true;
	int rc = json_enter(&c, '{');

	while (rc == 0 && (rc = json_member(&c, &first, &name, &value)) == 0) {
		rc = take(r, &name, false, &key, why);
		if (rc == 0)
			rc = take(r, &value, false, &val, why);
		if (rc == 0)
			rc = add_header(r, &key, &val, rec, why);
	}
	return rc == STATUS_END ? 0 : rc;
}

static int
read_headers(struct envelope_reader *r, const struct json_value *v,
    struct record *rec, const char **why)
{
	if (v->type == JSON_NULL)
		return 0;
	if (v->type == JSON_ARRAY)
		return read_header_list(r, v, rec, why);
	if (v->type == JSON_OBJECT)
		return read_header_map(r, v, rec, why);
	*why = "headers are no list";
	return STATUS_SYNTAX;
}

/* An integer's text. */
static int
read_int(const struct json_value *v, int64_t min, int64_t max, int64_t *out)
{
	char text[24];

	if (v->type != JSON_NUMBER || v->len >= sizeof(text))
		return STATUS_SYNTAX;
	memcpy(text, v->text, v->len);
	text[v->len] = '\0';
	return parse_int(text, min, max, out);
}

static int
read_timestamp(const struct json_value *v, struct envelope_record *out,
    const char **why)
{
	int rc;

	if (v->type == JSON_NULL)
		return 0;
	if (v->type == JSON_STRING && !v->has_escape)
		rc = parse_rfc3339((const char *)v->text + 1, v->len - 2,
		    &out->rec.timestamp);
	else
		rc = read_int(v, INT64_MIN, INT64_MAX, &out->rec.timestamp);
	out->has_timestamp = true;
	if (rc == 0)
		return 0;
	*why = "timestamp is neither milliseconds nor RFC 3339";
	return STATUS_SYNTAX;
}

static int
read_partition(const struct json_value *v, int32_t *out, const char **why)
{
	int64_t n;

	if (v->type == JSON_NULL)
		return 0;
	/* Others write -1 for none. */
	if (read_int(v, -1, PARTITIONS_MAX, &n) != 0) {
		*why = "partition is no number";
		return STATUS_SYNTAX;
	}
	*out = (int32_t)n;
	return 0;
}

static int
read_field(struct envelope_reader *r, enum field field,
    const struct json_value *v, struct slot *key, struct slot *value,
    struct envelope_record *out, const char **why)
{
	switch (field) {
	case FIELD_KEY:
		return take(r, v, false, key, why);
	case FIELD_KEY_BASE64:
		return take(r, v, true, key, why);
	case FIELD_VALUE:
		return take(r, v, false, value, why);
	case FIELD_VALUE_BASE64:
		return take(r, v, true, value, why);
	case FIELD_TIMESTAMP:
		return read_timestamp(v, out, why);
	case FIELD_PARTITION:
		return r->no_partition
		    ? 0
		    : read_partition(v, &out->partition, why);
	case FIELD_HEADERS:
		return read_headers(r, v, &out->rec, why);
	case FIELD_COUNT:
		break;
	}
	return 0;
}

/* Which fields are one and the same when it comes to "given twice". */
static unsigned
field_bit(enum field field)
{
	if (field == FIELD_KEY_BASE64)
		field = FIELD_KEY;
	if (field == FIELD_VALUE_BASE64)
		field = FIELD_VALUE;
	return 1U << field;
}

/* Why the line could not be read, where nobody has said it. */
static const char *
reason(const struct json_cursor *c, size_t len)
{
	if (c->why == NULL)
		return line_over_limit; /* of scratch */
	if (c->pos == c->end && len > 0)
		return "ends inside the object (one object a line: jq -c)";
	return c->why;
}

int
envelope_read(struct envelope_reader *r, const uint8_t *line, size_t len,
    struct envelope_record *out, const char **why)
{
	struct json_cursor c = {line, line + len, NULL};
	struct json_value name, v;
	struct slot key = {.bytes = {NULL, -1}}, value = {.is_set = false};
	unsigned seen = 0;
	bool first = true;
	int rc;

	*out = (struct envelope_record){.partition = -1};
	out->rec.timestamp = -1;
	r->text.len = r->headers.len = 0;
	*why = NULL;
	rc = json_enter(&c, '{');
	while (rc == 0 && (rc = json_member(&c, &first, &name, &v)) == 0) {
		int i = field_of(r, &name);

		if (i < 0)
			continue;
		if (seen & field_bit(fields[i].field)) {
			*why = fields[i].twice;
			return STATUS_SYNTAX;
		}
		seen |= field_bit(fields[i].field);
		rc = read_field(r, fields[i].field, &v, &key, &value, out, why);
	}
	if (rc == STATUS_END && !json_at_end(&c)) {
		*why = "something stands behind the object";
		return STATUS_SYNTAX;
	}
	if (rc != STATUS_END) {
		if (*why == NULL)
			*why = reason(&c, len);
		return rc;
	}
	if (!value.is_set) {
		*why = "no value";
		return STATUS_SYNTAX;
	}
	out->rec.key = settle(r, &key);
	out->rec.value = settle(r, &value);
	out->rec.headers = r->headers.data;
	out->rec.headers_len = r->headers.len;
	return 0;
}
