#include "store/codec_impl.h"

#include <errno.h>
#include <snappy-c.h>
#include <string.h>

enum {
	/* Java's framing of snappy: header, then blocks behind their length. */
	XERIAL_MAGIC_LEN = 8,
	XERIAL_HEADER_LEN = 16,
	XERIAL_BLOCK_LEN = 32 << 10,
	XERIAL_BLOCK_PACKED_MAX = 32 + XERIAL_BLOCK_LEN + XERIAL_BLOCK_LEN / 6,
	/* No snappy element makes more than 64 bytes out of 3. */
	SNAPPY_RATIO_MAX = 22,
};

static const uint8_t xerial_header[XERIAL_HEADER_LEN] = {0x82, 'S', 'N', 'A',
    'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};

static struct {
	__typeof__(snappy_compress) *compress;
	__typeof__(snappy_uncompress) *uncompress;
	__typeof__(snappy_uncompressed_length) *uncompressed_length;
} snappy;

static const struct library_symbol snappy_symbols[] = {
    {&snappy.compress, "snappy_compress"},
    {&snappy.uncompress, "snappy_uncompress"},
    {&snappy.uncompressed_length, "snappy_uncompressed_length"},
    {NULL, NULL},
};

static int
snappy_pack(int level, const uint8_t *in, size_t len, struct buf *out)
{
	char packed[XERIAL_BLOCK_PACKED_MAX];
	int rc = buf_add(out, xerial_header, sizeof(xerial_header));

	(void)level;
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

const struct codec_ops codec_snappy = {
    .name = "snappy",
    .level_min = 1,
    .level_max = 0,
    .library = "libsnappy.so.1",
    .symbols = snappy_symbols,
    .compress = snappy_pack,
    .decompress = snappy_unpack,
};
