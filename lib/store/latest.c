#include "store/latest.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/status.h"
#include "store/handful.h"
#include "store/keymap.h"
#include "store/reader.h"

struct span {
	int64_t from;
	int64_t to;
};

struct latest {
	struct partition *p;	/* not owned */
	int flags;
	struct latest_range range;
	size_t memory;
	struct keymap *map;	/* NULL at rest, as the reader */
	struct reader *r;
	struct buf scratch;
	int64_t begin;		/* [begin, end) is known */
	int64_t end;
	const uint32_t *list;	/* the map's offsets, from begin */
	size_t count;
	size_t at;		/* of the list, where the last answer was */
	int64_t fits;		/* offsets whose keys fit, by experience */
	struct span lost;	/* met, and not yet told */
	bool has_lost;
	struct span *told;	/* owned */
	size_t told_count;
};

int
latest_new(struct partition *p, int flags, const struct latest_range *range,
    size_t memory, struct latest **out)
{
	struct latest *l;

	if (memory < KEYMAP_BYTES_MIN)
		return EINVAL;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return ENOMEM;
	l->p = p;
	l->flags = flags;
	l->range = *range;
	l->memory = memory;
	l->fits = INT64_MAX;
	buf_init(&l->scratch, RECORDS_BYTES_MAX);
	*out = l;
	return 0;
}

void
latest_rest(struct latest *l)
{
	if (l == NULL)
		return;
	keymap_free(l->map);
	reader_close(l->r);
	buf_release(&l->scratch);
	l->map = NULL;
	l->r = NULL;
	l->begin = l->end = 0;
	l->count = 0;
	l->told_count = 0;
	l->has_lost = false;
}

void
latest_free(struct latest *l)
{
	if (l == NULL)
		return;
	latest_rest(l);
	free(l->told);
	free(l);
}

/* --- damage --------------------------------------------------------------- */

bool
latest_is_told(const struct latest *l, int64_t offset)
{
	for (size_t i = 0; i < l->told_count; i++)
		if (offset >= l->told[i].from &&
		    (offset < l->told[i].to || offset == l->told[i].from))
			return true;
	return false;
}

bool
latest_has_lost(const struct latest *l)
{
	return l->has_lost;
}

bool
latest_skip(struct latest *l, int64_t *from, int64_t *to)
{
	struct span *more;

	if (!l->has_lost)
		return false;
	more = reallocarray(l->told, l->told_count + 1, sizeof(*more));
	if (more == NULL)
		return false;
	l->told = more;
	l->told[l->told_count++] = l->lost;
	l->has_lost = false;
	*from = l->lost.from;
	*to = l->lost.to;
	return true;
}

/* rc is damage: 0 if it was told, else it is to be. */
static int
meet_damage(struct latest *l, int rc, int64_t from, int64_t to)
{
	if (latest_is_told(l, from))
		return 0;
	l->lost = (struct span){from, to};
	l->has_lost = true;
	return rc;
}

/* The reader cannot go on; it is put behind that. */
static int
pass_over(struct latest *l, int rc)
{
	int64_t from, to;
	int skipped;

	if (rc == STATUS_OFFSET)
		return 0;
	if (rc != STATUS_CORRUPT && rc != STATUS_UNSUPPORTED)
		return rc;
	skipped = reader_skip(l->r, &from, &to);
	if (skipped == STATUS_END)
		skipped = 0;
	return skipped != 0 ? rc : meet_damage(l, rc, from, to);
}

/* --- one stretch ---------------------------------------------------------- */

/* Take note of records; *e is where the stretch ends, lower if it is full. */
static int
take(struct latest *l, const struct handful *h, int64_t begin, int64_t *e)
{
	const struct latest_range *range = &l->range;
	int rc;

	for (int i = 0; i < h->count; i++) {
		int64_t offset = h->items[i].offset;

		if (offset < begin || offset >= range->to ||
		    !h->items[i].has_key ||
		    h->items[i].timestamp < range->since ||
		    h->items[i].timestamp > range->newest)
			continue;
		if (offset < *e) {
			rc = keymap_put(l->map, h->items[i].key, offset);
			if (rc == STATUS_TOO_BIG)
				*e = offset;
			else if (rc != 0)
				return rc;
		}
		if (offset >= *e)
			keymap_drop(l->map, h->items[i].key);
	}
	return 0;
}

