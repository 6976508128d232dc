/*
 * What members of a group subscribe to: each topic stands inside the bytes, one
 * behind the other, and the look-up agrees with the walk.
 */

#include "broker/subscription.h"

#include "base/status.h"
#include "fuzz.h"

/* Has the walk given it before? */
static bool
is_among(struct subscription s, struct bytes topic)
{
	struct bytes other;

	while (subscription_next(&s, &other) == 0)
		if (bytes_equal(other, topic))
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size}, wanted = fuzz_part(&in);
	struct bytes metadata = {in.data, (int32_t)in.len};
	struct bytes want = {wanted.data, (int32_t)wanted.len};
	const uint8_t *end = in.data;
	struct subscription s, all;
	struct bytes topic;
	int rc = subscription_open(metadata, &s);
	bool has = subscription_has(metadata, want);

	if (rc != 0) {
		fuzz_must(rc == STATUS_SHORT || rc == STATUS_SYNTAX);
		fuzz_must(has);
		return 0;
	}
	all = s;
	fuzz_must(s.version >= 0 && (size_t)s.left <= in.len / 2);
	while ((rc = subscription_next(&s, &topic)) == 0) {
		fuzz_must(topic.len >= 0 && topic.data >= end);
		end = topic.data + topic.len;
		fuzz_must(end <= in.data + in.len);
	}
	fuzz_must(
	    rc == STATUS_END || rc == STATUS_SHORT || rc == STATUS_SYNTAX);
	fuzz_must((rc == STATUS_END) == (s.left == 0));
	fuzz_must(has == (rc != STATUS_END || is_among(all, want)));
	return 0;
}
