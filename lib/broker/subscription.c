#include "broker/subscription.h"

#include "base/status.h"

enum {
	TOPIC_BYTES_MIN = 2,	/* of its length alone */
};

int
subscription_open(struct bytes metadata, struct subscription *out)
{
	struct view v = {metadata.data,
	    metadata.len > 0 ? (size_t)metadata.len : 0};
	uint16_t version;
	uint32_t count;
	int rc;

	if ((rc = view_get_16(&v, &version)) != 0 ||
	    (rc = view_get_32(&v, &count)) != 0)
		return rc;
	if (version > INT16_MAX || count > INT32_MAX)
		return STATUS_SYNTAX;
	if (count > v.len / TOPIC_BYTES_MIN)
		return STATUS_SHORT;
	*out = (struct subscription){(int16_t)version, (int32_t)count, v};
	return 0;
}

int
subscription_next(struct subscription *s, struct bytes *topic)
{
	struct view v = s->rest, name;
	uint16_t len;
	int rc;

	if (s->left == 0)
		return STATUS_END;
	if ((rc = view_get_16(&v, &len)) != 0)
		return rc;
	if (len > INT16_MAX)
		return STATUS_SYNTAX;
	if ((rc = view_get(&v, len, &name)) != 0)
		return rc;
	*topic = (struct bytes){name.data, (int32_t)name.len};
	s->rest = v;
	s->left--;
	return 0;
}

bool
subscription_has(struct bytes metadata, struct bytes topic)
{
	struct subscription s;
	struct bytes name;
	int rc = subscription_open(metadata, &s);

	while (rc == 0 && (rc = subscription_next(&s, &name)) == 0)
		if (bytes_equal(name, topic))
			return true;
	return rc != STATUS_END;
}
