#include "store/codec_impl.h"

#include <errno.h>
#include <limits.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* FLG bits of an LZ4 frame that nobody sets: dictionary, reserved */
	LZ4_FLAGS_REFUSED = 0x03,
	LZ4_MAGIC_LEN = 4,
	LZ4_HEADER_MIN = 7,
};

static const uint8_t lz4_magic[LZ4_MAGIC_LEN] = {0x04, 0x22, 0x4d, 0x18};

static struct {
	__typeof__(LZ4F_isError) *isError;
	__typeof__(LZ4F_compressFrameBound) *compressFrameBound;
	__typeof__(LZ4F_compressFrame) *compressFrame;
	__typeof__(LZ4F_createDecompressionContext) *createContext;
	__typeof__(LZ4F_freeDecompressionContext) *freeContext;
	__typeof__(LZ4F_resetDecompressionContext) *resetContext;
	__typeof__(LZ4F_decompress) *decompress;
} lz4;

static const struct library_symbol lz4_symbols[] = {
    {&lz4.isError, "LZ4F_isError"},
    {&lz4.compressFrameBound, "LZ4F_compressFrameBound"},
    {&lz4.compressFrame, "LZ4F_compressFrame"},
    {&lz4.createContext, "LZ4F_createDecompressionContext"},
    {&lz4.freeContext, "LZ4F_freeDecompressionContext"},
    {&lz4.resetContext, "LZ4F_resetDecompressionContext"},
    {&lz4.decompress, "LZ4F_decompress"},
    {NULL, NULL},
};

struct context {
	LZ4F_dctx *decoder;
};

static int
lz4_compress(int level, const uint8_t *in, size_t len, struct buf *out)
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
	struct context *ctx;
	int rc = codec_context(CODEC_LZ4, &ctx);

	if (rc != 0)
		return rc;
	if (ctx->decoder == NULL &&
	    lz4.isError(lz4.createContext(&ctx->decoder, LZ4F_VERSION))) {
		ctx->decoder = NULL;
		return ENOMEM;
	}
	lz4.resetContext(ctx->decoder);
	*out = ctx->decoder;
	return 0;
}

/* One frame, all of it, with d. */
static int
lz4_unpack(LZ4F_dctx *d, const uint8_t *in, size_t len, struct buf *out)
{
	size_t want = codec_room_guess(len), hint = 1;
	int rc = 0;

	while (rc == 0 && hint != 0) {
		struct codec_room r;
		size_t used, taken = len;

		rc = codec_room_open(out, want, &r);
		if (rc != 0)
			return rc;
		used = r.len;
		hint = lz4.decompress(d, r.data, &used, in, &taken, NULL);
		if (lz4.isError(hint))
			return STATUS_CORRUPT;
		in += taken;
		len -= taken;
		rc = codec_room_close(out, &r, used);
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
	struct context *ctx;
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
	if (rc != 0 && codec_context(CODEC_LZ4, &ctx) == 0) {
		lz4.freeContext(ctx->decoder);
		ctx->decoder = NULL;
	}
	return rc;
}

static void
end_context(void *arg)
{
	struct context *ctx = arg;

	if (ctx->decoder != NULL)
		lz4.freeContext(ctx->decoder);
}

const struct codec_ops codec_lz4 = {
    .name = "lz4",
    .level_min = 1,
    .level_max = 12,
    .library = "liblz4.so.1",
    .symbols = lz4_symbols,
    .compress = lz4_compress,
    .decompress = lz4_decompress,
    .context_len = sizeof(struct context),
    .context_end = end_context,
};
