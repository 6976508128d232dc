/* What one logreplicate asks of another. */

#include "replicate/request.h"

#include <string.h>

#include "base/status.h"
#include "fuzz.h"
#include "replicate/frame.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request one, two;
	struct buf out, again;
	char bad[64];
	int rc =
	    request_decode((struct view){data, size}, &one, bad, sizeof(bad));

	fuzz_must(rc == 0 || rc == STATUS_SYNTAX || rc == STATUS_TOO_BIG);
	fuzz_must(memchr(bad, 0, sizeof(bad)) != NULL);
	if (rc != 0)
		return 0;
	buf_init(&out, FRAME_TEXT_MAX);
	buf_init(&again, FRAME_TEXT_MAX);
	fuzz_must(request_encode(&one, &out) == 0);
	rc = request_decode((struct view){out.data, out.len}, &two, bad,
	    sizeof(bad));
	fuzz_must(rc == 0);
	fuzz_must(request_encode(&two, &again) == 0);
	fuzz_must(
	    out.len == again.len && memcmp(out.data, again.data, out.len) == 0);
	buf_release(&out);
	buf_release(&again);
	request_release(&one);
	request_release(&two);
	return 0;
}
