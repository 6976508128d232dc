#include "store/codec_impl.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zstd.h>

/* A decoder that holds more is not kept: windows reach 128 MiB. */
enum { ZSTD_KEEP_MAX = 16 << 20 };

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

static const struct library_symbol zstd_symbols[] = {
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

struct context {
	ZSTD_CCtx *encoder;
	ZSTD_DCtx *decoder;
};

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
zstd_compress(int level, const uint8_t *in, size_t len, struct buf *out)
{
	struct context *ctx;
	size_t bound = zstd.compressBound(len), room, size;
	int rc = codec_context(CODEC_ZSTD, &ctx);

	if (rc != 0)
		return rc;
	if (ctx->encoder == NULL)
		ctx->encoder = zstd.createCCtx();
	if (ctx->encoder == NULL)
		return ENOMEM;
	if (zstd.isError(
		zstd.setParameter(ctx->encoder, ZSTD_c_compressionLevel,
		    level == INT_MIN ? ZSTD_CLEVEL_DEFAULT : level)))
		return EINVAL;
	rc = codec_room_encode(out, bound, &room);
	if (rc != 0)
		return rc;
	size =
	    zstd.compress2(ctx->encoder, out->data + out->len, room, in, len);
	if (!zstd.isError(size)) {
		out->len += size;
		return 0;
	}
	if (room == bound)
		return ENOMEM;
	return zstd_compress_apart(ctx->encoder, in, len, bound, out);
}

static int
zstd_decoder(struct context *ctx)
{
	if (ctx->decoder == NULL)
		ctx->decoder = zstd.createDCtx();
	if (ctx->decoder == NULL)
		return ENOMEM;
	zstd.resetDCtx(ctx->decoder, ZSTD_reset_session_only);
	return 0;
}

/* One step; *end is set when the last frame is complete. */
static int
zstd_step(ZSTD_DCtx *d, ZSTD_inBuffer *in, size_t want, struct buf *out,
    bool *end)
{
	struct codec_room r;
	ZSTD_outBuffer o = {NULL, 0, 0};
	size_t hint;
	int rc = codec_room_open(out, want, &r);

	if (rc != 0)
		return rc;
	o.dst = r.data;
	o.size = r.len;
	hint = zstd.decompressStream(d, &o, in);
	if (zstd.isError(hint))
		return STATUS_CORRUPT;
	rc = codec_room_close(out, &r, o.pos);
	if (rc != 0)
		return rc;
	*end = hint == 0 && in->pos == in->size;
	/* Room left, input gone, and it wants more: cut short. */
	if (!*end && in->pos == in->size && o.pos < o.size)
		return STATUS_CORRUPT;
	return 0;
}

static int
zstd_decompress(const uint8_t *in, size_t len, struct buf *out)
{
	struct context *ctx;
	ZSTD_inBuffer i = {in, len, 0};
	bool end = false;
	int rc = codec_context(CODEC_ZSTD, &ctx);

	if (rc == 0)
		rc = zstd_decoder(ctx);
	if (rc != 0)
		return rc;
	for (size_t want = codec_room_guess(len); rc == 0 && !end; want = 0)
		rc = zstd_step(ctx->decoder, &i, want, out, &end);
	if (zstd.sizeof_DCtx(ctx->decoder) > ZSTD_KEEP_MAX) {
		zstd.freeDCtx(ctx->decoder);
		ctx->decoder = NULL;
	}
	return rc;
}

static void
end_context(void *arg)
{
	struct context *ctx = arg;

	if (ctx->encoder != NULL)
		zstd.freeCCtx(ctx->encoder);
	if (ctx->decoder != NULL)
		zstd.freeDCtx(ctx->decoder);
}

const struct codec_ops codec_zstd = {
    .name = "zstd",
    .level_min = -131072,
    .level_max = 22,
    .library = "libzstd.so.1",
    .symbols = zstd_symbols,
    .compress = zstd_compress,
    .decompress = zstd_decompress,
    .context_len = sizeof(struct context),
    .context_end = end_context,
};
