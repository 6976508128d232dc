#include "direct/trouble.h"

#include <errno.h>
#include <string.h>

#include "base/status.h"

#include "tap.h"

int
main(void)
{
	struct fault f = {.file = ""};
	char many[1000];
	int rc = trouble(NULL, STATUS_CLUSTER, "b1", "%d", 1);

	tap_int(rc, STATUS_CLUSTER, "without a fault");
	rc = trouble(&f, EACCES, "b1", "it says %s (%d)", "no,\nnot now", 7);
	tap_int(rc, EACCES, "with one");
	tap_str(f.what, "it says no, not now (7)");
	tap_str(f.file, "b1");
	/* A title of a window; C1; from right to left. */
	(void)trouble(&f, EACCES, "b1", "%s",
	    "\033]0;x\a \xc2\x9b"
	    "2J \x9b \xe2\x80\xae.");
	tap_str(f.what, "?]0;x? ??2J ? ???.");
	memset(many, 'x', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	(void)trouble(&f, EACCES, "b1", "%s", many);
	tap_int(strlen(f.what), 511, "what is too long is cut");
	return tap_done();
}
