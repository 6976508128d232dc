#include "kafka/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

/* --- lengths, both ways --------------------------------------------------- */

/* An unsigned varint of up to 32 bits: five bytes at most, not zig-zag. */
static int
get_uvarint(struct view *v, uint32_t *out)
{
	uint32_t u = 0;
	uint8_t b;
	int rc;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		rc = view_get_8(v, &b);
		if (rc != 0)
			return rc;
		if (shift == 28 && b > 0x0f)
			return STATUS_CORRUPT;
		u |= (uint32_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			*out = u;
			return 0;
		}
	}
	return STATUS_CORRUPT;
}

static int
put_uvarint(struct buf *b, uint32_t u)
{
	uint8_t bytes[5];
	size_t len = 0;

	for (; u >= 0x80; u >>= 7)
		bytes[len++] = (uint8_t)(u | 0x80);
	bytes[len++] = (uint8_t)u;
	return buf_add(b, bytes, len);
}

/* How a length is written in versions that are not flexible. */
static bool
is_short(const struct wire_field *f)
{
	return f->type == WIRE_STRING && !f->array;
}

static bool
has_version(const struct wire_field *f, int version)
{
	return version >= f->from && version <= f->to;
}

/* --- defaults ------------------------------------------------------------- */

static void
set_number(const struct wire_field *f, void *at, int64_t n)
{
	if (f->type == WIRE_BOOL)
		*(bool *)at = n != 0;
	else if (f->type == WIRE_INT8)
		*(int8_t *)at = (int8_t)n;
	else if (f->type == WIRE_INT16)
		*(int16_t *)at = (int16_t)n;
	else if (f->type == WIRE_INT32)
		*(int32_t *)at = (int32_t)n;
	else if (f->type == WIRE_INT64)
		*(int64_t *)at = n;
}

static int64_t
number_of(const struct wire_field *f, const void *at)
{
	if (f->type == WIRE_BOOL)
		return *(const bool *)at;
	if (f->type == WIRE_INT8)
		return *(const int8_t *)at;
	if (f->type == WIRE_INT16)
		return *(const int16_t *)at;
	if (f->type == WIRE_INT32)
		return *(const int32_t *)at;
	return *(const int64_t *)at;
}

static void
set_default(const struct wire_field *f, char *out)
{
	char *at = out + f->at;

	if (f->array)
		*(int32_t *)(out + f->count_at) = f->null ? -1 : 0;
	else if (f->type == WIRE_STRING || f->type == WIRE_BYTES)
		*(struct bytes *)at = f->null ? BYTES_NULL : bytes_of("");
	else if (f->type == WIRE_RECORDS)
		((struct wire_records *)at)->len = f->null ? -1 : 0;
	else if (f->type == WIRE_STRUCT)
		wire_struct_defaults(f->of, at);
	else
		set_number(f, at, f->number);
}

void
wire_struct_defaults(const struct wire_struct *s, void *out)
{
	memset(out, 0, s->size);
	for (size_t i = 0; i < s->count; i++)
		set_default(&s->fields[i], out);
}

void
wire_defaults(const struct wire_message *m, void *out)
{
	wire_struct_defaults(m->body, out);
}

bool
wire_uuid_is_zero(const struct wire_uuid *u)
{
	static const struct wire_uuid zero;

	return memcmp(u, &zero, sizeof(zero)) == 0;
}

static bool is_all_default(const struct wire_struct *s, const char *in,
    int version);

static bool
is_default(const struct wire_field *f, const char *in, int version)
{
	const char *at = in + f->at;

	if (f->array)
		return *(const int32_t *)(in + f->count_at) ==
		    (f->null ? -1 : 0);
	if (f->type == WIRE_STRING || f->type == WIRE_BYTES)
		return ((const struct bytes *)at)->len == (f->null ? -1 : 0);
	if (f->type == WIRE_RECORDS)
		return ((const struct wire_records *)at)->len ==
		    (f->null ? -1 : 0);
	if (f->type == WIRE_STRUCT)
		return is_all_default(f->of, at, version);
	if (f->type == WIRE_UUID)
		return wire_uuid_is_zero((const struct wire_uuid *)at);
	return number_of(f, at) == f->number;
}

