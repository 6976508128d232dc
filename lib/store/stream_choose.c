#include "store/stream_impl.h"

#include "base/find.h"

/* No record of an uncompressed batch can have the key if its bytes lack it. */
static bool
may_hold_key(const struct stream *s, const struct source *src)
{
	const struct bytes *key = &s->filter.key;

	if (!s->filter.has_key || s->filter.invert || key->len <= 0 ||
	    batch_codec(&src->batch) != CODEC_NONE)
		return true;
	return find_bytes(src->data + BATCH_RECORDS,
	    src->batch.size - BATCH_RECORDS, key->data, (size_t)key->len);
}

/* Is none of the batch's records the last of its key, as far as is known? */
static bool
is_overtaken(const struct source *src)
{
	return src->latest != NULL &&
	    latest_is_covered(src->latest, src->batch.base_offset,
		src->batch.last_offset) &&
	    latest_next(src->latest, src->batch.base_offset) >
	    src->batch.last_offset;
}

/* Could this batch hold a wanted record? */
bool
stream_choose_batch(const struct stream *s, const struct source *src)
{
	return src->batch.max_timestamp >= s->filter.since &&
	    !is_overtaken(src) && may_hold_key(s, src);
}

static bool
matches(const regex_t *re, struct bytes text)
{
	regmatch_t m = {.rm_so = 0, .rm_eo = text.len};

	if (bytes_is_null(text))
		return false;
	return regexec(re, text.len == 0 ? "" : (const char *)text.data, 1, &m,
		   REG_STARTEND) == 0;
}

static bool
has_header(const struct stream_filter *f, const struct record *rec)
{
	struct record_headers h;
	struct record_header header;

	record_headers_init(&h, rec);
	while (record_headers_next(&h, &header) == 0)
		if (bytes_equal(header.name, f->header_name) &&
		    (!f->has_header_value ||
			bytes_equal(header.value, f->header_value)))
			return true;
	return false;
}

/* All conditions but those of time. */
static bool
holds(const struct stream_filter *f, const struct record *rec)
{
	if (f->has_key && !bytes_equal(rec->key, f->key))
		return false;
	if (f->key_grep != NULL && !matches(f->key_grep, rec->key))
		return false;
	if (f->has_header && !has_header(f, rec))
		return false;
	return f->grep == NULL || matches(f->grep, rec->value);
}

bool
stream_choose_wants(const struct stream *s, const struct record *rec)
{
	const struct stream_filter *f = &s->filter;

	if (rec->timestamp < f->since || rec->timestamp > f->newest)
		return false;
	return holds(f, rec) != f->invert;
}

/* As stream_choose_wants(), where it takes a look at other records, too. */
int
stream_choose_record(struct stream *s, struct source *src,
    const struct record *rec, bool *wanted, struct fault *f)
{
	int rc;

	*wanted = !s->filtering || stream_choose_wants(s, rec);
	if (src->latest == NULL || !*wanted)
		return 0;
	*wanted = false;
	if (bytes_is_null(rec->key) || bytes_is_null(rec->value))
		return 0;
	rc = latest_cover(src->latest, rec->offset, f);
	if (rc == 0)
		*wanted = latest_next(src->latest, rec->offset) == rec->offset;
	return rc;
}
