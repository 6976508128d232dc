#include "direct/openssl.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

/* It brings libcrypto, and what is looked up is found in either. */
#define LIBRARY "libssl.so.3"

struct openssl openssl;

static char why[256];

#define ROW(name) {offsetof(struct openssl, name), #name},
static const struct {
	size_t pos;		/* of the member */
	const char *name;
} functions[] = {OPENSSL_FUNCTIONS(ROW)};
#undef ROW

static bool
find_all(void *library)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *found = dlsym(library, functions[i].name);

		if (found == NULL) {
			snprintf(why, sizeof(why), LIBRARY " has no %s",
			    functions[i].name);
			return false;
		}
		*(void **)((char *)&openssl + functions[i].pos) = found;
	}
	return true;
}

int
openssl_load(void)
{
	static enum { NEW, LOADED, MISSING } state;
	void *library;

	if (state == NEW) {
		state = MISSING;
		library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
		if (library == NULL)
			snprintf(why, sizeof(why),
			    LIBRARY " is needed for it (Debian: libssl3)");
		else if (find_all(library))
			state = LOADED;
	}
	return state == LOADED ? 0 : STATUS_CLIENT;
}

const char *
openssl_why(void)
{
	return why;
}
