#ifndef TOOL_CURSOR_H
#define TOOL_CURSOR_H

/*
 * A cursor file: how far a reader has come, a line per partition,
 *
 *	TOPIC PARTITION OFFSET ID
 *
 * where OFFSET is that of the next record and ID the topic's id, which tells
 * topics of one name apart, in other directories or made anew.  A directory
 * that has none has no ID; a line without one is good for any of that name.
 * The file is replaced as a whole, and durably; a symbolic link stays.  Lines
 * of other topics stay.
 */

#include <stddef.h>
#include <stdint.h>

#include "store/topic.h"

struct cursor_entry {
	char *topic;
	char id[TOPIC_ID_LEN + 1];
	int32_t partition;
	int64_t offset;
};

struct cursor {
	struct cursor_entry *entries;	/* owned */
	size_t count;
};

void cursor_init(struct cursor *c);
void cursor_release(struct cursor *c);
/* A missing file is an empty one.  STATUS_SYNTAX: not a cursor file. */
int cursor_read(struct cursor *c, const char *path);
int cursor_write(const struct cursor *c, const char *path);
/* The stored offset, -1 if there is none. */
int64_t cursor_get(const struct cursor *c, const char *topic, const char *id,
    int32_t partition);
int cursor_set(struct cursor *c, const char *topic, const char *id,
    int32_t partition, int64_t offset);
/* Could it be written?  As far as looking tells; errno. */
int cursor_may_write(const char *path);

#endif
