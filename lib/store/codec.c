#include "store/codec.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <lz4frame.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/status.h"

/*
 * 1. Only the headers of the libraries are used at build time; their code is
 *    loaded when a codec is first used, and stays.
 * 2. A thread's contexts live until the thread ends.
 * 3. Decompressing never asks for memory that the input has not earned: the
 *    buffer starts at a few times the input and doubles as bytes come out.
 */

enum {
	/* The longest input or output: the libraries count in 32 bits. */
	LEN_MAX = INT32_MAX,
	/* Room that a streaming decoder is given at least. */
	ROOM_MIN = 64 << 10,
	/* A zstd decoder that holds more is not kept: windows reach 128 MiB. */
	ZSTD_KEEP_MAX = 16 << 20,
	/* Java's framing of snappy: header, then blocks behind their length. */
	XERIAL_MAGIC_LEN = 8,
	XERIAL_HEADER_LEN = 16,
	XERIAL_BLOCK_LEN = 32 << 10,
	XERIAL_BLOCK_PACKED_MAX = 32 + XERIAL_BLOCK_LEN + XERIAL_BLOCK_LEN / 6,
	/* No snappy element makes more than 64 bytes out of 3. */
	SNAPPY_RATIO_MAX = 22,
	/* FLG bits of an LZ4 frame that nobody sets: dictionary, reserved */
	LZ4_FLAGS_REFUSED = 0x03,
	LZ4_MAGIC_LEN = 4,
	LZ4_HEADER_MIN = 7,
	GZIP_WINDOW_BITS = 15 + 16,
	GZIP_MEMORY_LEVEL = 8,
};

