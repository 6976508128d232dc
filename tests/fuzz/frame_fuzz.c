/* Frames of a replication; the CRC is put right. */

#include "replicate/frame.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/status.h"
#include "fuzz.h"

enum { MAX = 1 << 16 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t in[MAX];
	struct view v = {in, size};
	struct frame one, two;
	struct buf out;
	size_t need;
	int rc;

	if (size < FRAME_HEADER_LEN || size > MAX)
		return 0;
	memcpy(in, data, size);
	if ((in[0] & 1) == 0)
		buf_put_32(in, (uint32_t)(size - FRAME_HEADER_LEN));
	if ((in[5] & 1) == 0)
		frame_seal_length(in);
	buf_put_32(in + 8,
	    crc32c_update(crc32c(in, 8), in + FRAME_HEADER_LEN,
		size - FRAME_HEADER_LEN));
	rc = frame_decode(&v, &one, &need, NULL);
	fuzz_must(rc == 0 || rc == STATUS_SHORT || rc == STATUS_CORRUPT);
	if (rc == STATUS_SHORT)
		fuzz_must(need > size);
	if (rc != 0)
		return 0;
	buf_init(&out, FRAME_PAYLOAD_MAX + FRAME_HEADER_LEN);
	fuzz_must(frame_encode(&one, &out) == 0);
	fuzz_must(out.len == size - v.len);
	fuzz_must(memcmp(out.data, in, out.len) == 0);
	v = (struct view){out.data, out.len};
	fuzz_must(frame_decode(&v, &two, NULL, NULL) == 0);
	fuzz_must(v.len == 0 && two.type == one.type);
	buf_release(&out);
	return 0;
}
