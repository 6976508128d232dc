/* Each codec: what is damaged is told, what it wrote is read as it was. */

#include "store/codec.h"

#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "base/status.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct buf packed, out;
	struct fuzz_input in = {data, size};
	enum codec c = (enum codec)(fuzz_byte(&in) % CODEC_COUNT);
	int rc;

	if (out.max == 0) {
		buf_init(&out, 1 << 20);
		buf_init(&packed, 1 << 21);
	}
	out.len = packed.len = 0;
	rc = codec_decompress(c, in.data, in.len, &out);
	fuzz_must(rc == 0 || rc == STATUS_CORRUPT || rc == STATUS_TOO_BIG ||
	    rc == STATUS_CODEC);
	fuzz_must(out.len <= 1 << 20);
	out.len = 0;
	rc = codec_compress(c, INT_MIN, in.data, in.len, &packed);
	if (rc == STATUS_CODEC)
		return 0;
	fuzz_must(rc == 0);
	fuzz_must(codec_decompress(c, packed.data, packed.len, &out) == 0);
	fuzz_must(out.len == in.len &&
	    (in.len == 0 || memcmp(out.data, in.data, in.len) == 0));
	return 0;
}
