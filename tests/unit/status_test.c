#include "base/status.h"

#include <errno.h>

#include "tap.h"

int
main(void)
{
	struct fault f;
	char longer[2 * sizeof(f.file)];
	int unknown = 0, twice = 0;

	tap_str(status_text(0), "done");
	tap_str(status_text(ENOSPC), "No space left on device");
	tap_str(status_text(-1), "unknown status");
	for (int rc = STATUS_END; rc <= STATUS_REFUSED; rc++) {
		unknown += strcmp(status_text(rc), "unknown status") == 0;
		for (int other = STATUS_END; other < rc; other++)
			twice +=
			    strcmp(status_text(rc), status_text(other)) == 0;
	}
	tap_int(unknown, 0, "every status has words");
	tap_int(twice, 0, "of its own");
	tap_str(status_text(STATUS_REFUSED + 1), "unknown status");

	tap_int(status_fault(&f, STATUS_CORRUPT, "a/b.log", 7, 8, "bad"),
	    STATUS_CORRUPT, "a fault gives its status back");
	tap(strcmp(f.file, "a/b.log") == 0 && f.pos == 7 && f.offset == 8 &&
		f.offset_end == -1 && strcmp(f.what, "bad") == 0,
	    "and is filled");
	tap_int(status_fault(NULL, EIO, "x", 1, 2, "y"), EIO, "nobody asks");
	tap_int(status_fault(&f, EIO, NULL, -1, -1, "y"), EIO, "no file");
	tap(f.file[0] == '\0', "then its name is empty");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	status_fault(&f, EIO, longer, -1, -1, "y");
	tap_int(strlen(f.file), sizeof(f.file) - 1, "a long name is cut");
	return tap_done();
}