static const uint8_t xerial_header[XERIAL_HEADER_LEN] = {0x82, 'S', 'N', 'A',
    'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
static const uint8_t lz4_magic[LZ4_MAGIC_LEN] = {0x04, 0x22, 0x4d, 0x18};

/*
 * The functions that are looked up, with the types the headers give them.
 */
static struct {
	__typeof__(deflateInit2_) *deflateInit2_;
	__typeof__(deflate) *deflate;
	__typeof__(deflateBound) *deflateBound;
	__typeof__(deflateReset) *deflateReset;
	__typeof__(deflateEnd) *deflateEnd;
	__typeof__(inflateInit2_) *inflateInit2_;
	__typeof__(inflate) *inflate;
	__typeof__(inflateReset) *inflateReset;
	__typeof__(inflateEnd) *inflateEnd;
} zlib;

static struct {
	__typeof__(snappy_compress) *compress;
	__typeof__(snappy_uncompress) *uncompress;
	__typeof__(snappy_uncompressed_length) *uncompressed_length;
} snappy;

static struct {
	__typeof__(LZ4F_isError) *isError;
	__typeof__(LZ4F_compressFrameBound) *compressFrameBound;
	__typeof__(LZ4F_compressFrame) *compressFrame;
	__typeof__(LZ4F_createDecompressionContext) *createContext;
	__typeof__(LZ4F_freeDecompressionContext) *freeContext;
	__typeof__(LZ4F_resetDecompressionContext) *resetContext;
	__typeof__(LZ4F_decompress) *decompress;
} lz4;

static struct {
	__typeof__(ZSTD_isError) *isError;
	__typeof__(ZSTD_compressBound) *compressBound;
	__typeof__(ZSTD_createCCtx) *createCCtx;
	__typeof__(ZSTD_freeCCtx) *freeCCtx;
	__typeof__(ZSTD_CCtx_setParameter) *setParameter;
	__typeof__(ZSTD_compress2) *compress2;
	__typeof__(ZSTD_createDCtx) *createDCtx;
	__typeof__(ZSTD_freeDCtx) *freeDCtx;
	__typeof__(ZSTD_sizeof_DCtx) *sizeof_DCtx;
	__typeof__(ZSTD_DCtx_reset) *resetDCtx;
	__typeof__(ZSTD_decompressStream) *decompressStream;
} zstd;

struct symbol {
	void *slot; /* a function pointer above */
	const char *name;
};

static const struct symbol zlib_symbols[] = {
    {&zlib.deflateInit2_, "deflateInit2_"},
    {&zlib.deflate, "deflate"},
    {&zlib.deflateBound, "deflateBound"},
    {&zlib.deflateReset, "deflateReset"},
    {&zlib.deflateEnd, "deflateEnd"},
    {&zlib.inflateInit2_, "inflateInit2_"},
    {&zlib.inflate, "inflate"},
    {&zlib.inflateReset, "inflateReset"},
    {&zlib.inflateEnd, "inflateEnd"},
    {NULL, NULL},
};

static const struct symbol snappy_symbols[] = {
    {&snappy.compress, "snappy_compress"},
    {&snappy.uncompress, "snappy_uncompress"},
    {&snappy.uncompressed_length, "snappy_uncompressed_length"},
    {NULL, NULL},
};

static const struct symbol lz4_symbols[] = {
    {&lz4.isError, "LZ4F_isError"},
    {&lz4.compressFrameBound, "LZ4F_compressFrameBound"},
    {&lz4.compressFrame, "LZ4F_compressFrame"},
    {&lz4.createContext, "LZ4F_createDecompressionContext"},
    {&lz4.freeContext, "LZ4F_freeDecompressionContext"},
    {&lz4.resetContext, "LZ4F_resetDecompressionContext"},
    {&lz4.decompress, "LZ4F_decompress"},
    {NULL, NULL},
};

static const struct symbol zstd_symbols[] = {
    {&zstd.isError, "ZSTD_isError"},
    {&zstd.compressBound, "ZSTD_compressBound"},
    {&zstd.createCCtx, "ZSTD_createCCtx"},
    {&zstd.freeCCtx, "ZSTD_freeCCtx"},
    {&zstd.setParameter, "ZSTD_CCtx_setParameter"},
    {&zstd.compress2, "ZSTD_compress2"},
    {&zstd.createDCtx, "ZSTD_createDCtx"},
    {&zstd.freeDCtx, "ZSTD_freeDCtx"},
    {&zstd.sizeof_DCtx, "ZSTD_sizeof_DCtx"},
    {&zstd.resetDCtx, "ZSTD_DCtx_reset"},
    {&zstd.decompressStream, "ZSTD_decompressStream"},
    {NULL, NULL},
};

/* What a thread keeps between calls. */
struct contexts {
	z_stream deflate;
	int deflate_level;
	bool has_deflate;
	z_stream inflate;
	bool has_inflate;
	LZ4F_dctx *lz4;
	ZSTD_CCtx *zstd_c;
	ZSTD_DCtx *zstd_d;
};

static const struct {
	const char *name;
	int level_min; /* no levels: min above max */
	int level_max;
} codecs[CODEC_COUNT] = {
    [CODEC_NONE] = {"none", 1, 0},
    [CODEC_GZIP] = {"gzip", 1, 9},
    [CODEC_SNAPPY] = {"snappy", 1, 0},
    [CODEC_LZ4] = {"lz4", 1, 12},
    [CODEC_ZSTD] = {"zstd", -131072, 22},
};

static pthread_once_t loaded_once[CODEC_COUNT] = {PTHREAD_ONCE_INIT,
    PTHREAD_ONCE_INIT, PTHREAD_ONCE_INIT, PTHREAD_ONCE_INIT, PTHREAD_ONCE_INIT};
static bool loaded[CODEC_COUNT];

static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;
static int contexts_key_rc;
static _Thread_local struct contexts *contexts;

static int load(enum codec c);
static int contexts_get(struct contexts **out);
static int gzip_compress(int level, const void *in, size_t len,
    struct buf *out);
static int gzip_decompress(const void *in, size_t len, struct buf *out);
static int snappy_pack(const uint8_t *in, size_t len, struct buf *out);
static int snappy_unpack(const uint8_t *in, size_t len, struct buf *out);
static int lz4_compress(int level, const void *in, size_t len, struct buf *out);
static int lz4_decompress(const uint8_t *in, size_t len, struct buf *out);
static int zstd_compress(int level, const void *in, size_t len,
    struct buf *out);
static int zstd_decompress(const void *in, size_t len, struct buf *out);

const char *
codec_name(enum codec c)
{
	if ((unsigned)c >= CODEC_COUNT)
		return "?";
	return codecs[c].name;
}

int
codec_parse(const char *s, enum codec *c, int *level)
{
	size_t len = strcspn(s, ":");
	int64_t n;
	int rc;

	for (int i = 0; i < CODEC_COUNT; i++) {
		if (strlen(codecs[i].name) != len ||
		    strncmp(s, codecs[i].name, len) != 0)
			continue;
		n = INT_MIN;
		if (s[len] == ':') {
			rc = parse_int(s + len + 1, INT_MIN, INT_MAX, &n);
			if (rc != 0)
				return rc;
			if (n < codecs[i].level_min || n > codecs[i].level_max)
				return ERANGE;
		}
		*c = (enum codec)i;
		*level = (int)n;
		return 0;
	}
	return STATUS_SYNTAX;
}

int
codec_compress(enum codec c, int level, const void *in, size_t len,
    struct buf *out)
{
	size_t start = out->len;
	int rc;

	if (len > LEN_MAX)
		return STATUS_TOO_BIG;
	rc = load(c);
	if (rc != 0)
		return rc;
	if (c == CODEC_GZIP)
		rc = gzip_compress(level, in, len, out);
	else if (c == CODEC_SNAPPY)
		rc = snappy_pack(in, len, out);
	else if (c == CODEC_LZ4)
		rc = lz4_compress(level, in, len, out);
	else if (c == CODEC_ZSTD)
		rc = zstd_compress(level, in, len, out);
	else
		rc = buf_add(out, in, len);
	if (rc != 0)
		out->len = start;
	return rc;
}

int
codec_decompress(enum codec c, const void *in, size_t len, struct buf *out)
{
	size_t start = out->len;
	int rc;

	if (len > LEN_MAX)
		return STATUS_TOO_BIG;
	rc = load(c);
	if (rc != 0)
		return rc;
	if (c == CODEC_NONE)
		rc = buf_add(out, in, len);
	else if (len == 0)
		rc = STATUS_CORRUPT;
	else if (c == CODEC_GZIP)
		rc = gzip_decompress(in, len, out);
	else if (c == CODEC_SNAPPY)
		rc = snappy_unpack(in, len, out);
	else if (c == CODEC_LZ4)
		rc = lz4_decompress(in, len, out);
	else
		rc = zstd_decompress(in, len, out);
	if (rc != 0)
		out->len = start;
	return rc;
}

/*
 * Loading.
 */

static bool
load_library(const char *file, const struct symbol *s)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (handle == NULL)
		return false;
	for (; s->slot != NULL; s++) {
		void *symbol = dlsym(handle, s->name);

		if (symbol == NULL) {
			dlclose(handle);
			return false;
		}
		memcpy(s->slot, &symbol, sizeof(symbol));
	}
	return true;
}

