#ifndef REPLICATE_DIGEST_H
#define REPLICATE_DIGEST_H

/*
 * A number that stands for the batches of a range of offsets: two sides that
 * have the same batches there get the same one, and two that do not get the
 * same with a chance of 2^-64.
 *
 * Over each batch in order: base offset, last offset, leader epoch, CRC, as in
 * the frame field "batch"; chained with SipHash-2-4, key 0, of which the low 64
 * bits count.  No batch at all: 0.
 */

#include <stdint.h>

#include "replicate/frame.h"

/* The digest with one batch more. */
uint64_t digest_add(uint64_t digest, const struct frame_batch *b);

#endif
