#include "serve.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/status.h"
#include "replicate/disk_sink.h"
#include "replicate/disk_source.h"
#include "session.h"

static int
refuse(struct session *s, int status, const char *text)
{
	session_tell(s, status, text);
	return status;
}

static int
refuse_with(struct session *s, const char *path, int rc, const struct fault *f)
{
	char why[700], text[SESSION_TEXT_LEN];

	report_reason(rc, f, why, sizeof(why));
	if (f->file[0] != '\0')
		strlcpy(text, why, sizeof(text));
	else
		snprintf(text, sizeof(text), "%.90s: %s", path, why);
	return refuse(s, report_status(rc), text);
}

/*
 * A path that stays below a directory: no .. in it, and without links it is
 * there still, as far as it exists.
 */
static bool
is_under(const char *path, const char *dir, char out[PATH_MAX])
{
	char real_dir[PATH_MAX], real[PATH_MAX], parent[PATH_MAX], *slash;
	size_t len;

	if (strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 ||
	    strstr(path, "/../") != NULL ||
	    (strlen(path) > 2 && strcmp(path + strlen(path) - 3, "/..") == 0))
		return false;
	if (realpath(dir, real_dir) == NULL)
		return false;
	if (path[0] == '/')
		strlcpy(out, path, PATH_MAX);
	else if (snprintf(out, PATH_MAX, "%s/%s", real_dir, path) >= PATH_MAX)
		return false;
	if (realpath(out, real) == NULL) {
		/* It is to be made: where it will be. */
		strlcpy(parent, out, sizeof(parent));
		slash = strrchr(parent, '/');
		*slash = '\0';
		if (errno != ENOENT ||
		    realpath(slash == parent ? "/" : parent, real) == NULL)
			return false;
	}
	len = strlen(real_dir);
	return strncmp(real, real_dir, len) == 0 &&
	    (real[len] == '/' || real[len] == '\0');
}

/* NULL, or why it may not have what it asks for. */
static const char *
check_limits(const struct serve_limits *limits, struct request *r)
{
	char path[PATH_MAX];

	if (limits->only != NULL &&
	    strcmp(limits->only, r->send ? "send" : "receive") != 0)
		return r->send ? "this key may not pull"
			       : "this key may not "
				 "push";
	if (limits->under == NULL)
		return NULL;
	if (!is_under(r->path, limits->under, path))
		return "outside of what this key may reach";
	strlcpy(r->path, path, sizeof(r->path));
	return NULL;
}

static int
send_disk(struct session *s, const struct request *r)
{
	struct disk_source_options o = {.partitions = r->partitions.count > 0
		? &r->partitions
		: NULL,
	    .patterns = r->patterns,
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

static int
receive_disk(struct session *s, const struct request *r)
{
	struct disk_sink_options o = {.dry_run = r->dry_run};
	struct receiver_options ro = {.cut = r->cut,
	    .mirror = r->mirror,
	    .dry_run = r->dry_run,
	    .named = r->named,
	    .source = r->source[0] != '\0' ? r->source : NULL};
	struct fault f = {.file = ""};
	struct sink *sink;
	int status, rc = disk_sink_open(r->path, &o, &sink);

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
		why = check_limits(limits, &r);
		if (why != NULL)
			status = refuse(&s, CLI_FAIL, why);
		else
			status =
			    r.send ? send_disk(&s, &r) : receive_disk(&s, &r);
		request_release(&r);
	}
	if (s.text[0] != '\0')
		session_tell(&s, status, s.text);
	session_close(&s);
	return status;
}
