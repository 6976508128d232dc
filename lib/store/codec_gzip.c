#include "store/codec_impl.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

enum {
	GZIP_WINDOW_BITS = 15 + 16,
	GZIP_MEMORY_LEVEL = 8,
};

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

static const struct library_symbol zlib_symbols[] = {
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

struct context {
	z_stream deflate;
	int deflate_level;
	bool has_deflate;
	z_stream inflate;
	bool has_inflate;
};

static int
gzip_deflater(int level, z_stream **out)
{
	struct context *ctx;
	z_stream *z;
	int rc = codec_context(CODEC_GZIP, &ctx);

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
gzip_compress(int level, const uint8_t *in, size_t len, struct buf *out)
{
	z_stream *z;
	size_t room;
	int rc =
	    gzip_deflater(level == INT_MIN ? Z_DEFAULT_COMPRESSION : level, &z);

	if (rc != 0)
		return rc;
	rc = codec_room_encode(out, zlib.deflateBound(z, len), &room);
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
	struct context *ctx;
	z_stream *z;
	int rc = codec_context(CODEC_GZIP, &ctx);

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
	struct codec_room r;
	int rc = codec_room_open(out, want, &r), z_rc;

	if (rc != 0)
		return rc;
	z->next_out = r.data;
	z->avail_out = (uInt)r.len;
	z_rc = zlib.inflate(z, Z_NO_FLUSH);
	rc = codec_room_close(out, &r, r.len - z->avail_out);
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
gzip_decompress(const uint8_t *in, size_t len, struct buf *out)
{
	z_stream *z;
	bool end = false;
	int rc = gzip_inflater(&z);

	if (rc != 0)
		return rc;
	z->next_in = (z_const Bytef *)(uintptr_t)in;
	z->avail_in = (uInt)len;
	for (size_t want = codec_room_guess(len); rc == 0 && !end; want = 0)
		rc = gzip_step(z, want, out, &end);
	return rc;
}

static void
end_context(void *arg)
{
	struct context *ctx = arg;

	if (ctx->has_deflate)
		zlib.deflateEnd(&ctx->deflate);
	if (ctx->has_inflate)
		zlib.inflateEnd(&ctx->inflate);
}

const struct codec_ops codec_gzip = {
    .name = "gzip",
    .level_min = 1,
    .level_max = 9,
    .library = "libz.so.1",
    .symbols = zlib_symbols,
    .compress = gzip_compress,
    .decompress = gzip_decompress,
    .context_len = sizeof(struct context),
    .context_end = end_context,
};