static bool
is_all_default(const struct wire_struct *s, const char *in, int version)
{
	for (size_t i = 0; i < s->count; i++)
		if (has_version(&s->fields[i], version) &&
		    !is_default(&s->fields[i], in, version))
			return false;
	return true;
}

/* --- reading -------------------------------------------------------------- */

struct decoder {
	struct view *v;
	struct arena *arena;
	int version;
	bool flexible;
};

/* A length or a count; -1 is null, and only if that is legal. */
static int
decode_len(const struct decoder *d, const struct wire_field *f, int64_t *len)
{
	uint32_t u = 0;
	uint16_t small;
	int rc;

	if (d->flexible) {
		rc = get_uvarint(d->v, &u);
		*len = (int64_t)u - 1;
	} else if (is_short(f)) {
		rc = view_get_16(d->v, &small);
		*len = rc == 0 ? (int16_t)small : 0;
	} else {
		rc = view_get_32(d->v, &u);
		*len = (int32_t)u;
	}
	if (rc != 0)
		return rc;
	if (*len < -1 || (*len == -1 && d->version < f->null_from))
		return STATUS_CORRUPT;
	/* Nothing is shorter than a byte. */
	return *len > (int64_t)d->v->len || *len > INT32_MAX ? STATUS_SHORT : 0;
}

static int
decode_bytes(const struct decoder *d, const struct wire_field *f, void *at)
{
	struct wire_records *records = at;
	struct view part = {(const uint8_t *)"", 0};
	int64_t len;
	int rc = decode_len(d, f, &len);

	if (rc == 0 && len > 0)
		rc = view_get(d->v, (size_t)len, &part);
	if (rc != 0)
		return rc;
	if (f->type == WIRE_RECORDS)
		*records = (struct wire_records){.data = part.data, .len = len};
	else
		*(struct bytes *)at = (struct bytes){part.data, (int32_t)len};
	return 0;
}

static int
decode_number(const struct decoder *d, const struct wire_field *f, void *at)
{
	uint64_t v64 = 0;
	uint32_t v32 = 0;
	uint16_t v16 = 0;
	uint8_t v8 = 0;
	int rc;

	if (f->type == WIRE_INT64) {
		rc = view_get_64(d->v, &v64);
		set_number(f, at, (int64_t)v64);
	} else if (f->type == WIRE_INT32) {
		rc = view_get_32(d->v, &v32);
		set_number(f, at, (int32_t)v32);
	} else if (f->type == WIRE_INT16) {
		rc = view_get_16(d->v, &v16);
		set_number(f, at, (int16_t)v16);
	} else {
		rc = view_get_8(d->v, &v8);
		set_number(f, at, (int8_t)v8);
	}
	return rc;
}

static int decode_struct(const struct decoder *d, const struct wire_struct *s,
    void *out);

static int
decode_one(const struct decoder *d, const struct wire_field *f, void *at)
{
	struct view part;
	int rc;

	if (f->type == WIRE_STRUCT)
		return decode_struct(d, f->of, at);
	if (f->type == WIRE_STRING || f->type == WIRE_BYTES ||
	    f->type == WIRE_RECORDS)
		return decode_bytes(d, f, at);
	if (f->type != WIRE_UUID)
		return decode_number(d, f, at);
	rc = view_get(d->v, sizeof(struct wire_uuid), &part);
	if (rc == 0)
		memcpy(at, part.data, part.len);
	return rc;
}

