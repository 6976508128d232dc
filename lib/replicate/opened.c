#include "replicate/opened.h"

#include "store/partition.h"
#include "store/raw.h"

static void
close_part(struct opened_part *part)
{
	raw_close(part->raw);
	partition_close(part->p);
	*part = (struct opened_part){.p = NULL};
}

/* Make place for another one. */
static int
leave(struct opened *o, struct opened_part *part, struct fault *f)
{
	int rc = part->p != NULL && o->leave != NULL ? o->leave(part->p, f) : 0;

	close_part(part);
	return rc;
}

int
opened_find(struct opened *o, size_t topic, int32_t partition,
    struct opened_part **out, struct fault *f)
{
	struct opened_part *oldest = &o->parts[0];
	size_t max = o->max > 0 && o->max < OPENED_MAX ? o->max : OPENED_MAX;
	int rc;

	for (size_t i = 0; i < max; i++) {
		struct opened_part *part = &o->parts[i];

		if (part->p != NULL && part->topic == topic &&
		    part->number == partition) {
			part->used = ++o->uses;
			*out = part;
			return 0;
		}
		if (part->used < oldest->used)
			oldest = part;
	}
	rc = leave(o, oldest, f);
	if (rc != 0)
		return rc;
	oldest->topic = topic;
	oldest->number = partition;
	rc = o->open(o->arg, oldest, f);
	if (rc != 0) {
		close_part(oldest);
		return rc;
	}
	oldest->used = ++o->uses;
	*out = oldest;
	return 0;
}

void
opened_forget(struct opened_part *part)
{
	close_part(part);
}

void
opened_close(struct opened *o)
{
	for (size_t i = 0; i < OPENED_MAX; i++)
		close_part(&o->parts[i]);
}
