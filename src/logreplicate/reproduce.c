#include "reproduce.h"

#include <signal.h>
#include <string.h>

#include "base/cli.h"
#include "base/status.h"
#include "session.h"

static int
refuse_with(struct session *s, const struct cluster_sink_options *o, int rc,
    const struct fault *f)
{
	char why[SESSION_TEXT_LEN];

	if (rc == STATUS_CLUSTER && strcmp(f->file, o->place->brokers) == 0)
		strlcpy(why, f->what, sizeof(why));
	else
		report_reason(rc, f, why, sizeof(why));
	session_tell(s, report_status(rc), why);
	return report_status(rc);
}

static int
receive(struct session *s, const struct request *r,
    const struct cluster_sink_options *o)
{
	struct receiver_options ro = {.dry_run = r->dry_run,
	    .named = r->named,
	    .lasting = true};
	struct fault f = {.file = ""};
	struct sink *sink;
	int status, rc;

	if (r->named != (o->place->topic[0] == '\0')) {
		session_tell(s, CLI_FAIL,
		    r->named ? "many topics cannot be one"
			     : "one topic cannot be a cluster");
		return CLI_FAIL;
	}
	rc = cluster_sink_open(o, &sink, &f);
	if (rc != 0)
		return refuse_with(s, o, rc, &f);
	status = session_receive(s, sink, &ro);
	/* The cluster's own words say more. */
	if (cluster_sink_text(sink)[0] != '\0' && s->text[0] != '\0')
		strlcpy(s->text, cluster_sink_text(sink), sizeof(s->text));
	sink->ops->close(sink);
	return status;
}

int
reproduce(const struct cluster_sink_options *o, int in, int out)
{
	struct session s;
	struct request r;
	int status;

	(void)signal(SIGPIPE, SIG_IGN);
	if (session_open(&s, in, out) != 0)
		return CLI_FAIL;
	status = session_greet(&s);
	if (status == CLI_DONE)
		status = session_hear(&s, &r);
	if (status == CLI_DONE) {
		status = receive(&s, &r, o);
		request_release(&r);
	}
	if (s.text[0] != '\0')
		session_tell(&s, status, s.text);
	session_close(&s);
	return status;
}
