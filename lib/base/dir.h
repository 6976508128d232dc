#ifndef BASE_DIR_H
#define BASE_DIR_H

/*
 * Directories that are listed.
 */

#include <dirent.h>

/* To be closed by closedir(3).  Errors as io_open(). */
int dir_open(int at, const char *name, DIR **out);

#endif
