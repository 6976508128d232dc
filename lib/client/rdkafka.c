#include "client/rdkafka.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

#define LIBRARY "librdkafka.so.1"

struct rdkafka rdkafka;

static char why[256];

#define ROW(name) {offsetof(struct rdkafka, name), "rd_kafka_" #name},
static const struct {
	size_t pos;		/* of the member */
	const char *name;
} functions[] = {RDKAFKA_FUNCTIONS(ROW)};
#undef ROW

static bool
find_all(void *library)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *found = dlsym(library, functions[i].name);

		if (found == NULL) {
			snprintf(why, sizeof(why),
			    LIBRARY " has no %s: 2.0 or later is needed",
			    functions[i].name);
			return false;
		}
		*(void **)((char *)&rdkafka + functions[i].pos) = found;
	}
	return true;
}

int
rdkafka_load(void)
{
	static enum { NEW, LOADED, MISSING } state;
	void *library;

	if (state == NEW) {
		state = MISSING;
		library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
		if (library == NULL)
			snprintf(why, sizeof(why),
			    LIBRARY " is needed for it (Debian: "
				    "librdkafka1)");
		else if (find_all(library))
			state = LOADED;
	}
	return state == LOADED ? 0 : STATUS_CLIENT;
}

const char *
rdkafka_why(void)
{
	return why;
}