static int
take_batch(struct latest *l, const struct batch *b, const uint8_t *data,
    int64_t begin, int64_t *e, struct fault *f)
{
	static const struct bytes none = {NULL, -1};
	struct batch_records it;
	struct handful h;
	int rc = batch_records_init(&it, data, b, &l->scratch);

	do {
		if (rc == 0)
			rc = handful_take(&h, &it, l->map, none);
		if (rc == 0)
			rc = take(l, &h, begin, e);
	} while (rc == 0 && h.count > 0);
	if (rc != STATUS_CORRUPT && rc != STATUS_TOO_BIG)
		return rc;
	reader_fault(l->r, b,
	    rc == STATUS_TOO_BIG ? "unpacks to more than the limit"
				 : "records do not add up",
	    f);
	return meet_damage(l, STATUS_CORRUPT, b->base_offset,
	    b->last_offset + 1);
}

static int
wake(struct latest *l, struct fault *f)
{
	int rc = 0;

	if (l->map == NULL)
		rc = keymap_new(l->memory, &l->map);
	if (rc == 0 && l->r == NULL)
		rc = reader_open(l->p, l->flags, 0, &l->r, f);
	return rc;
}

/*
 * Know [begin, *e); *e is lowered to what fits.  all: to nothing less, or
 * STATUS_TOO_BIG.
 */
static int
build(struct latest *l, int64_t begin, int64_t *e, bool all, struct fault *f)
{
	const uint8_t *data;
	int64_t want = *e;
	struct batch b;
	int rc = wake(l, f);

	l->end = l->begin = begin;
	l->count = l->at = 0;
	if (rc != 0)
		return rc;
	keymap_clear(l->map, begin);
	rc = reader_seek(l->r, begin, NULL, f);
	while (rc == 0) {
		rc = reader_next(l->r, &b, &data, f);
		if (rc == STATUS_END ||
		    (rc == 0 && b.base_offset >= l->range.to))
			break;
		if (rc != 0)
			rc = pass_over(l, rc);
		else if (b.max_timestamp >= l->range.since)
			rc = take_batch(l, &b, data, begin, e, f);
		if (all && *e < want)
			return rc == 0 ? STATUS_TOO_BIG : rc;
		/* All of them occur again. */
		if (rc == 0 && reader_offset(l->r) >= *e &&
		    keymap_live(l->map) == 0)
			break;
	}
	if (rc != 0 && rc != STATUS_END)
		return rc;
	l->count = keymap_take_offsets(l->map, &l->list);
	l->end = *e;
	return 0;
}

bool
latest_is_covered(const struct latest *l, int64_t first, int64_t last)
{
	return first >= l->begin && last < l->end;
}

int
latest_cover(struct latest *l, int64_t offset, struct fault *f)
{
	int64_t end = l->range.to;

	if (latest_is_covered(l, offset, offset) || offset >= end)
		return 0;
	return build(l, offset, &end, false, f);
}

/* From how far on the keys fit is found by trying, from far to near. */
int
latest_cover_back(struct latest *l, int64_t offset, struct fault *f)
{
	int64_t begin, end, e;
	int rc;

	if (latest_is_covered(l, offset, offset) || offset < l->range.from)
		return 0;
	end = offset < l->range.to ? offset + 1 : l->range.to;
	for (;;) {
		begin = l->range.from;
		if (end - begin > l->fits)
			begin = end - l->fits;
		e = end;
		rc = build(l, begin, &e, true, f);
		/* Further on more of them may fit. */
		if (rc == 0 && l->fits < INT64_MAX / 2)
			l->fits *= 2;
		if (rc != STATUS_TOO_BIG)
			return rc;
		/* Less than what there was of it till it was full. */
		l->fits = (e - begin) - (e - begin) / 8;
		if (l->fits < 1)
			l->fits = 1;
	}
}

/* --- the answer ----------------------------------------------------------- */

int64_t
latest_next(struct latest *l, int64_t offset)
{
	int64_t want = offset - l->begin;
	size_t low = 0, high = l->count;

	/* As often as not it is where the last answer was, or the next. */
	for (size_t i = l->at; i < l->count && i <= l->at + 1; i++)
		if ((i == 0 || l->list[i - 1] < want) && l->list[i] >= want) {
			l->at = i;
			return l->begin + l->list[i];
		}
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l->list[mid] < want)
			low = mid + 1;
		else
			high = mid;
	}
	l->at = low;
	return low < l->count ? l->begin + l->list[low] : INT64_MAX;
}
