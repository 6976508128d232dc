#ifndef STORE_LOST_H
#define STORE_LOST_H

/*
 * lost+found/ in a partition's directory: bytes that are no part of the log any
 * more, kept for whoever wants to look at them.
 *
 *	BASE.log.POS.MS		bytes from position POS of a segment
 *	NAME.MS			a whole file
 *
 * MS is the wall clock in milliseconds, raised where the name is taken.
 */

#include <stdint.h>

struct partition;

#define LOST_DIR "lost+found"

enum { LOST_NAME_LEN = 80 };

/* Copy len bytes from pos of the segment's open file; durable. */
int lost_save(struct partition *p, int fd, int64_t base, int64_t pos,
    int64_t len, char saved[LOST_NAME_LEN]);
/* Move the file of that name there; durable.  ENOENT: there is none. */
int lost_move(struct partition *p, const char *name, char saved[LOST_NAME_LEN]);

#endif
