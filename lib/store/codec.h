#ifndef STORE_CODEC_H
#define STORE_CODEC_H

/*
 * The compression codecs of record batches (attributes bits 0 to 2; KIP-110
 * for zstd).  Each library is loaded when its codec is first used, so that a
 * program that compresses nothing does not pay for it at start-up.
 *
 *	none
 *	gzip	one RFC 1952 member is written; several are read
 *	snappy	written in Java's framing (magic 82 'SNAPPY' 00, two versions,
 *		blocks of up to 32 KiB of input behind a 4-byte length);
 *		that and one raw block are read
 *	lz4	LZ4 frame: independent blocks of 64 KiB, no checksums but the
 *		header's
 *	zstd	one frame
 */

#include <stddef.h>
#include <stdint.h>

struct buf;

enum codec {
	CODEC_NONE = 0,
	CODEC_GZIP = 1,
	CODEC_SNAPPY = 2,
	CODEC_LZ4 = 3,
	CODEC_ZSTD = 4,
	CODEC_COUNT,
};

/* "zstd"; for an unknown number "?". */
const char *codec_name(enum codec c);
/*
 * NAME or NAME:LEVEL.  *level is INT_MIN if none was given: the library's
 * default.  gzip takes 1 to 9, zstd -131072 to 22, lz4 1 to 12 (from 3 on
 * its slower compressor), the others none.
 * STATUS_SYNTAX for an unknown name, ERANGE for a level outside.
 */
int codec_parse(const char *s, enum codec *c, int *level);

/*
 * Append the compressed form of in[0..len) to out.
 * STATUS_CODEC if the library is not there, ENOMEM, STATUS_TOO_BIG if out
 * may not grow that far.
 */
int codec_compress(enum codec c, int level, const void *in, size_t len,
    struct buf *out);
/*
 * Append the decompressed form to out, which bounds it (STATUS_TOO_BIG).
 * STATUS_CORRUPT if in is not of that codec, ends early or has bytes left
 * over.
 */
int codec_decompress(enum codec c, const void *in, size_t len, struct buf *out);

#endif
