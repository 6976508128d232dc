#ifndef LOGADMIN_REMOTE_H
#define LOGADMIN_REMOTE_H

/*
 * logadmin's verbs for a place in a cluster.  Each tells what is wrong, and
 * returns an exit status; listings have the columns of the verbs in topics.c
 * and groups.c.
 */

#include <stddef.h>

#include "admin.h"
#include "tool/listing.h"

int remote_topic_ls(const struct admin_options *o, const char *path,
    struct listing *l);
int remote_topic_describe(const struct admin_options *o, const char *path,
    struct listing *l);
/* *was and *is become what the settings were and are; name the topic's. */
int remote_topic_set(const struct admin_options *o, char **words,
    struct properties *was, struct properties *is,
    char name[TOPIC_NAME_MAX + 1]);
int remote_topic_rm(const struct admin_options *o, const char *path);

int remote_group_ls(const struct admin_options *o, const char *path,
    struct listing *l);
int remote_group_describe(const struct admin_options *o, const char *path,
    const char *group, struct listing *l, size_t *rows);
int remote_group_seek(const struct admin_options *o, const char *path,
    const char *group, const struct position *at, struct listing *l);
int remote_group_rm(const struct admin_options *o, const char *path,
    const char *group, struct listing *l);

#endif
