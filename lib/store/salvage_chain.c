#include "store/salvage_impl.h"

#include <errno.h>
#include <stdlib.h>

static int
compare_last(const void *a, const void *b)
{
	const struct run *x = *(const struct run *const *)a;
	const struct run *y = *(const struct run *const *)b;

	return (x->last > y->last) - (x->last < y->last);
}

/* How much a run counts; the range's ends speak for those that touch them. */
static int64_t
weigh(const struct finder *f, const struct run *r)
{
	return 2 * r->batches + (r->base == f->range->first) +
	    (r->last + 1 == f->range->end);
}

/* How many of the runs, ordered by their last offset, end below base? */
static size_t
count_below(struct run **order, size_t n, int64_t base)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (order[mid]->last < base)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * best[] is a Fenwick tree over the runs ordered by their last offset: the
 * heaviest chain among those that were visited.
 */
static struct run *
best_before(struct run **best, size_t i)
{
	struct run *r = NULL;

	for (; i > 0; i -= i & -i)
		if (best[i] != NULL &&
		    (r == NULL || best[i]->weight > r->weight))
			r = best[i];
	return r;
}

static void
note_best(struct run **best, size_t n, size_t i, struct run *r)
{
	for (; i <= n; i += i & -i)
		if (best[i] == NULL || best[i]->weight < r->weight)
			best[i] = r;
}

int
salvage_chain_choose(struct finder *f)
{
	struct run **order = calloc(f->count + 1, sizeof(struct run *));
	struct run **best = calloc(f->count + 2, sizeof(struct run *));
	struct run *heaviest = NULL, *before;
	size_t n = 0;

	if (order == NULL || best == NULL) {
		free(order);
		free(best);
		return ENOMEM;
	}
	for (size_t i = 0; i < f->count; i++) {
		f->runs[i].chosen = false;
		if (f->runs[i].what == NULL)
			order[n++] = &f->runs[i];
	}
	qsort(order, n, sizeof(struct run *), compare_last);
	for (size_t i = 0; i < f->count; i++) {
		struct run *r = &f->runs[i];

		if (r->what != NULL)
			continue;
		before = best_before(best, count_below(order, n, r->base));
		r->before = before == NULL ? -1 : before - f->runs;
		r->weight = weigh(f, r) + (before == NULL ? 0 : before->weight);
		note_best(best, n, count_below(order, n, r->last) + 1, r);
		if (heaviest == NULL || r->weight > heaviest->weight)
			heaviest = r;
	}
	while (heaviest != NULL) {
		heaviest->chosen = true;
		heaviest =
		    heaviest->before < 0 ? NULL : &f->runs[heaviest->before];
	}
	free(order);
	free(best);
	return 0;
}

/* Do the bytes of b begin where those of a end? */
static bool
touches(const struct run *a, const struct run *b)
{
	return a->pos + a->len == b->pos;
}

/*
 * Do two valid runs, a before b in the file, contradict each other?  In a dense
 * segment nothing is missing between bytes that touch.
 */
static bool
contradict(const struct finder *f, const struct run *a, const struct run *b)
{
	return b->base <= a->last ||
	    (f->range->dense && touches(a, b) && b->base != a->last + 1);
}

/*
 * Is the run i worth as much as those of the chain that contradict it?  step:
 * which way to look for them.  None are put in doubt before that is known.
 */
static int64_t
weigh_against(const struct finder *f, size_t i, int step, int64_t most)
{
	const struct run *r = &f->runs[i], *other;
	int64_t weight = 0;

	for (size_t k = i + (size_t)step; k < f->count && weight <= most;
	     k += (size_t)step) {
		other = &f->runs[k];
		if (!other->in_chain)
			continue;
		if (!(step > 0 ? contradict(f, r, other)
			       : contradict(f, other, r)))
			break;
		weight += weigh(f, other);
	}
	return weight;
}

/* Those of the chain that contradict the run i are no longer chosen. */
static void
put_in_doubt(struct finder *f, size_t i, int step)
{
	const struct run *r = &f->runs[i];
	struct run *other;

	for (size_t k = i + (size_t)step; k < f->count; k += (size_t)step) {
		other = &f->runs[k];
		if (!other->in_chain)
			continue;
		if (!(step > 0 ? contradict(f, r, other)
			       : contradict(f, other, r)))
			break;
		other->chosen = false;
	}
}

