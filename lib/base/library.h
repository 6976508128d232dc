#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

/*
 * Functions of a shared library that is loaded when it is first needed: only
 * its headers are there at build time, and a program that does not need it
 * starts without it.
 *
 *	static const struct library_symbol symbols[] = {
 *	    {&zstd.isError, "ZSTD_isError"},
 *	    {NULL, NULL},
 *	};
 *
 *	missing = library_load("libzstd.so.1", symbols);
 *
 * dlopen(3) does not care how often that is; to have it done once is the
 * caller's part.
 */

/* A function, and where its address goes. */
struct library_symbol {
	void *slot;		/* a pointer to a function */
	const char *name;	/* NULL behind the last */
};

/*
 * Load file, which stays loaded, and fill the slots.  NULL, or what is missing:
 * file itself, or the name of the first function that it does not have.
 */
const char *library_load(const char *file, const struct library_symbol *s);

#endif
