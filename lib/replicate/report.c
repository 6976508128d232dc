#include "replicate/report.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

/* Of a path, without slashes at its end. */
static size_t
plain_len(const char *path)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	return len;
}

const char *
report_behind(const char *text, const char *path)
{
	size_t len = plain_len(path);

	if (strncmp(text, path, len) != 0 ||
	    (text[len] != '/' && text[len] != ':' && text[len] != '\0'))
		return NULL;
	while (text[len] == '/' && text[len + 1] == '/')
		len++;
	return text + len;
}

void
report_reason_at(const struct report_place *p, int rc, const struct fault *f,
    char *out, int size)
{
	const char *behind = p->path == NULL || f == NULL || f->file[0] == '\0'
	    ? NULL
	    : report_behind(f->file, p->path);
	struct fault named;

	if (behind == NULL) {
		report_reason(rc, f, out, size);
		return;
	}
	named = *f;
	snprintf(named.file, sizeof(named.file), "%.*s%s",
	    (int)plain_len(p->called), p->called, behind);
	report_reason(rc, &named, out, size);
}

void
report_send(const struct reporter *r, const struct report *what)
{
	if (r->fn != NULL)
		r->fn(r->arg, what);
}
