#include "tool/message.h"

#include <err.h>
#include <stddef.h>

int
message_exit(int rc)
{
	switch (rc) {
	case 0:
		return CLI_DONE;
	case STATUS_CORRUPT:
	case STATUS_SHORT:
	case STATUS_UNSUPPORTED:
		return CLI_DAMAGE;
	case STATUS_ROLE:
	case STATUS_OWNED:
	case STATUS_MISMATCH:
	case STATUS_DIFFERS:
		return CLI_CONDITION;
	default:
		return CLI_FAIL;
	}
}

/* A place in a file, as far as it is known. */
static void
warn_place(int rc, const struct fault *f)
{
	const char *what = f->what != NULL ? f->what : status_text(rc);

	if (f->pos < 0)
		warnx("%s: damaged, offsets %lld to %lld: %s", f->file,
		    (long long)f->offset, (long long)f->offset_end - 1, what);
	else if (f->offset_end > f->offset)
		warnx("%s: damaged at byte %lld, offsets %lld to %lld: %s",
		    f->file, (long long)f->pos, (long long)f->offset,
		    (long long)f->offset_end - 1, what);
	else
		warnx("%s: damaged at byte %lld, from offset %lld: %s", f->file,
		    (long long)f->pos, (long long)f->offset, what);
}

int
message_warn(const char *subject, int rc, const struct fault *f)
{
	bool has_file = f != NULL && f->file[0] != '\0';
	bool has_place = has_file && f->pos >= 0;

	if ((rc == STATUS_CLUSTER || rc == STATUS_CLIENT) && f != NULL &&
	    f->what != NULL)
		warnx("%s: %s", has_file ? f->file : subject, f->what);
	else if (has_place && rc == STATUS_UNSUPPORTED)
		warnx("%s: byte %lld: %s", f->file, (long long)f->pos,
		    f->what != NULL ? f->what : status_text(rc));
	else if (has_file && rc == STATUS_CORRUPT &&
	    (f->pos >= 0 || f->offset_end > f->offset))
		warn_place(rc, f);
	else if (has_place && f->what != NULL)
		warnx("%s: byte %lld: %s", f->file, (long long)f->pos, f->what);
	else
		warnx("%s: %s", has_file ? f->file : subject, status_text(rc));
	return message_exit(rc);
}

int
message_worse(int was, int now)
{
	return now == CLI_DONE || was == CLI_DAMAGE ? was : now;
}