size_t
wire_size_of(const struct wire_field *f)
{
	switch (f->type) {
	case WIRE_BOOL:
		return sizeof(bool);
	case WIRE_INT8:
		return sizeof(int8_t);
	case WIRE_INT16:
		return sizeof(int16_t);
	case WIRE_INT32:
		return sizeof(int32_t);
	case WIRE_INT64:
		return sizeof(int64_t);
	case WIRE_UUID:
		return sizeof(struct wire_uuid);
	case WIRE_STRING:
	case WIRE_BYTES:
		return sizeof(struct bytes);
	case WIRE_RECORDS:
		return sizeof(struct wire_records);
	case WIRE_STRUCT:
		break;
	}
	return f->of->size;
}

/* An element of an array: never null, and with the length of its own type. */
static struct wire_field
element_of(const struct wire_field *f)
{
	struct wire_field e = *f;

	e.array = false;
	e.null_from = WIRE_NEVER;
	return e;
}

static int
decode_array(const struct decoder *d, const struct wire_field *f, char *out)
{
	struct wire_field element = element_of(f);
	char *items = NULL;
	size_t size = wire_size_of(f);
	int64_t count;
	int rc = decode_len(d, f, &count);

	if (rc == 0 && count > 0) {
		items = arena_alloc(d->arena, (size_t)count, size);
		if (items == NULL)
			rc = STATUS_TOO_BIG;
	}
	for (int64_t i = 0; rc == 0 && i < count; i++)
		rc = decode_one(d, &element, items + (size_t)i * size);
	if (rc != 0)
		return rc;
	*(void **)(void *)(out + f->at) = items;
	*(int32_t *)(void *)(out + f->count_at) = (int32_t)count;
	return 0;
}

static int
decode_field(const struct decoder *d, const struct wire_field *f, char *out)
{
	return f->array ? decode_array(d, f, out)
			: decode_one(d, f, out + f->at);
}

static int
decode_tag(const struct decoder *d, const struct wire_struct *s, void *out)
{
	struct decoder inner = *d;
	struct view part;
	uint32_t tag, size;
	int rc = get_uvarint(d->v, &tag);

	if (rc == 0)
		rc = get_uvarint(d->v, &size);
	if (rc == 0)
		rc = view_get(d->v, size, &part);
	if (rc != 0)
		return rc;
	inner.v = &part;
	for (size_t i = 0; i < s->count; i++) {
		const struct wire_field *f = &s->fields[i];

		if (f->tag < 0 || (uint32_t)f->tag != tag ||
		    !has_version(f, d->version))
			continue;
		rc = decode_field(&inner, f, out);
		return rc == 0 && part.len > 0 ? STATUS_CORRUPT : rc;
	}
	return 0;
}

static int
decode_struct(const struct decoder *d, const struct wire_struct *s, void *out)
{
	uint32_t tags = 0;
	int rc = 0;

	wire_struct_defaults(s, out);
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		if (s->fields[i].tag < 0 &&
		    has_version(&s->fields[i], d->version))
			rc = decode_field(d, &s->fields[i], out);
	if (rc == 0 && d->flexible)
		rc = get_uvarint(d->v, &tags);
	for (; rc == 0 && tags > 0; tags--)
		rc = decode_tag(d, s, out);
	return rc;
}

int
wire_decode(const struct wire_message *m, int version, struct view *v,
    struct arena *arena, void *out)
{
	struct decoder d = {v, arena, version, version >= m->flexible};

	if (version < m->min || version > m->max)
		return STATUS_UNSUPPORTED;
	return decode_struct(&d, m->body, out);
}

/* --- writing -------------------------------------------------------------- */

struct encoder {
	struct buf *b;
	struct wire_cuts *cuts;
	int version;
	bool flexible;
};

static int
encode_len(const struct encoder *e, const struct wire_field *f, int64_t *len)
{
	if (*len < 0)
		*len = e->version < f->null_from ? 0 : -1;
	if (e->flexible)
		return put_uvarint(e->b, (uint32_t)(*len + 1));
	if (!is_short(f))
		return buf_add_32(e->b, (uint32_t)*len);
	if (*len > INT16_MAX)
		return STATUS_TOO_BIG;
	return buf_add_16(e->b, (uint16_t)*len);
}

