#include "handles.h"

#include <sys/queue.h>

#include <pthread.h>
#include <stdlib.h>

#include "log.h"

struct handles {
	pthread_mutex_t lock;
	TAILQ_HEAD(, log) logs;	/* the oldest first */
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
	TAILQ_INIT(&h->logs);
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

static void
take_out(struct handles *h, struct log *l)
{
	TAILQ_REMOVE(&h->logs, l, with_files);
	l->has_files = false;
	h->count--;
}

/*
 * Under the lock, so that no log goes meanwhile.  Each is looked at twice at
 * most: the first look takes the mark that it was used.
 */
static void
make_room(struct handles *h, const struct log *but)
{
	struct log *l;

	for (size_t looks = 2 * h->count; h->count > h->max && looks > 0;
	     looks--) {
		l = TAILQ_FIRST(&h->logs);
		TAILQ_REMOVE(&h->logs, l, with_files);
		TAILQ_INSERT_TAIL(&h->logs, l, with_files);
		if (l != but && !atomic_exchange(&l->used, false) &&
		    log_shed(l))
			take_out(h, l);
	}
}

void
handles_add(struct handles *h, struct log *l)
{
	pthread_mutex_lock(&h->lock);
	if (!l->has_files) {
		TAILQ_INSERT_TAIL(&h->logs, l, with_files);
		l->has_files = true;
		h->count++;
	}
	make_room(h, l);
	pthread_mutex_unlock(&h->lock);
}

void
handles_remove(struct handles *h, struct log *l)
{
	pthread_mutex_lock(&h->lock);
	if (l->has_files)
		take_out(h, l);
	pthread_mutex_unlock(&h->lock);
}
