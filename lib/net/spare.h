#ifndef NET_SPARE_H
#define NET_SPARE_H

/*
 * Memory for frames.  Large pieces that are freed are kept for the next frame
 * of about that size, up to a bound: from the system each page of them would
 * come zeroed and by a fault of its own, which costs more than to read a frame
 * into it.  The piece that was freed last is given out first, as a cache may
 * still have it.
 *
 * From any thread; all threads share what is kept.
 */

#include <stddef.h>
#include <stdint.h>

enum {
	SPARE_BYTES_MIN = 64 << 10,	/* of a piece that is kept */
	SPARE_BYTES_MAX = 32 << 20,	/* of all that are */
};

/* len bytes of any contents; NULL: there is no memory. */
uint8_t *spare_new(size_t len);
/* NULL is nothing. */
void spare_free(uint8_t *p);

/* Bytes that are kept; and to keep them no more. */
size_t spare_kept(void);
void spare_release(void);
/*
 * Give back what was not needed since this was called last: so that memory goes
 * some time after the rush that asked for it.
 */
void spare_trim(void);

#endif
