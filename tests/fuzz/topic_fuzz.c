/* topic.properties: what is taken is written and taken as the same. */

#include "store/topic.h"

#include <string.h>

#include "base/buf.h"
#include "base/pairs.h"
#include "base/status.h"
#include "fuzz.h"

static void
check(const struct topic *t)
{
	const char *key, *value;
	struct properties again;
	enum properties_id id;
	struct pairs pairs;
	struct buf text;
	int rc;

	fuzz_must(t->partitions >= 1 && t->partitions <= PARTITIONS_MAX);
	fuzz_must(strlen(t->id) == TOPIC_ID_LEN);
	fuzz_must(topic_is_name(t->made_as));
	buf_init(&text, 1 << 20);
	properties_init(&again);
	fuzz_must(properties_write(&t->settings, &text) == 0);
	pairs_init(&pairs, text.data, text.len);
	while ((rc = pairs_next(&pairs, &key, &value)) == 0) {
		fuzz_must(properties_find(key, &id) == 0);
		fuzz_must(properties_set(&again, id, value, NULL) == 0);
		if (properties_info(id)->type != PROPERTIES_RATIO)
			(void)properties_int(&again, id);
	}
	fuzz_must(rc == STATUS_END);
	fuzz_must(properties_equal(&t->settings, &again));
	pairs_release(&pairs);
	buf_release(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct properties p;
	struct topic t;
	int rc;

	properties_init(&p);
	if (size % 2 == 1) {
		(void)properties_set_pair(&p, fuzz_string(&in), NULL);
		return 0;
	}
	fuzz_write(TOPIC_FILE, data, size);
	rc = topic_open(fuzz_dir(), &t, NULL);
	fuzz_must(rc == 0 || rc == STATUS_SYNTAX || rc == STATUS_NEWER);
	if (rc == 0) {
		check(&t);
		topic_close(&t);
	}
	return 0;
}
