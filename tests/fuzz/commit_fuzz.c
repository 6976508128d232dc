/* A group's position as a record: key and value, apart by a length. */

#include "store/commit.h"

#include <string.h>

#include "base/buf.h"
#include "base/status.h"
#include "fuzz.h"
#include "store/record.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size}, part = fuzz_part(&in);
	struct record rec = {
	    .key = {part.data, part.len > 0 ? (int32_t)part.len : -1},
	    .value = {in.data, in.len > 0 ? (int32_t)in.len : -1},
	};
	struct buf key, value;
	struct commit c, d;

	if (commit_decode(&rec, &c) != 0)
		return 0;
	fuzz_must(c.group.len >= 0 && c.topic.len >= 0 && c.partition >= 0 &&
	    c.offset >= -1);
	buf_init(&key, 1 << 20);
	buf_init(&value, 1 << 20);
	fuzz_must(commit_encode(&c, &key, &value) == 0);
	rec.key = (struct bytes){key.data, (int32_t)key.len};
	rec.value = (struct bytes){value.data,
	    value.len == 0 ? -1 : (int32_t)value.len};
	fuzz_must(commit_decode(&rec, &d) == 0);
	fuzz_must(bytes_equal(c.group, d.group) &&
	    bytes_equal(c.topic, d.topic) && c.partition == d.partition &&
	    c.offset == d.offset && c.leader_epoch == d.leader_epoch &&
	    c.commit_ms == d.commit_ms);
	buf_release(&key);
	buf_release(&value);
	return 0;
}
