#ifndef STORE_ROOT_H
#define STORE_ROOT_H

/*
 * A root: a directory of topics, or of a Kafka broker's partitions.  Which of
 * its directories are topics is told by topic_locate().
 */

#include <stddef.h>

struct root_list {
	char **names;	/* owned, as each of them */
	size_t count;
};

/*
 * The directories in path whose names may be those of topics and do not begin
 * with a dot, in the order of strverscmp(3).  ENOENT, ENOTDIR, EACCES...
 */
int root_read(const char *path, struct root_list *l);
void root_list_release(struct root_list *l);

enum root_stand {
	ROOT_IS,		/* a directory that is no topic */
	/*
	 * The same, with nothing in it but hidden names and lost+found, and
	 * not in a topic itself: so one that is to be filled.
	 */
	ROOT_EMPTY,
	ROOT_MISSING,		/* nothing; what it would be in is there */
	ROOT_NOT,		/* a topic, a part of one, a file */
};

/* What stands at path?  ENOENT: not even what it would be in.  EACCES... */
int root_look(const char *path, enum root_stand *out);
/* Make it, for good.  One that is there is not an error. */
int root_make(const char *path);

/*
 * Remove what removals of topics that were interrupted have left, as far as
 * that can be done.  One that is in work loses nothing by it.
 */
void root_sweep(const char *path);

#endif
