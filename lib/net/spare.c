#include "net/spare.h"

#include <sys/mman.h>
#include <sys/queue.h>

#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>

/* Before what the caller has; size is that of all. */
struct piece {
	alignas(max_align_t) TAILQ_ENTRY(piece) entry;
	size_t size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Under it; the one that was freed last comes first. */
static TAILQ_HEAD(pieces, piece) kept = TAILQ_HEAD_INITIALIZER(kept);
static size_t kept_bytes;
static size_t least_bytes;	/* that were kept since spare_trim() */

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>

/* Only len bytes of it are the caller's, none once it is freed. */
static void
fence(struct piece *p, size_t len)
{
	uint8_t *data = (uint8_t *)(p + 1);

	ASAN_UNPOISON_MEMORY_REGION(data, len);
	ASAN_POISON_MEMORY_REGION(data + len, p->size - sizeof(*p) - len);
}

static void
unfence(struct piece *p)
{
	ASAN_UNPOISON_MEMORY_REGION(p + 1, p->size - sizeof(*p));
}
#else
static void
fence(struct piece *p, size_t len)
{
	(void)p;
	(void)len;
}

static void
unfence(struct piece *p)
{
	(void)p;
}
#endif

static bool
is_to_keep(size_t size)
{
	return size >= SPARE_BYTES_MIN && size <= SPARE_BYTES_MAX;
}

/*
 * Those to be kept have sizes in steps of a quarter, so that one fits frames of
 * about the same size, and little of it is vain.
 */
static size_t
size_for(size_t len)
{
	size_t size = sizeof(struct piece) + len, step = SPARE_BYTES_MIN / 4;

	if (!is_to_keep(size))
		return size;
	while (size > 8 * step)
		step *= 2;
	return (size + step - 1) / step * step;
}

/*
 * Those to be kept are not of malloc(3): what it has given back below one that
 * is in use stays with the process.
 */
static struct piece *
new_piece(size_t size)
{
	void *p;

	if (!is_to_keep(size))
		return malloc(size);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static void
free_piece(struct piece *p)
{
	unfence(p);
	if (is_to_keep(p->size))
		(void)munmap(p, p->size);
	else
		free(p);
}

/* Under the lock. */
static void
take_out(struct piece *p)
{
	TAILQ_REMOVE(&kept, p, entry);
	kept_bytes -= p->size;
	if (kept_bytes < least_bytes)
		least_bytes = kept_bytes;
}

static struct piece *
take_kept(size_t size)
{
	struct piece *p;

	pthread_mutex_lock(&lock);
	TAILQ_FOREACH(p, &kept, entry)
		if (p->size == size)
			break;
	if (p != NULL)
		take_out(p);
	pthread_mutex_unlock(&lock);
	return p;
}

uint8_t *
spare_new(size_t len)
{
	size_t size;
	struct piece *p;

	if (len > SIZE_MAX - sizeof(*p))
		return NULL;
	size = size_for(len);
	p = is_to_keep(size) ? take_kept(size) : NULL;
	if (p == NULL)
		p = new_piece(size);
	if (p == NULL)
		return NULL;
	p->size = size;
	fence(p, len);
	return (uint8_t *)(p + 1);
}

/* The one that was kept longest, while there are too many bytes. */
static struct piece *
take_oldest(size_t max)
{
	struct piece *p = NULL;

	pthread_mutex_lock(&lock);
	if (kept_bytes > max) {
		p = TAILQ_LAST(&kept, pieces);
		take_out(p);
	}
	pthread_mutex_unlock(&lock);
	return p;
}

static void
shrink(size_t max)
{
	struct piece *p;

	while ((p = take_oldest(max)) != NULL)
		free_piece(p);
}

void
spare_free(uint8_t *data)
{
	struct piece *p;

	if (data == NULL)
		return;
	p = (struct piece *)(void *)data - 1;
	if (!is_to_keep(p->size)) {
		free_piece(p);
		return;
	}
	fence(p, 0);
	pthread_mutex_lock(&lock);
	TAILQ_INSERT_HEAD(&kept, p, entry);
	kept_bytes += p->size;
	pthread_mutex_unlock(&lock);
	shrink(SPARE_BYTES_MAX);
}

size_t
spare_kept(void)
{
	size_t bytes;

	pthread_mutex_lock(&lock);
	bytes = kept_bytes;
	pthread_mutex_unlock(&lock);
	return bytes;
}

void
spare_release(void)
{
	shrink(0);
}

void
spare_trim(void)
{
	size_t max;

	pthread_mutex_lock(&lock);
	max = kept_bytes - least_bytes;
	pthread_mutex_unlock(&lock);
	shrink(max);
	pthread_mutex_lock(&lock);
	least_bytes = kept_bytes;
	pthread_mutex_unlock(&lock);
}
