#include "client/rdkafka.h"

#include <stddef.h>
#include <stdio.h>

#include "base/library.h"
#include "base/status.h"

#define LIBRARY "librdkafka.so.1"

struct rdkafka rdkafka;

static char why[256];

#define ROW(name) {&rdkafka.name, "rd_kafka_" #name},
static const struct library_symbol functions[] = {
    RDKAFKA_FUNCTIONS(ROW){NULL, NULL}};
#undef ROW

int
rdkafka_load(void)
{
	static enum { NEW, LOADED, MISSING } state;
	static const char library[] = LIBRARY;
	const char *missing;

	if (state == NEW) {
		missing = library_load(library, functions);
		state = missing == NULL ? LOADED : MISSING;
		if (missing == library)
			snprintf(why, sizeof(why),
			    LIBRARY " is needed for it (Debian: "
				    "librdkafka1)");
		else if (missing != NULL)
			snprintf(why, sizeof(why),
			    LIBRARY " has no %s: 2.0 or later is needed",
			    missing);
	}
	return state == LOADED ? 0 : STATUS_CLIENT;
}

const char *
rdkafka_why(void)
{
	return why;
}
