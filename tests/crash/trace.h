#ifndef TRACE_H
#define TRACE_H

/*
 * What record_preload.so writes of a program's calls that change files, for
 * power_test: entries one behind the other, each a header, then name_len bytes
 * of a name, then data_len of data.  A call's entry is written when it is
 * done; of a sync there is one before it, too.
 */

#include <stdint.h>

enum trace_kind {
	TRACE_CREATE = 1,	/* dir, name, inode: a file */
	TRACE_MKDIR,		/* dir, name, inode */
	TRACE_WRITE,		/* inode, pos, data */
	TRACE_TRUNCATE,		/* inode, pos: the size */
	TRACE_RENAME,		/* dir, name, dir2, data: the new name; inode */
	TRACE_UNLINK,		/* dir, name; also of directories */
	TRACE_SYNC_BEGIN,	/* inode, of a file or directory */
	TRACE_SYNC_END,		/* the same; it succeeded */
	TRACE_OUTPUT,		/* data to standard output */
	TRACE_MARK,		/* data: what the test says */
};

struct trace_entry {
	uint32_t kind;
	uint32_t writer;	/* $RECORD_WRITER of the process */
	uint32_t name_len;
	uint32_t data_len;
	uint64_t dir;		/* inodes */
	uint64_t dir2;
	uint64_t inode;
	int64_t pos;
};

#endif