static void
load_none(void)
{
	loaded[CODEC_NONE] = true;
}

static void
load_gzip(void)
{
	loaded[CODEC_GZIP] = load_library("libz.so.1", zlib_symbols);
}

static void
load_snappy(void)
{
	loaded[CODEC_SNAPPY] = load_library("libsnappy.so.1", snappy_symbols);
}

static void
load_lz4(void)
{
	loaded[CODEC_LZ4] = load_library("liblz4.so.1", lz4_symbols);
}

static void
load_zstd(void)
{
	loaded[CODEC_ZSTD] = load_library("libzstd.so.1", zstd_symbols);
}

static int
load(enum codec c)
{
	static void (*const loaders[CODEC_COUNT])(void) = {
	    [CODEC_NONE] = load_none,
	    [CODEC_GZIP] = load_gzip,
	    [CODEC_SNAPPY] = load_snappy,
	    [CODEC_LZ4] = load_lz4,
	    [CODEC_ZSTD] = load_zstd,
	};

	if ((unsigned)c >= CODEC_COUNT)
		return STATUS_UNSUPPORTED;
	pthread_once(&loaded_once[c], loaders[c]);
	return loaded[c] ? 0 : STATUS_CODEC;
}

/*
 * Contexts.
 */

static void
contexts_free(void *arg)
{
	struct contexts *ctx = arg;

	if (ctx->has_deflate)
		zlib.deflateEnd(&ctx->deflate);
	if (ctx->has_inflate)
		zlib.inflateEnd(&ctx->inflate);
	if (ctx->lz4 != NULL)
		lz4.freeContext(ctx->lz4);
	if (ctx->zstd_c != NULL)
		zstd.freeCCtx(ctx->zstd_c);
	if (ctx->zstd_d != NULL)
		zstd.freeDCtx(ctx->zstd_d);
	free(ctx);
	contexts = NULL;
}

