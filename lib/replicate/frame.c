#include "replicate/frame.h"

#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/status.h"

/*
 * The fields of each type, a letter each: m magic, v versions, c capabilities,
 * w window, t topic, p partition, n count, i identity, s start, e end,
 * o offset, b batch, r epoch, a time, x status, y bytes, g digest,
 * d data.
 */
static const struct layout {
	const char *name;
	const char *fields;
} layouts[FRAME_TYPES] = {
    [FRAME_HELLO] = {"HELLO", "mvcwd"},
    [FRAME_REQUEST] = {"REQUEST", "d"},
    [FRAME_TOPIC] = {"TOPIC", "tnid"},
    [FRAME_OFFER] = {"OFFER", "tpse"},
    [FRAME_HAVE] = {"HAVE", "tpnseb"},
    [FRAME_ASK] = {"ASK", "tpo"},
    [FRAME_DIVERGED] = {"DIVERGED", "tpo"},
    [FRAME_DATA] = {"DATA", "tpod"},
    [FRAME_DONE] = {"DONE", "tpse"},
    [FRAME_SYNCED] = {"SYNCED", "tpe"},
    [FRAME_GROUP] = {"GROUP", "tporad"},
    [FRAME_CREDIT] = {"CREDIT", "n"},
    [FRAME_ALIVE] = {"ALIVE", ""},
    [FRAME_END] = {"END", "xny"},
    [FRAME_REFUSE] = {"REFUSE", "tpxd"},
    [FRAME_ERROR] = {"ERROR", "xd"},
    [FRAME_NOTE] = {"NOTE", "txd"},
    [FRAME_CHECK] = {"CHECK", "tpse"},
    [FRAME_CHECKED] = {"CHECKED", "tpsegno"},
    [FRAME_EXTENT] = {"EXTENT", "tpse"},
    [FRAME_EXAMINE] = {"EXAMINE", "tpo"},
    [FRAME_RECORDS] = {"RECORDS", "tpnd"},
};

const char *
frame_name(enum frame_type type)
{
	return type > 0 && type < FRAME_TYPES ? layouts[type].name : "?";
}

static size_t
limit_of(enum frame_type type)
{
	return type == FRAME_DATA   ? FRAME_PAYLOAD_MAX
	    : type == FRAME_RECORDS ? FRAME_RECORDS_MAX
				    : FRAME_TEXT_MAX;
}

static int
put_batch(const struct frame_batch *b, struct buf *out)
{
	int rc = buf_add_64(out, (uint64_t)b->base_offset);

	if (rc == 0)
		rc = buf_add_64(out, (uint64_t)b->last_offset);
	if (rc == 0)
		rc = buf_add_32(out, (uint32_t)b->leader_epoch);
	if (rc == 0)
		rc = buf_add_32(out, b->crc);
	return rc;
}

static int
put_field(const struct frame *f, char field, struct buf *out)
{
	int rc;

	switch (field) {
	case 'm':
		return buf_add_32(out, f->magic);
	case 'v':
		rc = buf_add_16(out, f->version_min);
		return rc != 0 ? rc : buf_add_16(out, f->version_max);
	case 'c':
		return buf_add_64(out, f->capabilities);
	case 'w':
		return buf_add_32(out, f->window);
	case 't':
		return buf_add_32(out, f->topic);
	case 'p':
		return buf_add_32(out, (uint32_t)f->partition);
	case 'n':
		return buf_add_32(out, (uint32_t)f->count);
	case 'i':
		return buf_add(out, f->identity, sizeof(f->identity));
	case 's':
		return buf_add_64(out, (uint64_t)f->start);
	case 'e':
		return buf_add_64(out, (uint64_t)f->end);
	case 'o':
		return buf_add_64(out, (uint64_t)f->offset);
	case 'b':
		return put_batch(&f->batch, out);
	case 'r':
		return buf_add_32(out, (uint32_t)f->epoch);
	case 'a':
		return buf_add_64(out, (uint64_t)f->time);
	case 'x':
		return buf_add_32(out, (uint32_t)f->status);
	case 'y':
		return buf_add_64(out, (uint64_t)f->bytes);
	case 'g':
		return buf_add_64(out, f->digest);
	default:
		return buf_add(out, f->data.data, f->data.len);
	}
}

