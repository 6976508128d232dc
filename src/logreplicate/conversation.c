#include "conversation.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/now.h"
#include "base/status.h"
#include "direct/cluster_source.h"
#include "options.h"
#include "replicate/disk_sink.h"
#include "replicate/disk_source.h"
#include "reproduce.h"
#include "session.h"
#include "store/root.h"
#include "telling.h"
#include "tunnel.h"

/* A connection that lasts so long has worked. */
enum { WORKED_MS = 60000 };

static struct request asked;	/* of the other end */
static struct peer *listening;	/* to, whenever there is time */

/* What SRC is called where the copy is. */
static void
name_source(void)
{
	char host[256] = "", path[PATH_MAX];
	bool away = opt.dst.remote || opt.is_to_cluster;

	if (opt.is_from_cluster) {
		snprintf(asked.source, sizeof(asked.source),
		    "kafka%s://%.2000s%s%s", opt.from.tls ? "+tls" : "",
		    opt.from.brokers, opt.from.topic[0] != '\0' ? "/" : "",
		    opt.from.topic);
		return;
	}
	if (opt.src.remote) {
		snprintf(asked.source, sizeof(asked.source), "%.320s:%.3000s",
		    opt.src.host, opt.src.path);
		return;
	}
	if (realpath(opt.src.path, path) == NULL)
		return;
	if (away && gethostname(host, sizeof(host) - 1) != 0)
		away = false;
	snprintf(asked.source, sizeof(asked.source), "%s%s%.3000s", host,
	    away ? ":" : "", path);
}

static void
request_other_end(void)
{
	asked = opt.request;
	asked.send = opt.src.remote;
	strlcpy(asked.path, opt.src.remote ? opt.src.path : opt.dst.path,
	    sizeof(asked.path));
	name_source();
}

/* A child ends when we do, with what has come over durable. */
static void
ignore_signals(void)
{
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
}

static int
serve_child(int in, int out)
{
	static const struct serve_limits any;

	ignore_signals();
	return serve(in, out, &any);
}

/* The child by way of which a logserve is reached. */
static int
carry_to_cluster(int in, int out)
{
	const struct tunnel t = {.place = &opt.to,
	    .settings = &opt.places.settings,
	    .secret = &opt.secret,
	    .timeout_ms = opt.places.timeout_ms};

	ignore_signals();
	return tunnel_run(&t, in, out);
}

/* The child that sends to a cluster of any make. */
static int
reproduce_to_cluster(int in, int out)
{
	const struct cluster_sink_options o = {.place = &opt.to,
	    .settings = &opt.places.settings,
	    .timeout_ms = opt.places.timeout_ms,
	    .dry_run = opt.request.dry_run};

	return reproduce(&o, in, out);
}

static int
begin_peer(struct peer *p)
{
	const struct peer_place *place = opt.src.remote ? &opt.src : &opt.dst;

	if (opt.is_to_cluster)
		return peer_fork_host(p, place->host,
		    opt.reproduce ? reproduce_to_cluster : carry_to_cluster);
	if (place->remote)
		return peer_ssh(p, place, opt.rsh, opt.remote_path);
	return peer_fork(p, serve_child);
}

static int
fail_local(struct session *s, const char *path, int rc, const struct fault *f)
{
	char why[600];

	report_reason(rc, f, why, sizeof(why));
	snprintf(s->text, sizeof(s->text), "%s", why);
	if (f->file[0] == '\0')
		warnx("%s: %s", path, why);
	else
		warnx("%s", why);
	session_tell(s, report_status(rc), why);
	s->text[0] = '\0';
	return report_status(rc);
}

static int
push(struct session *s, struct source *src)
{
	struct sender_options o = {.follow = opt.request.follow,
	    .groups = opt.request.groups,
	    .dry_run = opt.request.dry_run,
	    .checksum = opt.request.checksum,
	    .records = opt.reproduce,
	    .from = opt.request.from,
	    .reporter = {telling_report, NULL}};
	int status = session_ask(s, &asked);

	s->link.rate = opt.request.rate;
	return status == CLI_DONE ? session_send(s, src, &o) : status;
}

static int
push_from_disk(struct session *s)
{
	struct disk_source_options o = {.partitions =
					    opt.request.partitions.count > 0
		? &opt.request.partitions
		: NULL,
	    .patterns = opt.request.patterns,
	    .follow = opt.request.follow};
	struct fault f = {.file = ""};
	struct source *src;
	int status, rc = disk_source_open(opt.src.path, &o, &src, &f);

	if (rc != 0)
		return fail_local(s, opt.src.path, rc, &f);
	asked.named = disk_source_is_root(src);
	status = push(s, src);
	src->ops->close(src);
	return status;
}

static void
warn_of_settings(const char *topic, const char *text)
{
	cli_warn("%s: its settings are not told: %s", topic, text);
}

/* Another try may find a cluster that this one has not. */
static bool cluster_lost;

