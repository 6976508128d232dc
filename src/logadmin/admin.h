#ifndef LOGADMIN_ADMIN_H
#define LOGADMIN_ADMIN_H

/*
 * What logadmin's verbs have in common.  Each gets the words behind it and
 * returns an exit status; it has told what is wrong.
 */

#include <stdbool.h>

#include "base/parse.h"
#include "store/topic.h"
#include "tool/places.h"

struct admin_options {
	bool json;
	bool dry_run;
	const char *position;		/* -o */
	struct partition_list partitions;
	struct places *places;		/* -b --config --timeout */
};

typedef int admin_verb(const struct admin_options *o, char **words);

admin_verb topics_ls, topics_describe, topics_set, topics_rm, topics_promote,
    topics_demote;
admin_verb groups_ls, groups_describe, groups_seek, groups_rm;

/* Open a whole topic that words[0] names; tells what is wrong. */
int admin_locate(const char *path, struct topic_place *place);
/*
 * Call fn for the topic that path is, or for each in it if it is a root.  The
 * worst of the statuses.
 */
int admin_each(const char *path,
    int (*fn)(const char *path, struct topic_place *place, void *arg),
    void *arg);

#endif
