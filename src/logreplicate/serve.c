#include "serve.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/status.h"
#include "replicate/disk_sink.h"
#include "replicate/disk_source.h"
#include "replicate/under.h"
#include "session.h"
#include "store/root.h"

static int
refuse(struct session *s, int status, const char *text)
{
	session_tell(s, status, text);
	return status;
}

static int
refuse_with(struct session *s, const char *path, int rc, struct fault *f)
{
	char text[SESSION_TEXT_LEN];

	if (f->file[0] == '\0')
		status_fault(f, rc, path, -1, -1, NULL);
	report_reason_at(&s->place, rc, f, text, sizeof(text));
	return refuse(s, report_status(rc), text);
}

/* Not NULL: why it may not have what it asks for at all. */
static const char *
check_mode(const struct serve_limits *limits, const struct request *r)
{
	if (limits->only == NULL ||
	    strcmp(limits->only, r->send ? "send" : "receive") == 0)
		return NULL;
	return r->send ? "this key may not pull" : "this key may not push";
}

/* Is it below the directory that it may reach?  Then where that is. */
static int
check_path(struct session *s, const struct serve_limits *limits,
    struct request *r)
{
	struct fault f = {.file = ""};
	char path[PATH_MAX];
	int rc = under_resolve(limits->under, r->path, path);

	if (rc == EXDEV)
		rc = status_fault(&f, EACCES, r->path, -1, -1,
		    "outside of what this key may reach");
	if (rc != 0)
		return refuse_with(s, r->path, rc, &f);
	strlcpy(r->path, path, sizeof(r->path));
	return CLI_DONE;
}

static int
send_disk(struct session *s, const struct request *r, const char *under)
{
	struct disk_source_options o = {.partitions = r->partitions.count > 0
		? &r->partitions
		: NULL,
	    .patterns = r->patterns,
	    .under = under,
	    .follow = r->follow};
	struct sender_options so = {.follow = r->follow,
	    .groups = r->groups,
	    .dry_run = r->dry_run,
	    .checksum = r->checksum,
	    .from = r->from};
	struct fault f = {.file = ""};
	struct source *src;
	int status, rc = disk_source_open(r->path, &o, &src, &f);

	if (rc != 0)
		return refuse_with(s, r->path, rc, &f);
	s->link.rate = r->rate;
	status = session_send(s, src, &so);
	src->ops->close(src);
	return status;
}

/* May topics be put there?  Once is enough to say that they may not. */
static int
check_root(const char *path, struct fault *f)
{
	enum root_stand stand;
	int rc = root_look(path, &stand);

	return rc == 0 && stand == ROOT_NOT
	    ? status_fault(f, STATUS_NOT_TOPIC, path, -1, -1,
		  "is no directory of topics, as the source is")
	    : rc;
}

static int
receive_disk(struct session *s, const struct request *r, const char *under)
{
	struct disk_sink_options o = {.dry_run = r->dry_run,
	    .cut = r->cut,
	    .under = under};
	struct receiver_options ro = {.cut = r->cut,
	    .mirror = r->mirror,
	    .dry_run = r->dry_run,
	    .named = r->named,
	    .source = r->source[0] != '\0' ? r->source : NULL};
	struct fault f = {.file = ""};
	struct sink *sink;
	int status, rc = r->named ? check_root(r->path, &f) : 0;

	if (rc == 0)
		rc = disk_sink_open(r->path, &o, &sink);
	if (rc != 0)
		return refuse_with(s, r->path, rc, &f);
	status = session_receive(s, sink, &ro);
	sink->ops->close(sink);
	return status;
}

int
serve(int in, int out, const struct serve_limits *limits)
{
	struct session s;
	struct request r;
	char asked[PATH_MAX];
	const char *why;
	int status;

	(void)signal(SIGPIPE, SIG_IGN);
	if (session_open(&s, in, out) != 0)
		return CLI_FAIL;
	status = session_greet(&s);
	if (status == CLI_DONE)
		status = session_hear(&s, &r);
	if (status == CLI_DONE) {
		if (r.timeout_ms > 0)
			link_set_timeout(&s.link, r.timeout_ms);
		strlcpy(asked, r.path, sizeof(asked));
		s.place = (struct report_place){r.path, asked};
		why = check_mode(limits, &r);
		if (why != NULL)
			status = refuse(&s, CLI_FAIL, why);
		else if (limits->under != NULL)
			status = check_path(&s, limits, &r);
		if (status == CLI_DONE)
			status = r.send ? send_disk(&s, &r, limits->under)
					: receive_disk(&s, &r, limits->under);
		request_release(&r);
	}
	if (s.text[0] != '\0')
		session_tell(&s, status, s.text);
	session_close(&s);
	return status;
}
