#include "replicate/halving.h"

void
halving_init(struct halving *s, int64_t start, int64_t end)
{
	*s = (struct halving){.low = start, .high = end};
}

/* The middle of what is not known, or the end of the search. */
static enum halving_next
next(struct halving *s, int64_t *offset)
{
	if (s->low >= s->high) {
		*offset = s->keep;
		return HALVING_CUT;
	}
	*offset = s->probe = s->low + (s->high - s->low) / 2;
	return HALVING_ASK;
}

enum halving_next
halving_same(struct halving *s, int64_t last, int64_t *offset)
{
	if (!s->diverged)
		return HALVING_NOTHING;
	if (last + 1 > s->keep)
		s->keep = last + 1;
	s->low = (last > s->probe ? last : s->probe) + 1;
	return next(s, offset);
}

enum halving_next
halving_different(struct halving *s, int64_t base, int64_t *offset)
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

enum halving_next
halving_silent(struct halving *s, int64_t below, int64_t *offset)
{
	if (below >= 0) {
		*offset = below;
		return HALVING_ASK;
	}
	if (!s->diverged)
		return HALVING_NOTHING;
	s->low = s->probe + 1;
	return next(s, offset);
}