static void
contexts_init_key(void)
{
	contexts_key_rc = pthread_key_create(&contexts_key, contexts_free);
}

static int
contexts_get(struct contexts **out)
{
	struct contexts *ctx = contexts;
	int rc;

	if (ctx == NULL) {
		pthread_once(&contexts_once, contexts_init_key);
		if (contexts_key_rc != 0)
			return contexts_key_rc;
		ctx = calloc(1, sizeof(*ctx));
		if (ctx == NULL)
			return ENOMEM;
		rc = pthread_setspecific(contexts_key, ctx);
		if (rc != 0) {
			free(ctx);
			return rc;
		}
		contexts = ctx;
	}
	*out = ctx;
	return 0;
}

/*
 * Room for a decoder's output: what is left of out, made larger if that is
 * little.  Once out is full, one byte outside it: a decoder that writes there
 * has too much to say, one that does not may find its end.
 */
struct room {
	uint8_t *data;
	size_t len;
	bool beyond;
	uint8_t spare;
};

static int
room_open(struct buf *out, size_t want, struct room *r)
{
	size_t left = out->max - out->len;
	int rc;

	if (left == 0) {
		r->data = &r->spare;
		r->len = 1;
		r->beyond = true;
		return 0;
	}
	if (want < ROOM_MIN)
		want = ROOM_MIN;
	rc = buf_reserve(out, want < left ? want : left);
	if (rc != 0)
		return rc;
	r->data = out->data + out->len;
	r->len = out->cap - out->len;
	if (r->len > LEN_MAX)
		r->len = LEN_MAX;
	r->beyond = false;
	return 0;
}

/* Count what was written to the room. */
static int
room_close(struct buf *out, struct room *r, size_t used)
{
	if (used > 0 && r->beyond)
		return STATUS_TOO_BIG;
	if (!r->beyond)
		out->len += used;
	return 0;
}

/* The first guess at how much comes out of len bytes. */
static size_t
room_guess(size_t len)
{
	return 4 * len;
}

/*
 * Room for an encoder that stops by itself where the room ends: bound, or all
 * that out may take.
 */
static int
room_for_encoder(struct buf *out, size_t bound, size_t *len)
{
	size_t left = out->max - out->len;
	int rc;

	if (bound > left)
		bound = left;
	if (bound == 0)
		return STATUS_TOO_BIG;
	rc = buf_reserve(out, bound);
	if (rc == 0)
		*len = bound;
	return rc;
}

/*
 * gzip
 */

static int
gzip_deflater(int level, z_stream **out)
{
	struct contexts *ctx;
	z_stream *z;
	int rc = contexts_get(&ctx);

	if (rc != 0)
		return rc;
	z = &ctx->deflate;
	if (ctx->has_deflate && ctx->deflate_level == level &&
	    zlib.deflateReset(z) == Z_OK) {
		*out = z;
		return 0;
	}
	if (ctx->has_deflate)
		zlib.deflateEnd(z);
	*z = (z_stream){.next_in = NULL};
	rc = zlib.deflateInit2_(z, level, Z_DEFLATED, GZIP_WINDOW_BITS,
	    GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
	    (int)sizeof(*z));
	ctx->has_deflate = rc == Z_OK;
	ctx->deflate_level = level;
	*out = z;
	if (rc == Z_OK)
		return 0;
	return rc == Z_MEM_ERROR ? ENOMEM : EINVAL;
}

