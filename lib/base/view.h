#ifndef BASE_VIEW_H
#define BASE_VIEW_H

/*
 * A bounded window on somebody else's bytes, big-endian.  A get that would
 * read past its end fails with STATUS_SHORT and moves nothing.
 */

#include <stddef.h>
#include <stdint.h>

struct view {
	const uint8_t *data;	/* not owned */
	size_t len;		/* bytes left */
};

/* Take the next bytes of v.  STATUS_SHORT if there are fewer. */
int view_get_8(struct view *v, uint8_t *out);
int view_get_16(struct view *v, uint16_t *out);
int view_get_32(struct view *v, uint32_t *out);
int view_get_64(struct view *v, uint64_t *out);
/* Take len bytes as a view of their own. */
int view_get(struct view *v, size_t len, struct view *out);

#endif
