#ifndef REPLICATE_UNDER_H
#define REPLICATE_UNDER_H

/*
 * Paths that must stay below a directory, whatever links are on the way.  Who
 * asks for them can make no links there.
 */

#include <limits.h>

/*
 * Where path, relative ones from dir on, is without links: there, or in a
 * directory that is there.  EXDEV: it is not below dir, or has .. in it.
 * ENOENT, ENOTDIR: below dir, but what it would be in is missing.  Else errno,
 * of dir as well.
 */
int under_resolve(const char *dir, const char *path, char out[PATH_MAX]);

#endif