/*
 * In a dense segment: a batch that does not begin it, though it is the first,
 * or does not go on behind one that is in doubt itself.
 */
static bool
is_without_support(const struct finder *f, size_t i)
{
	return i == 0 ? f->runs[0].base != f->range->first
		      : f->runs[i - 1].what == salvage_runs_torn;
}

/* The chain is right only where no other one is as good. */
void
salvage_chain_doubt(struct finder *f)
{
	for (size_t i = 0; i < f->count; i++)
		f->runs[i].in_chain = f->runs[i].chosen;
	for (size_t i = 0; i < f->count; i++) {
		const struct run *r = &f->runs[i];
		int64_t weight = weigh(f, r);

		if (r->what != NULL)
			continue;
		if (weigh_against(f, i, -1, weight) +
			weigh_against(f, i, 1, weight) >
		    weight)
			continue;
		put_in_doubt(f, i, -1);
		put_in_doubt(f, i, 1);
	}
	for (size_t i = 0; f->range->dense && i < f->count; i++)
		if (f->runs[i].batches == 1 && is_without_support(f, i))
			f->runs[i].chosen = false;
}

static int
compare_base(const void *a, const void *b)
{
	const struct run *x = *(const struct run *const *)a;
	const struct run *y = *(const struct run *const *)b;

	return (x->base > y->base) - (x->base < y->base);
}

const char salvage_chain_moved[] = "not in its place";

/* Those that are chosen, or all that are valid, by their offsets. */
int
salvage_chain_sort(struct finder *f, bool valid, struct run ***out,
    size_t *count)
{
	struct run **order = calloc(f->count + 1, sizeof(struct run *));
	size_t n = 0;

	if (order == NULL)
		return ENOMEM;
	for (size_t i = 0; i < f->count; i++)
		if (f->runs[i].chosen || (valid && f->runs[i].what == NULL))
			order[n++] = &f->runs[i];
	qsort(order, n, sizeof(struct run *), compare_base);
	*out = order;
	*count = n;
	return 0;
}

/*
 * Does the run i lie between bytes that are no batches?  Pages that changed
 * places begin and end inside batches; one that stands among others with an
 * offset of elsewhere has a wrong offset.
 */
static bool
is_set_apart(const struct finder *f, size_t i)
{
	size_t low = i, high = i;

	do {
		if (low == 0 || f->runs[low - 1].chosen)
			return false;
		low--;
	} while (f->runs[low].what == NULL &&
	    !contradict(f, &f->runs[low], &f->runs[low + 1]));
	do {
		if (high + 1 == f->count || f->runs[high + 1].chosen)
			return false;
		high++;
	} while (f->runs[high].what == NULL &&
	    !contradict(f, &f->runs[high - 1], &f->runs[high]));
	return f->runs[low].what != NULL && f->runs[high].what != NULL;
}

/* Are there bytes between the two?  NULL: where the file begins, ends. */
static bool
is_between(const struct finder *f, const struct run *a, const struct run *b)
{
	int64_t from = a == NULL ? 0 : a->pos + a->len;

	return from != (b == NULL ? f->range->size : b->pos);
}

/*
 * Those that fit by their offsets between the chosen ones.  all: whatever
 * stands around them.
 */
int
salvage_chain_place(struct finder *f, bool all)
{
	struct run **order, *before = NULL, *behind;
	int64_t done = f->range->first;
	size_t n, next;
	int rc = salvage_chain_sort(f, true, &order, &n);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct run *r = order[i];

		for (next = i + 1; next < n && !order[next]->chosen;)
			next++;
		behind = next < n ? order[next] : NULL;
		if (!r->chosen) {
			if (r->base < done ||
			    (behind != NULL && r->last >= behind->base) ||
			    !(all ||
				(is_set_apart(f, (size_t)(r - f->runs)) &&
				    is_between(f, before, behind))))
				continue;
			r->chosen = true;
			r->what = salvage_chain_moved;
		}
		before = r;
		done = r->last + 1;
	}
	if (rc == 0)
		free(order);
	return rc;
}
