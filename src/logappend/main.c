/*
 * logappend: standard input or files into a topic, a record per line (or per
 * envelope, or as a format string says), durable when it exits with 0.
 */

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/cli.h"
#include "base/now.h"
#include "base/parse.h"
#include "client/remote_admin.h"
#include "input.h"
#include "options.h"
#include "store/batch.h"
#include "store/topic.h"
#include "tool/message.h"
#include "writer.h"

/* A cluster that is asked for a topic's settings, at most. */
enum { SETTINGS_MS = 5000 };

static void
on_signal(int sig)
{
	/* A second one does not wait for anything. */
	if (input_signal != 0) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	input_signal = sig;
}

/* After a signal: whole records are kept, an unfinished one is counted. */
static void
die_by_signal(struct input *run)
{
	if (run->in.len > 0)
		warnx("interrupted: %zu bytes of an unfinished record were "
		      "not appended",
		    run->in.len);
	signal(input_signal, SIG_DFL);
	raise(input_signal);
}

static void
finish(struct input *run)
{
	struct fault f = {.file = ""};
	int rc;

	/* With one batch or nothing, half of the input is nothing. */
	if (opt.w.expect >= 0 && (run->status != CLI_DONE || input_signal != 0))
		return;
	/* A failed append leaves nothing that could still be written. */
	rc = run->status == CLI_DONE || run->status == CLI_FAIL
	    ? writer_sync(run->writer, &f)
	    : 0;
	if (rc != 0)
		input_fail(run, rc, &f);
	writer_warn_cuts(run->writer);
}

