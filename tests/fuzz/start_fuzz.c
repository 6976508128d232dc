/*
 * log-start-offset-checkpoint, which a Kafka broker keeps beside its partitions:
 * the log does not begin below its first segment, and elsewhere only where a
 * line of the partition says so.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "store/partition.h"
#include "store/tail.h"

enum { FIRST = 7 };

static bool
is_said(const struct fuzz_input *in, int64_t start)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)start);
	return memmem(in->data, in->len, text, strlen(text)) != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct partition *p;
	struct fuzz_input in = {data, size};
	char path[200];
	int64_t start;

	if (p == NULL) {
		snprintf(path, sizeof(path), "%s/t-x-0", fuzz_dir());
		fuzz_must(mkdir(path, 0777) == 0);
		fuzz_must(partition_open(path, PARTITION_READ,
			      &partition_defaults, &p, NULL) == 0);
	}
	fuzz_write("log-start-offset-checkpoint", data, size);
	start = tail_log_start(p, FIRST);
	fuzz_must(start >= FIRST);
	fuzz_must(start == FIRST || start == INT64_MAX || is_said(&in, start));
	return 0;
}