static int
gzip_compress(int level, const void *in, size_t len, struct buf *out)
{
	z_stream *z;
	size_t room;
	int rc =
	    gzip_deflater(level == INT_MIN ? Z_DEFAULT_COMPRESSION : level, &z);

	if (rc != 0)
		return rc;
	rc = room_for_encoder(out, zlib.deflateBound(z, len), &room);
	if (rc != 0)
		return rc;
	z->next_in = (z_const Bytef *)(uintptr_t)in;
	z->avail_in = (uInt)len;
	z->next_out = out->data + out->len;
	z->avail_out = (uInt)room;
	if (zlib.deflate(z, Z_FINISH) != Z_STREAM_END)
		return STATUS_TOO_BIG;
	out->len += room - z->avail_out;
	return 0;
}

static int
gzip_inflater(z_stream **out)
{
	struct contexts *ctx;
	z_stream *z;
	int rc = contexts_get(&ctx);

	if (rc != 0)
		return rc;
	z = &ctx->inflate;
	*out = z;
	if (ctx->has_inflate && zlib.inflateReset(z) == Z_OK)
		return 0;
	*z = (z_stream){.next_in = NULL};
	if (zlib.inflateInit2_(z, GZIP_WINDOW_BITS, ZLIB_VERSION,
		(int)sizeof(*z)) != Z_OK)
		return ENOMEM;
	ctx->has_inflate = true;
	return 0;
}

/* One step; *end is set when the last member is complete. */
static int
gzip_step(z_stream *z, size_t want, struct buf *out, bool *end)
{
	struct room r;
	int rc = room_open(out, want, &r), z_rc;

	if (rc != 0)
		return rc;
	z->next_out = r.data;
	z->avail_out = (uInt)r.len;
	z_rc = zlib.inflate(z, Z_NO_FLUSH);
	rc = room_close(out, &r, r.len - z->avail_out);
	if (rc != 0)
		return rc;
	if (z_rc == Z_MEM_ERROR)
		return ENOMEM;
	if (z_rc == Z_STREAM_END) {
		*end = z->avail_in == 0;
		if (!*end && zlib.inflateReset(z) != Z_OK)
			return STATUS_CORRUPT;
		return 0;
	}
	/* All was taken and it wants more: cut short. */
	if (z_rc == Z_OK && (z->avail_in > 0 || z->avail_out == 0))
		return 0;
	return STATUS_CORRUPT;
}

static int
gzip_decompress(const void *in, size_t len, struct buf *out)
{
	z_stream *z;
	bool end = false;
	int rc = gzip_inflater(&z);

	if (rc != 0)
		return rc;
	z->next_in = (z_const Bytef *)(uintptr_t)in;
	z->avail_in = (uInt)len;
	for (size_t want = room_guess(len); rc == 0 && !end; want = 0)
		rc = gzip_step(z, want, out, &end);
	return rc;
}

/*
 * snappy
 */

static int
snappy_pack(const uint8_t *in, size_t len, struct buf *out)
{
	char packed[XERIAL_BLOCK_PACKED_MAX];
	int rc = buf_add(out, xerial_header, sizeof(xerial_header));

	while (rc == 0 && len > 0) {
		size_t part = len < XERIAL_BLOCK_LEN ? len : XERIAL_BLOCK_LEN;
		size_t packed_len = sizeof(packed);

		if (snappy.compress((const char *)in, part, packed,
			&packed_len) != SNAPPY_OK)
			return EINVAL;
		rc = buf_add_32(out, (uint32_t)packed_len);
		if (rc == 0)
			rc = buf_add(out, packed, packed_len);
		in += part;
		len -= part;
	}
	return rc;
}

/* One raw block. */
static int
snappy_unpack_block(const uint8_t *in, size_t len, struct buf *out)
{
	size_t size;
	int rc;

	if (snappy.uncompressed_length((const char *)in, len, &size) !=
	    SNAPPY_OK)
		return STATUS_CORRUPT;
	if (size > out->max - out->len)
		return STATUS_TOO_BIG;
	if (size / SNAPPY_RATIO_MAX > len)
		return STATUS_CORRUPT;
	rc = buf_reserve(out, size);
	if (rc != 0)
		return rc;
	if (size == 0)
		return len == 1 ? 0 : STATUS_CORRUPT;
	if (snappy.uncompress((const char *)in, len,
		(char *)out->data + out->len, &size) != SNAPPY_OK)
		return STATUS_CORRUPT;
	out->len += size;
	return 0;
}