static int
add_cut(const struct encoder *e, const struct wire_records *r)
{
	struct wire_cuts *c = e->cuts;
	size_t cap;
	void *cuts;

	if (c == NULL || c->count >= WIRE_CUTS_MAX)
		return STATUS_TOO_BIG;
	if (c->count == c->cap) {
		cap = c->cap == 0 ? 16 : c->cap * 2;
		cuts = reallocarray(c->cuts, cap, sizeof(*c->cuts));
		if (cuts == NULL)
			return ENOMEM;
		c->cuts = cuts;
		c->cap = cap;
	}
	c->cuts[c->count++] = (struct wire_cut){e->b->len, r};
	return 0;
}

static int
encode_bytes(const struct encoder *e, const struct wire_field *f,
    const void *at)
{
	const struct wire_records *r = at;
	const struct bytes *b = at;
	bool is_records = f->type == WIRE_RECORDS;
	const uint8_t *data = is_records ? r->data : b->data;
	int64_t len = is_records ? r->len : b->len;
	int rc;

	if (len > INT32_MAX)
		return STATUS_TOO_BIG;
	rc = encode_len(e, f, &len);
	if (rc != 0 || len <= 0)
		return rc;
	return data == NULL ? add_cut(e, r) : buf_add(e->b, data, (size_t)len);
}

static int
encode_number(const struct encoder *e, const struct wire_field *f,
    const void *at)
{
	int64_t n = number_of(f, at);

	if (f->type == WIRE_INT64)
		return buf_add_64(e->b, (uint64_t)n);
	if (f->type == WIRE_INT32)
		return buf_add_32(e->b, (uint32_t)n);
	if (f->type == WIRE_INT16)
		return buf_add_16(e->b, (uint16_t)n);
	return buf_add_8(e->b, (uint8_t)n);
}

static int encode_struct(const struct encoder *e, const struct wire_struct *s,
    const void *in);

static int
encode_one(const struct encoder *e, const struct wire_field *f, const void *at)
{
	if (f->type == WIRE_STRUCT)
		return encode_struct(e, f->of, at);
	if (f->type == WIRE_STRING || f->type == WIRE_BYTES ||
	    f->type == WIRE_RECORDS)
		return encode_bytes(e, f, at);
	if (f->type == WIRE_UUID)
		return buf_add(e->b, at, sizeof(struct wire_uuid));
	return encode_number(e, f, at);
}

static int
encode_field(const struct encoder *e, const struct wire_field *f,
    const char *in)
{
	struct wire_field element;
	const char *items;
	int64_t count;
	int rc;

	if (!f->array)
		return encode_one(e, f, in + f->at);
	element = element_of(f);
	items = *(const char *const *)(const void *)(in + f->at);
	count = *(const int32_t *)(const void *)(in + f->count_at);
	rc = encode_len(e, f, &count);
	for (int64_t i = 0; rc == 0 && i < count; i++)
		rc = encode_one(e, &element,
		    items + (size_t)i * wire_size_of(f));
	return rc;
}

static bool
is_tag_written(const struct encoder *e, const struct wire_field *f,
    const void *in)
{
	return f->tag >= 0 && has_version(f, e->version) &&
	    !is_default(f, in, e->version);
}

/* Its length comes first, so it is made aside. */
static int
encode_tag(const struct encoder *e, const struct wire_field *f, const void *in)
{
	struct encoder inner = *e;
	struct buf b;
	int rc;

	buf_init(&b, e->b->max);
	inner.b = &b;
	inner.cuts = NULL;
	rc = encode_field(&inner, f, in);
	if (rc == 0)
		rc = put_uvarint(e->b, (uint32_t)f->tag);
	if (rc == 0)
		rc = put_uvarint(e->b, (uint32_t)b.len);
	if (rc == 0)
		rc = buf_add(e->b, b.data, b.len);
	buf_release(&b);
	return rc;
}

