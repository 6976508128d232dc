/* What stands in a .sum; the CRC is put right. */

#include "store/sum.h"

#include <string.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t in[SUM_LEN] = {0}, one[SUM_LEN], two[SUM_LEN];
	struct sum s, t;
	int rc;

	memcpy(in, data, size < sizeof(in) ? size : sizeof(in));
	rc = sum_decode(in, &s);
	if (rc == STATUS_CORRUPT) {
		buf_put_32(in + 4, crc32c(in + 8, SUM_LEN - 8));
		rc = sum_decode(in, &s);
	}
	fuzz_must(rc == 0 || rc == STATUS_CORRUPT || rc == STATUS_NEWER);
	if (rc != 0)
		return 0;
	sum_encode(&s, one);
	fuzz_must(sum_decode(one, &t) == 0);
	sum_encode(&t, two);
	fuzz_must(memcmp(one, two, sizeof(one)) == 0);
	return 0;
}