static int
push_from_cluster(struct session *s)
{
	struct cluster_source_options o = {.place = &opt.from,
	    .login = opt.login,
	    .timeout_ms = opt.places.timeout_ms,
	    .partitions = opt.request.partitions.count > 0
		? &opt.request.partitions
		: NULL,
	    .patterns = opt.request.patterns,
	    .follow = opt.request.follow,
	    .warn = warn_of_settings};
	struct fault f = {.file = ""};
	struct source *src;
	int status, rc = cluster_source_open(&o, &src, &f);

	cluster_lost = rc == STATUS_CLUSTER;
	if (rc != 0)
		return fail_local(s, opt.src.path, rc, &f);
	asked.named = opt.from.topic[0] == '\0';
	status = push(s, src);
	src->ops->close(src);
	return status;
}

static int
pull_to_disk(struct session *s)
{
	struct disk_sink_options o = {.dry_run = opt.request.dry_run,
	    .cut = opt.request.cut};
	struct receiver_options ro = {.cut = opt.request.cut,
	    .mirror = opt.request.mirror,
	    .dry_run = opt.request.dry_run,
	    .pulls = true,
	    .source = asked.source,
	    .reporter = {telling_report, NULL}};
	enum root_stand stand = ROOT_NOT;
	struct fault f = {.file = ""};
	struct sink *sink;
	int status, rc = root_look(opt.dst.path, &stand);

	/* What is not there, or empty, becomes what the source is. */
	ro.named = stand == ROOT_IS;
	ro.either = stand == ROOT_EMPTY || stand == ROOT_MISSING;
	if (rc == 0)
		rc = disk_sink_open(opt.dst.path, &o, &sink);

	if (rc != 0)
		return fail_local(s, opt.dst.path, rc, &f);
	status = session_ask(s, &asked);
	if (status == CLI_DONE)
		status = session_receive(s, sink, &ro);
	sink->ops->close(sink);
	return status;
}

/* Why there was no conversation, as far as ssh or the shell there say it. */
static void
explain(struct session *s, const struct peer *p, int peer_status)
{
	bool unknown = peer_status == 127 && !opt.is_to_cluster;

	if (p->host == NULL ||
	    (!unknown && (peer_status == 0 || p->line[0] == '\0')))
		return;
	s->about = SESSION_LINK;
	if (unknown)
		snprintf(s->text, sizeof(s->text),
		    "no %s there (--remote-path says where it is)",
		    opt.remote_path);
	else
		snprintf(s->text, sizeof(s->text), "%s", p->line);
}

static int
replicate(struct session *s)
{
	if (opt.src.remote)
		return pull_to_disk(s);
	return opt.is_from_cluster ? push_from_cluster(s) : push_from_disk(s);
}

static void
progress(const struct session *s)
{
	if (listening != NULL)
		peer_listen(listening);
	telling_progress(s);
}

/* How it went, for who may try again; and what is told of that. */
static void
judge(const struct session *s, const struct peer *p, int status,
    int peer_status, struct conversation *out)
{
	bool refused = opt.is_to_cluster && peer_status == TUNNEL_REFUSED;

	out->lost = (s->text[0] != '\0' && status == CLI_FAIL && !refused) ||
	    cluster_lost;
	if (s->text[0] == '\0')
		return;
	if (s->about == SESSION_THEIRS)
		telling_error(s->text);
	else if (s->about == SESSION_TOLD)
		warnx("%s", s->text);
	else if (s->about == SESSION_HERE)
		warnx("%s: %s", opt.src.remote ? opt.dst.path : opt.src.path,
		    s->text);
	else
		warnx("%s: %s", p->host != NULL ? p->host : opt.dst.path,
		    s->text);
}

static int
speak(struct session *s, struct peer *p, const volatile sig_atomic_t *stop)
{
	int status;

	if (asked.timeout_ms > 0)
		link_set_timeout(&s->link, asked.timeout_ms);
	s->progress = progress;
	s->stop = stop;
	listening = p;
	status = session_greet(s);
	if (status == CLI_DONE)
		telling_ready();
	p->relay = s->greeted && !opt.is_to_cluster;
	if (status == CLI_DONE)
		status = replicate(s);
	listening = NULL;
	return status;
}

int
conversation_hold(const volatile sig_atomic_t *stop, struct conversation *out)
{
	int64_t began_ms = now_mono_ms();
	bool silent;
	struct session s;
	struct peer p;
	int status, peer_status, rc;

	*out = (struct conversation){.lost = false};
	request_other_end();
	rc = begin_peer(&p);
	if (rc == 0)
		rc = session_open(&s, p.in, p.out);
	if (rc != 0) {
		warnc(rc, "%s", opt.rsh);
		return CLI_FAIL;
	}
	status = speak(&s, &p, stop);
	silent = !s.greeted && s.link.input.len == 0;
	session_close(&s);
	telling_pause();
	peer_status = peer_end(&p, s.dead ? 0 : s.link.dead_ms);
	/* What carries to a logserve knows best why it has ended. */
	if (silent || (opt.is_to_cluster && s.text[0] != '\0'))
		explain(&s, &p, peer_status);
	if (*stop == 0)
		judge(&s, &p, status, peer_status, out);
	if (status == CLI_DONE && s.text[0] == '\0' && s.partitions == 0)
		telling_nothing();
	out->worked = s.bytes > 0 || now_mono_ms() - began_ms > WORKED_MS;
	if (opt.stats)
		telling_stats(&s, began_ms);
	return status;
}
