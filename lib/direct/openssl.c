#include "direct/openssl.h"

#include <stddef.h>
#include <stdio.h>

#include "base/library.h"
#include "base/status.h"

/* It brings libcrypto, and what is looked up is found in either. */
#define LIBRARY "libssl.so.3"

struct openssl openssl;

static char why[256];

#define ROW(name) {&openssl.name, #name},
static const struct library_symbol functions[] = {
    OPENSSL_FUNCTIONS(ROW){NULL, NULL}};
#undef ROW

int
openssl_load(void)
{
	static enum { NEW, LOADED, MISSING } state;
	static const char library[] = LIBRARY;
	const char *missing;

	if (state == NEW) {
		missing = library_load(library, functions);
		state = missing == NULL ? LOADED : MISSING;
		if (missing == library)
			snprintf(why, sizeof(why),
			    LIBRARY " is needed for it (Debian: libssl3)");
		else if (missing != NULL)
			snprintf(why, sizeof(why), LIBRARY " has no %s",
			    missing);
	}
	return state == LOADED ? 0 : STATUS_CLIENT;
}

const char *
openssl_why(void)
{
	return why;
}
