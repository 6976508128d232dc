#include "net/spare.h"

#include <pthread.h>

#include "tap.h"

enum { LEN = 1000100, ROUNDS = 20000, THREADS = 4 };

static void
test_kept(void)
{
	uint8_t *p = spare_new(LEN), *q;

	memset(p, 1, LEN);
	tap_int(spare_kept(), 0, "what is in use is not kept");
	spare_free(p);
	tap(spare_kept() >= LEN, "what was large is kept");
	q = spare_new(LEN - 1000);
	tap(p == q, "it is given out again, for a little less too");
	tap_int(spare_kept(), 0, "and is then in use");
	p = spare_new(LEN);
	tap(p != q, "another is another");
	memset(p, 2, LEN);
	memset(q, 3, LEN - 1000);
	tap(p[0] == 2 && p[LEN - 1] == 2, "they do not overlap");
	spare_free(q);
	spare_free(p);
	tap(spare_new(LEN) == p, "the last is given out first");
	spare_free(p);
	spare_release();
	tap_int(spare_kept(), 0, "they can be given up");
	spare_free(NULL);
}

static void
test_sizes(void)
{
	uint8_t *p;
	bool ok = true;

	spare_free(spare_new(0));
	spare_free(spare_new(SPARE_BYTES_MIN / 2));
	tap_int(spare_kept(), 0, "what is small is not kept");
	spare_free(spare_new(2 * (size_t)SPARE_BYTES_MAX));
	tap_int(spare_kept(), 0, "nor what is huge");
	for (size_t len = 1; ok && len < 2 * (size_t)SPARE_BYTES_MAX;
	     len += len / 9 + 1) {
		p = spare_new(len);
		memset(p, 4, len);
		spare_free(p);
		ok = spare_kept() <= SPARE_BYTES_MAX;
	}
	tap(ok, "never more is kept than may be");
	spare_free(spare_new(LEN));
	tap(spare_kept() >= LEN && spare_kept() <= SPARE_BYTES_MAX,
	    "the one that was freed last is among those kept");
	spare_release();
	spare_free(spare_new(LEN));
	tap(spare_kept() < LEN + LEN / 4, "little of it is vain");
	spare_release();
	tap(spare_new(SIZE_MAX) == NULL, "what cannot be had is not there");
}

static void
test_trim(void)
{
	uint8_t *p = spare_new(LEN), *q = spare_new(LEN);

	spare_trim();
	spare_free(p);
	spare_free(q);
	spare_trim();
	tap(spare_kept() >= 2 * LEN, "what was in use is kept");
	for (int i = 0; i < 3; i++)
		spare_free(spare_new(LEN));
	spare_trim();
	tap(spare_kept() >= LEN && spare_kept() < 2 * LEN,
	    "one that was not needed goes");
	spare_trim();
	tap_int(spare_kept(), 0, "so does the other");
}

static void *
use(void *arg)
{
	uint8_t mark = *(uint8_t *)arg, *mine[4] = {NULL};
	size_t lens[4] = {0};
	bool ok = true;

	for (int i = 0; i < ROUNDS && ok; i++) {
		int k = i % 4;

		ok = mine[k] == NULL ||
		    (mine[k][0] == mark && mine[k][lens[k] - 1] == mark);
		spare_free(mine[k]);
		lens[k] = SPARE_BYTES_MIN + (size_t)i * 7919 % (3 << 20);
		mine[k] = spare_new(lens[k]);
		mine[k][0] = mine[k][lens[k] - 1] = mark;
	}
	for (int k = 0; k < 4; k++)
		spare_free(mine[k]);
	return ok ? arg : NULL;
}

static void
test_threads(void)
{
	static uint8_t marks[THREADS];
	pthread_t threads[THREADS];
	bool ok = true;
	void *end;

	for (int i = 0; i < THREADS; i++) {
		marks[i] = (uint8_t)(i + 1);
		pthread_create(&threads[i], NULL, use, &marks[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &end);
		ok = ok && end != NULL;
	}
	tap(ok, "no two threads have the same");
	tap(spare_kept() <= SPARE_BYTES_MAX, "and no more is kept than may be");
	spare_release();
}

int
main(void)
{
	test_kept();
	test_sizes();
	test_trim();
	test_threads();
	return tap_done();
}
