#include "base/library.h"

#include <stddef.h>
#include <string.h>

#include "tap.h"

#define LIBC "libc.so.6"

int
main(void)
{
	static size_t (*length)(const char *);
	static int (*other)(void);
	static const struct library_symbol good[] = {{&length, "strlen"},
	    {NULL, NULL}};
	static const struct library_symbol bad[] = {{&length, "strlen"},
	    {&other, "no_such_function"}, {NULL, NULL}};
	static const char nowhere[] = "libnosuchlibrary.so.0";
	const char *missing;

	tap(library_load(nowhere, good) == nowhere, "no such library");
	tap(length == NULL, "nothing is filled in");
	missing = library_load(LIBC, bad);
	tap(missing != NULL && strcmp(missing, "no_such_function") == 0,
	    "no such function in it");
	tap(other == NULL, "its slot is left alone");
	tap(library_load(LIBC, good) == NULL && length("abc") == 3,
	    "a function is found, and called");
	tap(library_load(LIBC, good) == NULL, "and once more");
	return tap_done();
}
