#include "making.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/status.h"
#include "catalog.h"
#include "server.h"
#include "store/properties.h"
#include "store/root.h"

void
making_defaults(struct properties *settings)
{
	char text[32];

	if (settings->values[PROPERTIES_RETENTION_MS].is_set)
		return;
	snprintf(text, sizeof(text), "%d", CONFIG_RETENTION_MS);
	(void)properties_set(settings, PROPERTIES_RETENTION_MS, text, NULL);
}

static bool
is_alike(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++)
		if ((*a == '.' ? '_' : *a) != (*b == '.' ? '_' : *b))
			return false;
	return *a == *b;
}

/* A directory that is no topic stands in nobody's way. */
static bool
is_topic(struct server *s, const char *name)
{
	struct served *t;

	if (catalog_find(s->catalog, bytes_of(name), &t) != 0)
		return false;
	catalog_release(s->catalog, t);
	return true;
}

int
making_may_be_named(struct server *s, const char *name, const char **why)
{
	struct root_list list;
	int rc = 0;

	*why = "not a name for a topic";
	if (!topic_is_name(name))
		return STATUS_SYNTAX;
	*why = "the name of an internal topic";
	if (strcmp(name, "__consumer_offsets") == 0 ||
	    strcmp(name, "__transaction_state") == 0)
		return STATUS_SYNTAX;
	*why = "another topic's name differs by . and _ only";
	if (strpbrk(name, "._") == NULL ||
	    root_read(catalog_root(s->catalog), &list) != 0)
		return 0;
	for (size_t i = 0; rc == 0 && i < list.count; i++)
		if (strcmp(list.names[i], name) != 0 &&
		    is_alike(list.names[i], name) && is_topic(s, list.names[i]))
			rc = STATUS_SYNTAX;
	root_list_release(&list);
	return rc;
}

int
making_topic(struct server *s, const char *name, int32_t partitions,
    const struct properties *settings, struct served **t)
{
	struct properties p;
	const char *why;
	int rc = making_may_be_named(s, name, &why);

	if (rc != 0)
		return rc;
	properties_init(&p);
	if (settings != NULL)
		p = *settings;
	making_defaults(&p);
	rc = catalog_create(s->catalog, name, &p, partitions, t);
	return rc == STATUS_EXISTS && settings == NULL
	    ? catalog_find(s->catalog, bytes_of(name), t)
	    : rc;
}