void
frame_seal_length(uint8_t *header)
{
	uint32_t crc = crc32c(header, 5);

	header[5] = (uint8_t)(crc >> 16);
	header[6] = (uint8_t)(crc >> 8);
	header[7] = (uint8_t)crc;
}

int
frame_encode(const struct frame *f, struct buf *out)
{
	size_t start = out->len, len;
	uint8_t header[FRAME_HEADER_LEN] = {0};
	int rc = buf_add(out, header, sizeof(header));

	for (const char *at = layouts[f->type].fields; rc == 0 && *at != '\0';
	     at++)
		rc = put_field(f, *at, out);
	len = out->len - start - FRAME_HEADER_LEN;
	if (rc == 0 && len > limit_of(f->type))
		rc = EINVAL;
	if (rc != 0) {
		out->len = start;
		return rc;
	}
	buf_put_32(out->data + start, (uint32_t)len);
	out->data[start + 4] = (uint8_t)f->type;
	frame_seal_length(out->data + start);
	buf_put_32(out->data + start + 8,
	    crc32c_update(crc32c(out->data + start, 8),
		out->data + start + FRAME_HEADER_LEN, len));
	return 0;
}

int
frame_encode_with(struct frame *f, int rc, struct buf *data, struct buf *out)
{
	f->data = (struct view){data->data, data->len};
	if (rc == 0)
		rc = frame_encode(f, out);
	buf_release(data);
	return rc;
}

static int
get_batch(struct view *in, struct frame_batch *b)
{
	uint64_t base = 0, last = 0;
	uint32_t epoch = 0;
	int rc = view_get_64(in, &base);

	if (rc == 0)
		rc = view_get_64(in, &last);
	if (rc == 0)
		rc = view_get_32(in, &epoch);
	if (rc == 0)
		rc = view_get_32(in, &b->crc);
	b->base_offset = (int64_t)base;
	b->last_offset = (int64_t)last;
	b->leader_epoch = (int32_t)epoch;
	if (rc == 0 &&
	    (b->base_offset < -1 || b->last_offset < -1 ||
		b->leader_epoch < -1 ||
		(b->base_offset >= 0 && b->last_offset < b->base_offset)))
		rc = STATUS_CORRUPT;
	return rc;
}

/* A number of 64 bits that is -1 or above. */
static int
get_offset(struct view *in, int64_t *out)
{
	uint64_t v = 0;
	int rc = view_get_64(in, &v);

	*out = (int64_t)v;
	return rc == 0 && *out < -1 ? STATUS_CORRUPT : rc;
}

/* A bound of a log. */
static int
get_bound(struct view *in, int64_t *out)
{
	int rc = get_offset(in, out);

	return rc == 0 && *out < 0 ? STATUS_CORRUPT : rc;
}

static int
get_number(struct view *in, int32_t *out)
{
	uint32_t v = 0;
	int rc = view_get_32(in, &v);

	*out = (int32_t)v;
	return rc == 0 && *out < -1 ? STATUS_CORRUPT : rc;
}

/* That of a program. */
static int
get_status(struct view *in, int32_t *out)
{
	int rc = get_number(in, out);

	return rc == 0 && (*out < 0 || *out > FRAME_STATUS_MAX) ? STATUS_CORRUPT
								: rc;
}

static int
get_identity(struct view *in, uint8_t out[FRAME_IDENTITY_LEN])
{
	struct view bytes;
	int rc = view_get(in, FRAME_IDENTITY_LEN, &bytes);

	if (rc == 0)
		memcpy(out, bytes.data, FRAME_IDENTITY_LEN);
	return rc;
}

