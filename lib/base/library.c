#include "base/library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

const char *
library_load(const char *file, const struct library_symbol *s)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (handle == NULL)
		return file;
	for (; s->name != NULL; s++) {
		void *symbol = dlsym(handle, s->name);

		if (symbol == NULL) {
			dlclose(handle);
			return s->name;
		}
		/* C has no cast from one to the other. */
		memcpy(s->slot, &symbol, sizeof(symbol));
	}
	return NULL;
}
