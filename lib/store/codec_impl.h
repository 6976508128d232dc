#ifndef STORE_CODEC_IMPL_H
#define STORE_CODEC_IMPL_H

/*
 * One codec: codec_gzip.c, codec_snappy.c, codec_lz4.c, codec_zstd.c, which
 * codec.c makes one of.  Nobody else includes it.
 *
 * 1. Only the headers of the libraries are used at build time; their code is
 *    loaded when a codec is first used, and stays.
 * 2. A thread's contexts live until the thread ends.
 * 3. Decompressing never asks for memory that the input has not earned: the
 *    buffer starts at a few times the input and doubles as bytes come out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/library.h"
#include "base/status.h"
#include "store/codec.h"

enum {
	/* The longest input or output: the libraries count in 32 bits. */
	CODEC_LEN_MAX = INT32_MAX,
};

struct codec_ops {
	const char *name;
	int level_min;		/* no levels: min above max */
	int level_max;
	const char *library;	/* NULL: needs none */
	const struct library_symbol *symbols;
	/* As codec_compress(); on failure what was added is taken off. */
	int (*compress)(int level, const uint8_t *in, size_t len,
	    struct buf *out);
	/* len > 0. */
	int (*decompress)(const uint8_t *in, size_t len, struct buf *out);
	size_t context_len;	/* what a thread keeps between calls, or 0 */
	void (*context_end)(void *context);
};

extern const struct codec_ops codec_gzip;
extern const struct codec_ops codec_snappy;
extern const struct codec_ops codec_lz4;
extern const struct codec_ops codec_zstd;

/*
 * Let the pointer at out be what the thread keeps of that codec, all 0 at
 * first.  ENOMEM, EAGAIN.
 */
int codec_context(enum codec c, void *out);

/*
 * Room for a decoder's output: what is left of out, made larger if that is
 * little.  Once out is full, one byte outside it: a decoder that writes there
 * has too much to say, one that does not may find its end.
 */
struct codec_room {
	uint8_t *data;
	size_t len;
	bool beyond;
	uint8_t spare;
};

int codec_room_open(struct buf *out, size_t want, struct codec_room *r);
/* Count what was written to the room.  STATUS_TOO_BIG. */
int codec_room_close(struct buf *out, struct codec_room *r, size_t used);
/* The first guess at how much comes out of len bytes. */
size_t codec_room_guess(size_t len);
/*
 * Room for an encoder that stops by itself where the room ends: bound, or all
 * that out may take.
 */
int codec_room_encode(struct buf *out, size_t bound, size_t *len);

#endif