static void
catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = on_signal}, old;

	for (size_t i = 0; i < 3; i++) {
		sigaction(signals[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
	}
	if (opt.ignore_int)
		signal(SIGINT, SIG_IGN);
}

/* A place TOPIC/N chooses a partition, and so does -p: both the same. */
static void
set_partition(const char *path, int32_t n)
{
	if (opt.keep_partition)
		cli_usage("--keep-partition does not go with %s, which is one "
			  "partition",
		    path);
	if (opt.w.partition >= 0 && opt.w.partition != n)
		cli_usage("-p %d does not go with %s", (int)opt.w.partition,
		    path);
	opt.w.partition = n;
}

/* The topic of a partition by another name: "." in it, or a link to it. */
static int
open_owner(const char *path, struct topic *t, char *topic_path, struct fault *f)
{
	struct topic_place place;
	int rc = topic_locate(path, &place, f);

	if (rc != 0)
		return rc;
	rc = STATUS_NOT_TOPIC;
	if (place.kind == TOPIC_PLACE_PARTITION) {
		if (snprintf(topic_path, PATH_MAX, "%s/..", path) >= PATH_MAX)
			rc = ENAMETOOLONG;
		else
			rc = topic_open(topic_path, t, f);
		if (rc == 0)
			set_partition(path, place.first);
	}
	topic_place_close(&place);
	return rc;
}

static int
take_setting(const char *topic, const char *name, const char *value,
    bool is_set, void *arg)
{
	struct topic *t = arg;
	enum properties_id id;

	(void)topic;
	(void)is_set;
	/* What cannot be said here does not matter here. */
	if (properties_find(name, &id) == 0)
		(void)properties_set(&t->settings, id, value, NULL);
	return 0;
}

/* A topic of a cluster: its name, partitions and settings; made if need be. */
static int
ask_remote(struct cluster *c, const struct place *place, struct topic *t,
    struct fault *f)
{
	const struct remote_admin_topic one = {.partitions = 1, .replicas = -1};
	const char *name = place->topic;
	struct fault unused;
	int rc = cluster_partitions(c, name, &t->partitions, f);

	if (rc == STATUS_NO_TOPIC && opt.create) {
		rc = remote_admin_create(c, name, &one, false, f);
		if (rc == 0 || rc == STATUS_EXISTS)
			rc = cluster_partitions(c, name, &t->partitions, f);
	}
	if (rc != 0)
		return rc;
	/*
	 * Not everybody may see them: then they are taken to be as usual, and
	 * the cluster refuses what it does not like.
	 */
	c->o.timeout_ms /= 4;
	if (c->o.timeout_ms > SETTINGS_MS)
		c->o.timeout_ms = SETTINGS_MS;
	if (remote_admin_settings(c, &name, 1, take_setting, t, &unused) != 0 &&
	    cli_verbose > 0)
		warnx("%s: its settings are not to be seen", c->name);
	if (place->partition >= t->partitions)
		return STATUS_NO_TOPIC;
	return 0;
}

static int
open_remote_topic(const char *path, struct topic *t)
{
	static struct place place;
	static struct cluster_options cluster;
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	int rc;

	*t = (struct topic){.dirfd = -1};
	properties_init(&t->settings);
	places_parse_topic(path, &place);
	if (place.partition >= 0)
		set_partition(path, place.partition);
	strlcpy(t->name, place.topic, sizeof(t->name));
	places_cluster_options(&opt.places, NULL, &cluster);
	opt.w.remote = &place;
	opt.w.cluster = &cluster;
	rc = remote_admin_open(&place, &cluster, &c, &f);
	if (rc == 0)
		rc = ask_remote(c, &place, t, &f);
	cluster_close(c);
	if (rc == STATUS_NO_TOPIC) {
		warnx("%s: no such topic (logcreate %s, or --create)", path,
		    path);
		return CLI_FAIL;
	}
	return rc == 0 ? CLI_DONE : message_warn(path, rc, &f);
}

/* The topic to write, and in TOPIC/N its partition. */
static int
open_topic(const char *path, struct topic *t, char *topic_path)
{
	struct fault f = {.file = ""};
	struct properties defaults;
	char *slash;
	size_t end;
	int64_t n;
	int rc;

	strlcpy(topic_path, path, PATH_MAX);
	if (place_is_remote(path))
		return open_remote_topic(path, t);
	end = strlen(topic_path);
	while (end > 1 && topic_path[end - 1] == '/')
		topic_path[--end] = '\0';
	rc = topic_open(path, t, &f);
	if (rc == STATUS_NO_TOPIC && opt.create) {
		properties_init(&defaults);
		rc = topic_create(path, &defaults, 1, 0777);
		if (rc == 0 || rc == STATUS_EXISTS)
			rc = topic_open(path, t, &f);
	}
	slash = strrchr(topic_path, '/');
	if (rc == STATUS_NOT_TOPIC && slash != NULL && slash > topic_path &&
	    parse_int(slash + 1, 0, PARTITIONS_MAX, &n) == 0) {
		*slash = '\0';
		rc = topic_open(topic_path, t, &f);
		if (rc == 0 && n >= t->partitions)
			rc = STATUS_NO_TOPIC;
		if (rc == 0)
			set_partition(path, (int32_t)n);
	} else if (rc == STATUS_NOT_TOPIC) {
		rc = open_owner(path, t, topic_path, &f);
	}
	if (rc == STATUS_NO_TOPIC) {
		warnx("%s: no such topic (logcreate %s, or --create)", path,
		    path);
		return CLI_FAIL;
	}
	if (rc == STATUS_NOT_TOPIC) {
		warnx("%s: not a topic (no topic.properties in it)", path);
		return CLI_FAIL;
	}
	return rc == 0 ? CLI_DONE : message_warn(path, rc, &f);
}

/* What the topic says where the command line does not. */
static void
set_defaults(const struct topic *t)
{
	int64_t type =
	    properties_int(&t->settings, PROPERTIES_COMPRESSION_TYPE);
	int64_t bytes =
	    properties_int(&t->settings, PROPERTIES_MAX_MESSAGE_BYTES);

	if (!opt.has_codec && type != PROPERTIES_COMPRESSION_PRODUCER)
		opt.w.codec = (enum codec)(type - 1);
	opt.form.record_max = (size_t)bytes;
	if (opt.w.expect >= 0 && opt.w.partition < 0)
		opt.w.partition = 0;
	if (opt.w.expect >= 0)
		opt.w.batch_bytes = (size_t)bytes;
}

static void
check_topic(const struct topic *t)
{
	if (t->partitions > 1 && opt.w.partition < 0 && opt.batches)
		cli_usage("-B: a topic of several partitions needs -p N");
	if (t->partitions > 1 && opt.w.expect >= 0 && opt.w.partition < 0)
		cli_usage("--expect-offset: a topic of several partitions "
			  "needs -p N");
	if (opt.w.partition >= t->partitions)
		errx(CLI_FAIL, "%s: no partition %d (it has %d)", t->name,
		    (int)opt.w.partition, (int)t->partitions);
}

int
main(int argc, char **argv)
{
	static char topic_path[PATH_MAX];
	static char dash[] = "-";
	static char *const from_stdin[] = {dash, NULL};
	struct input run = {.timestamp = INT64_MIN};
	struct fault f = {.file = ""};
	char *const *files;
	int rc;

	cli_start(argv);
	options_parse(argc, argv);
	if (opt.timestamp != NULL &&
	    parse_time(opt.timestamp, now_wall_ms(), cli_utc, &run.timestamp) !=
		0)
		cli_usage("--timestamp %s: not a time", opt.timestamp);
	run.path = topic_path;
	rc = open_topic(argv[cli_operand], &run.topic, topic_path);
	if (rc != CLI_DONE)
		return rc;
	check_topic(&run.topic);
	set_defaults(&run.topic);
	rc = writer_open(topic_path, &run.topic, &opt.w, &run.writer, &f);
	if (rc != 0)
		return message_warn(topic_path, rc, &f);
	buf_init(&run.in, (size_t)RECORDS_BYTES_MAX * 8);
	buf_init(&run.headers, BATCH_BYTES_MAX);
	buf_init(&run.key, BATCH_BYTES_MAX);
	buf_init(&run.records, RECORDS_BYTES_MAX);
	catch_signals();
	files = cli_operand + 1 < argc ? argv + cli_operand + 1 : from_stdin;
	while (*files != NULL && input_take_file(&run, *files))
		files++;
	finish(&run);
	writer_close(run.writer);
	topic_close(&run.topic);
	if (input_signal != 0)
		die_by_signal(&run);
	buf_release(&run.in);
	buf_release(&run.headers);
	buf_release(&run.key);
	buf_release(&run.records);
	buf_release(&opt.headers);
	places_release(&opt.places);
	form_release(&opt.form);
	if (run.status == CLI_DONE)
		cli_close_stdout();
	return run.status;
}
