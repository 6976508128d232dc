#include "omitted.h"

#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"

/* With more of them, some are told again. */
enum { NAMES_MAX = 10000 };

struct omitted_name {
	char name[TOPIC_NAME_MAX + 1];
	int rc;
	RB_ENTRY(omitted_name) entry;
};

static int
compare(const struct omitted_name *a, const struct omitted_name *b)
{
	return strcmp(a->name, b->name);
}

RB_PROTOTYPE(omitted_names, omitted_name, entry, compare);
RB_GENERATE(omitted_names, omitted_name, entry, compare);

void
omitted_init(struct omitted *o)
{
	RB_INIT(&o->names);
	o->count = 0;
}

static void
drop(struct omitted *o, struct omitted_name *n)
{
	RB_REMOVE(omitted_names, &o->names, n);
	o->count--;
	free(n);
}

void
omitted_release(struct omitted *o)
{
	struct omitted_name *n;

	while ((n = RB_MIN(omitted_names, &o->names)) != NULL)
		drop(o, n);
}

static struct omitted_name *
find(struct omitted *o, const char *name)
{
	struct omitted_name key;

	strlcpy(key.name, name, sizeof(key.name));
	return RB_FIND(omitted_names, &o->names, &key);
}

bool
omitted_add(struct omitted *o, const char *name, int rc)
{
	struct omitted_name *n = find(o, name);
	bool is_news = n == NULL || n->rc != rc;

	if (n == NULL) {
		if (o->count == NAMES_MAX)
			omitted_release(o);
		n = calloc(1, sizeof(*n));
		if (n == NULL)
			return true;
		strlcpy(n->name, name, sizeof(n->name));
		RB_INSERT(omitted_names, &o->names, n);
		o->count++;
	}
	n->rc = rc;
	return is_news;
}

void
omitted_remove(struct omitted *o, const char *name)
{
	struct omitted_name *n = find(o, name);

	if (n != NULL)
		drop(o, n);
}