/* The versions behind the magic tell readers nothing and are skipped. */
static bool
xerial_header_at(const uint8_t *p, const uint8_t *end)
{
	return end - p >= XERIAL_HEADER_LEN &&
	    memcmp(p, xerial_header, XERIAL_MAGIC_LEN) == 0;
}

static int
snappy_unpack(const uint8_t *in, size_t len, struct buf *out)
{
	const uint8_t *end = in + len;
	int rc = 0;

	if (!xerial_header_at(in, end))
		return snappy_unpack_block(in, len, out);
	while (rc == 0 && in < end) {
		size_t block;

		/* A header in the middle: streams put one behind another. */
		if (xerial_header_at(in, end)) {
			in += XERIAL_HEADER_LEN;
			continue;
		}
		if (end - in < 4)
			return STATUS_CORRUPT;
		block = buf_get_32(in);
		in += 4;
		if (block > (size_t)(end - in))
			return STATUS_CORRUPT;
		rc = snappy_unpack_block(in, block, out);
		in += block;
	}
	return rc;
}

/*
 * LZ4 frames
 */

static int
lz4_compress(int level, const void *in, size_t len, struct buf *out)
{
	LZ4F_preferences_t prefs = {
	    .frameInfo = {.blockSizeID = LZ4F_max64KB,
		.blockMode = LZ4F_blockIndependent},
	    .compressionLevel = level == INT_MIN ? 0 : level,
	};
	size_t bound = lz4.compressFrameBound(len, &prefs), size;
	uint8_t *own = NULL;
	int rc;

	/*
	 * The library insists on room for the worst case.  If out may not grow
	 * that far, memory of our own takes the result, which may still fit.
	 */
	rc = buf_reserve(out, bound);
	if (rc == STATUS_TOO_BIG) {
		own = malloc(bound);
		rc = own == NULL ? ENOMEM : 0;
	}
	if (rc != 0)
		return rc;
	size = lz4.compressFrame(own != NULL ? own : out->data + out->len,
	    bound, in, len, &prefs);
	if (lz4.isError(size))
		rc = ENOMEM;
	else if (own != NULL)
		rc = buf_add(out, own, size);
	else
		out->len += size;
	free(own);
	return rc;
}

/* A decoder at its beginning. */
static int
lz4_decoder(LZ4F_dctx **out)
{
	struct contexts *ctx;
	int rc = contexts_get(&ctx);

	if (rc != 0)
		return rc;
	if (ctx->lz4 == NULL &&
	    lz4.isError(lz4.createContext(&ctx->lz4, LZ4F_VERSION))) {
		ctx->lz4 = NULL;
		return ENOMEM;
	}
	lz4.resetContext(ctx->lz4);
	*out = ctx->lz4;
	return 0;
}

/* One frame, all of it, with d. */
static int
lz4_unpack(LZ4F_dctx *d, const uint8_t *in, size_t len, struct buf *out)
{
	size_t want = room_guess(len), hint = 1;
	int rc = 0;

	while (rc == 0 && hint != 0) {
		struct room r;
		size_t used, taken = len;

		rc = room_open(out, want, &r);
		if (rc != 0)
			return rc;
		used = r.len;
		hint = lz4.decompress(d, r.data, &used, in, &taken, NULL);
		if (lz4.isError(hint))
			return STATUS_CORRUPT;
		in += taken;
		len -= taken;
		rc = room_close(out, &r, used);
		/* Room left, input gone, and it wants more: cut short. */
		if (rc == 0 && hint != 0 && len == 0 && used < r.len)
			return STATUS_CORRUPT;
		want = 0;
	}
	if (rc == 0 && len > 0)
		rc = STATUS_CORRUPT;
	return rc;
}

