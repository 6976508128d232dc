#include "provenance.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/status.h"
#include "direct/trouble.h"

const uint8_t *
provenance_source(const struct provenance *p)
{
	return p->from.ids[0];
}

static bool
is(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, STAMP_SOURCE_LEN) == 0;
}

int
provenance_check(const struct provenance *p, struct fault *f)
{
	if (p->from.count == 0)
		return trouble(f, STATUS_FAILED, p->name,
		    "which topic the source is cannot be told");
	if (!p->has_to)
		return 0;
	if (is(p->from.ids[0], p->to))
		return trouble(f, ELOOP, p->name,
		    "source and destination are the same topic");
	for (int32_t i = 1; i < p->from.count; i++)
		if (is(p->from.ids[i], p->to))
			return trouble(f, ELOOP, p->name,
			    "the source is a copy of it");
	return 0;
}

int
provenance_check_mark(const struct provenance *p, const struct stamp_mark *m,
    struct fault *f)
{
	char own[BASE64_ID_LEN + 1], other[BASE64_ID_LEN + 1];

	if (m->producer_id < 0)
		return 0;
	for (int32_t i = 0; i < p->from.count + p->from.past; i++)
		if (is(p->from.ids[i], m->source))
			return 0;
	base64_id_encode(p->from.ids[0], own);
	base64_id_encode(m->source, other);
	return trouble(f, STATUS_DIFFERS, p->name,
	    "it has records of another source, topic id %s, and this one is "
	    "%s: each needs a destination topic of its own",
	    other, own);
}

int
provenance_check_batch(const struct provenance *p, const uint8_t *data,
    const struct batch *b, struct buf *scratch, struct fault *f)
{
	struct batch_records it;
	struct record r;
	int rc = batch_records_init(&it, data, b, scratch);

	while (rc == 0 && (rc = batch_records_next(&it, &r)) == 0) {
		if (r.header_count == 0)
			continue;
		if (p->has_to && stamp_is_from(&r, p->to))
			return trouble(f, ELOOP, p->name,
			    "offset %lld has come from there: a loop",
			    (long long)r.offset);
		if (stamp_is_from(&r, provenance_source(p)))
			return trouble(f, ELOOP, p->name,
			    "offset %lld was sent from this source before: a "
			    "loop",
			    (long long)r.offset);
	}
	return rc == STATUS_END ? 0 : rc;
}
