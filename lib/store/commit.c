#include "store/commit.h"

#include "base/buf.h"
#include "base/status.h"
#include "base/view.h"
#include "store/record.h"

enum {
	KEY_VERSION = 1,
	VALUE_VERSION = 3,
};

static int
get_string(struct view *v, struct bytes *out)
{
	struct view s;
	uint16_t len;
	int rc = view_get_16(v, &len);

	if (rc == 0 && len > INT16_MAX)
		rc = STATUS_SYNTAX;
	if (rc == 0)
		rc = view_get(v, len, &s);
	if (rc == 0)
		*out = (struct bytes){s.data, len};
	return rc;
}

static int
get_name(struct view *v, struct bytes *out)
{
	int rc = get_string(v, out);

	if (rc == 0 && memchr(out->data, 0, (size_t)out->len) != NULL)
		rc = STATUS_SYNTAX;
	return rc;
}

static int
decode_key(struct view v, struct commit *out)
{
	uint32_t partition;
	uint16_t version;

	if (view_get_16(&v, &version) != 0 || version > KEY_VERSION ||
	    get_name(&v, &out->group) != 0 || get_name(&v, &out->topic) != 0 ||
	    view_get_32(&v, &partition) != 0 || partition > INT32_MAX)
		return STATUS_SYNTAX;
	out->partition = (int32_t)partition;
	return 0;
}

static int
decode_value(struct view v, struct commit *out)
{
	uint64_t offset, when;
	uint32_t epoch = UINT32_MAX;
	uint16_t version;

	if (view_get_16(&v, &version) != 0 || version > VALUE_VERSION ||
	    view_get_64(&v, &offset) != 0 ||
	    (version == VALUE_VERSION && view_get_32(&v, &epoch) != 0) ||
	    get_string(&v, &out->metadata) != 0 ||
	    view_get_64(&v, &when) != 0 || offset > INT64_MAX)
		return STATUS_SYNTAX;
	out->offset = (int64_t)offset;
	out->leader_epoch = (int32_t)epoch;
	out->commit_ms = (int64_t)when;
	return 0;
}

int
commit_decode(const struct record *rec, struct commit *out)
{
	struct view key = {rec->key.data, (size_t)rec->key.len};
	struct view value = {rec->value.data, (size_t)rec->value.len};
	int rc;

	*out = (struct commit){.offset = -1,
	    .leader_epoch = -1,
	    .metadata = BYTES_NULL};
	if (bytes_is_null(rec->key))
		return STATUS_SYNTAX;
	rc = decode_key(key, out);
	if (rc == 0 && !bytes_is_null(rec->value))
		rc = decode_value(value, out);
	return rc;
}

static int
add_string(struct buf *b, struct bytes s)
{
	int rc;

	if (s.len > INT16_MAX)
		return STATUS_TOO_BIG;
	if (bytes_is_null(s))
		s = bytes_of("");
	rc = buf_add_16(b, (uint16_t)s.len);
	return rc == 0 ? buf_add(b, s.data, (size_t)s.len) : rc;
}

int
commit_encode(const struct commit *c, struct buf *key, struct buf *value)
{
	int rc = buf_add_16(key, KEY_VERSION);

	if (rc == 0)
		rc = add_string(key, c->group);
	if (rc == 0)
		rc = add_string(key, c->topic);
	if (rc == 0)
		rc = buf_add_32(key, (uint32_t)c->partition);
	if (rc != 0 || c->offset < 0)
		return rc;
	rc = buf_add_16(value, VALUE_VERSION);
	if (rc == 0)
		rc = buf_add_64(value, (uint64_t)c->offset);
	if (rc == 0)
		rc = buf_add_32(value, (uint32_t)c->leader_epoch);
	if (rc == 0)
		rc = add_string(value, c->metadata);
	if (rc == 0)
		rc = buf_add_64(value, (uint64_t)c->commit_ms);
	return rc;
}
