/* A cursor file; what is read is written and read as the same. */

#include "tool/cursor.h"

#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c, d;
	char path[200];
	int rc;

	fuzz_write("cursor", data, size);
	snprintf(path, sizeof(path), "%s/cursor", fuzz_dir());
	cursor_init(&c);
	cursor_init(&d);
	rc = cursor_read(&c, path);
	fuzz_must(rc == 0 || rc == STATUS_SYNTAX || rc == STATUS_TOO_BIG);
	if (rc == 0 && size % 4 == 0) {
		fuzz_must(cursor_write(&c, path) == 0);
		fuzz_must(cursor_read(&d, path) == 0);
		fuzz_must(c.count == d.count);
		for (size_t i = 0; i < c.count; i++)
			fuzz_must(strcmp(c.entries[i].topic,
				      d.entries[i].topic) == 0 &&
			    strcmp(c.entries[i].id, d.entries[i].id) == 0 &&
			    c.entries[i].partition == d.entries[i].partition &&
			    c.entries[i].offset == d.entries[i].offset);
	}
	cursor_release(&c);
	cursor_release(&d);
	return 0;
}
