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

#endif
