#include "making.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/status.h"
#include "catalog.h"
#include "server.h"
#include "store/properties.h"

void
making_defaults(struct properties *settings)
{
	char text[32];

	if (settings->values[PROPERTIES_RETENTION_MS].is_set)
		return;
	snprintf(text, sizeof(text), "%d", CONFIG_RETENTION_MS);
	(void)properties_set(settings, PROPERTIES_RETENTION_MS, text, NULL);
}

int
making_topic(struct server *s, const char *name, int32_t partitions,
    const struct properties *settings, struct served **t)
{
	struct properties p;
	int rc;

	properties_init(&p);
	if (settings != NULL)
		p = *settings;
	making_defaults(&p);
	rc = catalog_create(s->catalog, name, &p, partitions, t);
	return rc == STATUS_EXISTS && settings == NULL
	    ? catalog_find(s->catalog, bytes_of(name), t)
	    : rc;
}