static int
get_field(struct view *in, char field, struct frame *f)
{
	int rc;

	switch (field) {
	case 'm':
		return view_get_32(in, &f->magic);
	case 'v':
		rc = view_get_16(in, &f->version_min);
		return rc != 0 ? rc : view_get_16(in, &f->version_max);
	case 'c':
		return view_get_64(in, &f->capabilities);
	case 'w':
		return view_get_32(in, &f->window);
	case 't':
		return view_get_32(in, &f->topic);
	case 'p':
		return get_number(in, &f->partition);
	case 'n':
		return get_number(in, &f->count);
	case 'i':
		return get_identity(in, f->identity);
	case 's':
		return get_bound(in, &f->start);
	case 'e':
		return get_bound(in, &f->end);
	case 'o':
		return get_offset(in, &f->offset);
	case 'b':
		return get_batch(in, &f->batch);
	case 'r':
		return get_number(in, &f->epoch);
	case 'a':
		return get_offset(in, &f->time);
	case 'x':
		return get_status(in, &f->status);
	case 'y':
		return get_offset(in, &f->bytes);
	case 'g':
		return view_get_64(in, &f->digest);
	default:
		f->data = *in;
		*in = (struct view){in->data + in->len, 0};
		return 0;
	}
}

static int
get_fields(struct view in, struct frame *f)
{
	int rc = 0;

	for (const char *at = layouts[f->type].fields; rc == 0 && *at != '\0';
	     at++)
		rc = get_field(&in, *at, f);
	return rc == 0 && in.len == 0 ? 0 : STATUS_CORRUPT;
}

/* Why these cannot be the first bytes of a frame, or NULL. */
static const char *
refused(const uint8_t *p)
{
	uint8_t type = p[4], right[8];

	memcpy(right, p, 5);
	frame_seal_length(right);
	if (type == 0 || type >= FRAME_TYPES)
		return "not a frame";
	if (buf_get_32(p) > limit_of((enum frame_type)type))
		return "a frame is too long";
	return memcmp(right, p, 8) == 0 ? NULL : "not a frame";
}

int
frame_decode(struct view *in, struct frame *out, size_t *need,
    const char **what)
{
	size_t unused_need, len;
	const char *unused_what;
	const uint8_t *p = in->data;

	need = need != NULL ? need : &unused_need;
	what = what != NULL ? what : &unused_what;
	*need = FRAME_HEADER_LEN;
	if (in->len < FRAME_HEADER_LEN)
		return STATUS_SHORT;
	*what = refused(p);
	if (*what != NULL)
		return STATUS_CORRUPT;
	len = buf_get_32(p);
	*need = FRAME_HEADER_LEN + len;
	if (in->len < *need)
		return STATUS_SHORT;
	*what = "a frame's crc does not match";
	if (crc32c_update(crc32c(p, 8), p + FRAME_HEADER_LEN, len) !=
	    buf_get_32(p + 8))
		return STATUS_CORRUPT;
	*what = "a frame's fields do not add up";
	*out = (struct frame){.type = (enum frame_type)p[4]};
	if (get_fields((struct view){p + FRAME_HEADER_LEN, len}, out) != 0)
		return STATUS_CORRUPT;
	*in = (struct view){p + *need, in->len - *need};
	return 0;
}

int
frame_string(struct view *data, char *out, size_t size)
{
	const uint8_t *end =
	    data->len == 0 ? NULL : memchr(data->data, 0, data->len);
	size_t len;

	if (end == NULL)
		return STATUS_SHORT;
	len = (size_t)(end - data->data);
	if (len >= size)
		return STATUS_SHORT;
	memcpy(out, data->data, len + 1);
	*data = (struct view){end + 1, data->len - len - 1};
	return 0;
}