static int
encode_tags(const struct encoder *e, const struct wire_struct *s,
    const void *in)
{
	uint32_t count = 0;
	int rc;

	for (size_t i = 0; i < s->count; i++)
		count += is_tag_written(e, &s->fields[i], in);
	rc = put_uvarint(e->b, count);
	for (size_t i = 0; rc == 0 && count > 0 && i < s->count; i++)
		if (is_tag_written(e, &s->fields[i], in))
			rc = encode_tag(e, &s->fields[i], in);
	return rc;
}

static int
encode_struct(const struct encoder *e, const struct wire_struct *s,
    const void *in)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++)
		if (s->fields[i].tag < 0 &&
		    has_version(&s->fields[i], e->version))
			rc = encode_field(e, &s->fields[i], in);
	if (rc == 0 && e->flexible)
		rc = encode_tags(e, s, in);
	return rc;
}

int
wire_encode(const struct wire_message *m, int version, const void *in,
    struct buf *b, struct wire_cuts *cuts)
{
	struct encoder e = {b, cuts, version, version >= m->flexible};

	if (version < m->min || version > m->max)
		return STATUS_UNSUPPORTED;
	return encode_struct(&e, m->body, in);
}

void
wire_cuts_release(struct wire_cuts *c)
{
	free(c->cuts);
	*c = (struct wire_cuts){NULL, 0, 0};
}

int64_t
wire_cuts_bytes(const struct wire_cuts *c)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < c->count; i++)
		bytes += c->cuts[i].records->len;
	return bytes;
}

/* --- headers -------------------------------------------------------------- */

int
wire_request_peek(struct view v, struct wire_request *out)
{
	uint16_t key, version;
	uint32_t correlation;
	int rc = view_get_16(&v, &key);

	if (rc == 0)
		rc = view_get_16(&v, &version);
	if (rc == 0)
		rc = view_get_32(&v, &correlation);
	if (rc == 0)
		*out = (struct wire_request){(int16_t)key, (int16_t)version,
		    (int32_t)correlation, BYTES_NULL};
	return rc;
}

/* A tag section of which nothing is known. */
static int
pass_tags(struct view *v)
{
	static const struct wire_struct nothing;
	const struct decoder d = {v, NULL, 0, true};
	char none[1];

	return decode_struct(&d, &nothing, none);
}

/* The client id has a short length in all versions. */
static const struct wire_field client_id = {.name = "client_id",
    .type = WIRE_STRING};

int
wire_request_decode(struct view *v, bool flexible, struct wire_request *out)
{
	const struct decoder d = {v, NULL, 0, false};
	struct view skipped;
	int rc = wire_request_peek(*v, out);

	if (rc == 0)
		rc = view_get(v, 8, &skipped);
	if (rc == 0)
		rc = decode_bytes(&d, &client_id, &out->client_id);
	if (rc == 0 && flexible)
		rc = pass_tags(v);
	return rc;
}

int
wire_request_encode(struct buf *b, bool flexible, const struct wire_request *in)
{
	const struct encoder e = {b, NULL, 0, false};
	int rc = buf_add_16(b, (uint16_t)in->key);

	if (rc == 0)
		rc = buf_add_16(b, (uint16_t)in->version);
	if (rc == 0)
		rc = buf_add_32(b, (uint32_t)in->correlation);
	if (rc == 0)
		rc = encode_bytes(&e, &client_id, &in->client_id);
	if (rc == 0 && flexible)
		rc = buf_add_8(b, 0);
	return rc;
}

int
wire_response_encode(struct buf *b, bool flexible, int32_t correlation)
{
	int rc = buf_add_32(b, (uint32_t)correlation);

	return rc == 0 && flexible ? buf_add_8(b, 0) : rc;
}

int
wire_response_decode(struct view *v, bool flexible, int32_t *correlation)
{
	uint32_t u;
	int rc = view_get_32(v, &u);

	if (rc == 0 && flexible)
		rc = pass_tags(v);
	if (rc == 0)
		*correlation = (int32_t)u;
	return rc;
}
