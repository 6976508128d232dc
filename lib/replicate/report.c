#include "replicate/report.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

void
report_add(int64_t *sum, int64_t n)
{
	if (__builtin_add_overflow(*sum, n, sum))
		*sum = INT64_MAX;
}

int
report_status(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case STATUS_CORRUPT:
	case STATUS_SHORT:
	case STATUS_UNSUPPORTED:
		return 3;
	case STATUS_ROLE:
	case STATUS_OWNED:
	case STATUS_DIFFERS:
	case ELOOP:
		return 4;
	default:
		return 1;
	}
}

static const char *
words(int rc)
{
	if (rc == STATUS_ROLE)
		return "not a replica, and not empty (logadmin topic demote)";
	if (rc == STATUS_MISMATCH)
		return "somebody else writes to the copy at the same time";
	if (rc == ELOOP)
		return "source and destination are the same";
	return status_text(rc);
}

void
report_reason(int rc, const struct fault *f, char *out, int size)
{
	const char *what = words(rc);

	if (f == NULL || f->file[0] == '\0') {
		snprintf(out, (size_t)size, "%s", what);
		return;
	}
	if (f->what != NULL)
		what = f->what;
	if (f->pos >= 0)
		snprintf(out, (size_t)size,
		    "%s: damaged at byte %lld, from offset %lld: %s", f->file,
		    (long long)f->pos, (long long)f->offset, what);
	else if (f->offset >= 0)
		snprintf(out, (size_t)size, "%s: from offset %lld: %s", f->file,
		    (long long)f->offset, what);
	else
		snprintf(out, (size_t)size, "%s: %s", f->file, what);
}

void
report_send(const struct reporter *r, const struct report *what)
{
	if (r->fn != NULL)
		r->fn(r->arg, what);
}
