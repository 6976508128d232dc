#include "handles.h"

#include <pthread.h>
#include <stdlib.h>

struct handles {
	pthread_mutex_t lock;
	TAILQ_HEAD(, handle) all;	/* the oldest first */
	size_t count;
	size_t max;
};

struct handles *
handles_new(size_t max)
{
	struct handles *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	TAILQ_INIT(&h->all);
	h->max = max;
	return h;
}

void
handles_free(struct handles *h)
{
	if (h == NULL)
		return;
	pthread_mutex_destroy(&h->lock);
	free(h);
}

void
handles_init(struct handle *one, bool (*shed)(void *arg), void *arg)
{
	*one = (struct handle){.shed = shed, .arg = arg};
	atomic_init(&one->used, false);
}

static void
take_out(struct handles *h, struct handle *one)
{
	TAILQ_REMOVE(&h->all, one, entry);
	one->has_files = false;
	h->count--;
}

/*
 * Under the lock, so that none goes meanwhile.  Each is looked at twice at
 * most: the first look takes the mark that it was used.
 */
static void
make_room(struct handles *h, const struct handle *but)
{
	struct handle *one;

	for (size_t looks = 2 * h->count; h->count > h->max && looks > 0;
	     looks--) {
		one = TAILQ_FIRST(&h->all);
		TAILQ_REMOVE(&h->all, one, entry);
		TAILQ_INSERT_TAIL(&h->all, one, entry);
		if (one != but && !atomic_exchange(&one->used, false) &&
		    one->shed(one->arg))
			take_out(h, one);
	}
}

void
handles_add(struct handles *h, struct handle *one)
{
	pthread_mutex_lock(&h->lock);
	if (!one->has_files) {
		TAILQ_INSERT_TAIL(&h->all, one, entry);
		one->has_files = true;
		h->count++;
	}
	make_room(h, one);
	pthread_mutex_unlock(&h->lock);
}

void
handles_remove(struct handles *h, struct handle *one)
{
	pthread_mutex_lock(&h->lock);
	if (one->has_files)
		take_out(h, one);
	pthread_mutex_unlock(&h->lock);
}
