/* partition.state: two slots; the CRC of one is put right. */

#include "store/state.h"

#include <string.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "fuzz.h"

static void
sign(uint8_t *slot)
{
	buf_put_32(slot + 4, crc32c(slot + 8, STATE_SLOT_LEN - 8));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint8_t page[STATE_PAGE_LEN] = {0}, one[STATE_SLOT_LEN],
		two[STATE_SLOT_LEN];
	uint8_t how = fuzz_byte(&in);
	struct state s, t;
	size_t half = in.len / 2 < STATE_SLOT_B ? in.len / 2 : STATE_SLOT_B;
	bool doubt = false;
	int fd, rc;

	if (in.len > 0) {
		memcpy(page, in.data, half);
		memcpy(page + STATE_SLOT_B, in.data + half, half);
	}
	if (how & 1)
		sign(page);
	if (how & 2)
		sign(page + STATE_SLOT_B);
	fd = fuzz_file(page, how & 4 ? in.len % sizeof(page) : sizeof(page));
	rc = state_look(fd, &s, &doubt);
	fuzz_must(rc == 0 || rc == STATUS_CORRUPT || rc == STATUS_NEWER);
	if (rc != 0)
		return 0;
	(void)state_last_stable(&s);
	state_encode(&s, one);
	fuzz_must(state_decode(one, &t) == 0);
	state_encode(&t, two);
	fuzz_must(memcmp(one, two, sizeof(one)) == 0);
	return 0;
}
