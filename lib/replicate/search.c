#include "replicate/search.h"

void
search_init(struct search *s, int64_t start, int64_t end)
{
	*s = (struct search){.low = start, .high = end};
}

/* The middle of what is not known, or the end of the search. */
static enum search_next
next(struct search *s, int64_t *offset)
{
	if (s->low >= s->high) {
		*offset = s->keep;
		return SEARCH_CUT;
	}
	*offset = s->probe = s->low + (s->high - s->low) / 2;
	return SEARCH_ASK;
}

enum search_next
search_same(struct search *s, int64_t last, int64_t *offset)
{
	if (!s->diverged)
		return SEARCH_NOTHING;
	if (last + 1 > s->keep)
		s->keep = last + 1;
	s->low = (last > s->probe ? last : s->probe) + 1;
	return next(s, offset);
}

enum search_next
search_different(struct search *s, int64_t base, int64_t *offset)
{
	if (!s->diverged) {
		s->diverged = true;
		if (base >= 0 && base < s->high)
			s->high = base;
	} else {
		s->high = base >= s->low && base < s->probe ? base : s->probe;
	}
	return next(s, offset);
}

enum search_next
search_silent(struct search *s, int64_t below, int64_t *offset)
{
	if (below >= 0) {
		*offset = below;
		return SEARCH_ASK;
	}
	if (!s->diverged)
		return SEARCH_NOTHING;
	s->low = s->probe + 1;
	return next(s, offset);
}