static int
lz4_decompress(const uint8_t *in, size_t len, struct buf *out)
{
	struct contexts *ctx;
	LZ4F_dctx *d;
	int rc;

	if (len < LZ4_HEADER_MIN || memcmp(in, lz4_magic, LZ4_MAGIC_LEN) != 0 ||
	    (in[LZ4_MAGIC_LEN] & LZ4_FLAGS_REFUSED) != 0)
		return STATUS_CORRUPT;
	rc = lz4_decoder(&d);
	if (rc != 0)
		return rc;
	rc = lz4_unpack(d, in, len, out);
	/*
	 * A reset does not forget the size that a frame has announced (1.9.4):
	 * the next one, which does not, would be found wrong.
	 */
	if (rc != 0 && contexts_get(&ctx) == 0) {
		lz4.freeContext(ctx->lz4);
		ctx->lz4 = NULL;
	}
	return rc;
}

/*
 * zstd
 */

/* By way of memory of our own: the result fits where its worst case did not. */
static int
zstd_compress_apart(ZSTD_CCtx *c, const void *in, size_t len, size_t bound,
    struct buf *out)
{
	uint8_t *own = malloc(bound);
	size_t size;
	int rc = ENOMEM;

	if (own == NULL)
		return ENOMEM;
	size = zstd.compress2(c, own, bound, in, len);
	if (!zstd.isError(size))
		rc = buf_add(out, own, size);
	free(own);
	return rc;
}

static int
zstd_compress(int level, const void *in, size_t len, struct buf *out)
{
	struct contexts *ctx;
	size_t bound = zstd.compressBound(len), room, size;
	int rc = contexts_get(&ctx);

	if (rc != 0)
		return rc;
	if (ctx->zstd_c == NULL)
		ctx->zstd_c = zstd.createCCtx();
	if (ctx->zstd_c == NULL)
		return ENOMEM;
	if (zstd.isError(zstd.setParameter(ctx->zstd_c, ZSTD_c_compressionLevel,
		level == INT_MIN ? ZSTD_CLEVEL_DEFAULT : level)))
		return EINVAL;
	rc = room_for_encoder(out, bound, &room);
	if (rc != 0)
		return rc;
	size = zstd.compress2(ctx->zstd_c, out->data + out->len, room, in, len);
	if (!zstd.isError(size)) {
		out->len += size;
		return 0;
	}
	if (room == bound)
		return ENOMEM;
	return zstd_compress_apart(ctx->zstd_c, in, len, bound, out);
}

static int
zstd_decoder(struct contexts *ctx)
{
	if (ctx->zstd_d == NULL)
		ctx->zstd_d = zstd.createDCtx();
	if (ctx->zstd_d == NULL)
		return ENOMEM;
	zstd.resetDCtx(ctx->zstd_d, ZSTD_reset_session_only);
	return 0;
}

/* One step; *end is set when the last frame is complete. */
static int
zstd_step(ZSTD_DCtx *d, ZSTD_inBuffer *in, size_t want, struct buf *out,
    bool *end)
{
	struct room r;
	ZSTD_outBuffer o = {NULL, 0, 0};
	size_t hint;
	int rc = room_open(out, want, &r);

	if (rc != 0)
		return rc;
	o.dst = r.data;
	o.size = r.len;
	hint = zstd.decompressStream(d, &o, in);
	if (zstd.isError(hint))
		return STATUS_CORRUPT;
	rc = room_close(out, &r, o.pos);
	if (rc != 0)
		return rc;
	*end = hint == 0 && in->pos == in->size;
	/* Room left, input gone, and it wants more: cut short. */
	if (!*end && in->pos == in->size && o.pos < o.size)
		return STATUS_CORRUPT;
	return 0;
}

static int
zstd_decompress(const void *in, size_t len, struct buf *out)
{
	struct contexts *ctx;
	ZSTD_inBuffer i = {in, len, 0};
	bool end = false;
	int rc = contexts_get(&ctx);

	if (rc == 0)
		rc = zstd_decoder(ctx);
	if (rc != 0)
		return rc;
	for (size_t want = room_guess(len); rc == 0 && !end; want = 0)
		rc = zstd_step(ctx->zstd_d, &i, want, out, &end);
	if (zstd.sizeof_DCtx(ctx->zstd_d) > ZSTD_KEEP_MAX) {
		zstd.freeDCtx(ctx->zstd_d);
		ctx->zstd_d = NULL;
	}
	return rc;
}
