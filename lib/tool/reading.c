/*
 * Options to a stream, the stream to stdout.
 */

#include "tool/reading.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/now.h"
#include "base/parse.h"
#include "base/status.h"
#include "store/partitioner.h"
#include "store/segment.h"
#include "store/stream.h"
#include "store/topic.h"
#include "store/watch.h"
#include "tool/cursor.h"
#include "tool/message.h"

enum {
	OPT_KEY_PARTITION = 300,
	OPT_GREP,
	OPT_PER_PARTITION,
	OPT_UNCOMMITTED,
	OPT_CONTROL,
	OPT_CURSOR_FILE,
	OPT_SKIP_CORRUPT,
	OPT_FAIL_EMPTY,
	OPT_VALUE,
	OPT_NULL_STRING,
	OPT_IDLE,
	OPT_RETRY,
};

enum {
	OUT_BYTES = 256 << 10,	/* written at once */
	PIPE_BYTES = 1 << 20,
	CURSOR_MS = 1000,
};

const struct cli_option reading_options[] = {
    {'p', "partition", "LIST", "only these partitions (0,2,5-7)"},
    {'o', "offset", "RANGE",
	"POS, POS:, :POS or POS:POS; a POS is start, "
	"end, stored, N, -N or @TIME"},
    {'S', "since", "TIME", "records from that time on"},
    {'U', "until", "TIME", "records before that time"},
    {'c', "count", "N", "stop after N records"},
    {'n', "lines", "N", "the last N records"},
    {OPT_PER_PARTITION, "per-partition", NULL, "with -n: N of each"},
    {'k', "key", "KEY", "only records with that key"},
    {OPT_KEY_PARTITION, "key-partition", NULL,
	"with -k: look only where the key's hash puts it"},
    {OPT_GREP, "grep", "RE", "only values that match (POSIX extended)"},
    {'m', "merge", NULL, "order all partitions by timestamp"},
    {'f', "follow", NULL, "wait for more"},
    {OPT_CURSOR_FILE, "cursor-file", "FILE",
	"go on where FILE says, and note there how far it came"},
    {OPT_UNCOMMITTED, "uncommitted", NULL,
	"aborted and open transactions, too"},
    {OPT_CONTROL, "control", NULL, "transaction markers, too"},
    {'K', "key-delimiter", "STR", "print KEY STR VALUE"},
    {'D', "delimiter", "STR", "end records with STR (newline)"},
    {'0', "null-delimiter", NULL, "end records with NUL"},
    {'J', "json", NULL, "print envelopes, a line of JSON each"},
    {OPT_VALUE, "value", "FORM",
	"in an envelope: auto, string, json, base64 or none"},
    {'F', "format", "FMT", "print by a format string"},
    {'B', "batches", NULL, "print record batches as they are stored"},
    {'Z', "null", NULL, "print null as NULL"},
    {OPT_NULL_STRING, "null-string", "STR", "print null as STR"},
    {OPT_SKIP_CORRUPT, "skip-corrupt", NULL,
	"report damage and go on behind it; exit 3"},
    {OPT_FAIL_EMPTY, "fail-empty", NULL, "exit 4 if nothing was printed"},
    {'e', NULL, NULL, "accepted, the default"},
    {'u', NULL, NULL, "accepted, the default"},
    {0, NULL, NULL, NULL},
};

const struct cli_option reading_options_tail[] = {
    {OPT_IDLE, "idle", "DUR", "exit 0 after so long without a record"},
    {OPT_RETRY, "retry", NULL, "wait for a topic that is not there"},
    {0, NULL, NULL, NULL},
};

void
reading_init(struct reading *r, const struct cli_program *program)
{
	memset(r, 0, sizeof(*r));
	r->program = program;
	r->count = r->last = r->idle_ms = -1;
	form_init(&r->form);
}

static int64_t
count_of(struct reading *r, int id)
{
	int64_t n;

	if (parse_int(cli_arg, 0, INT64_MAX, &n) != 0)
		cli_usage("%s %s: not a number",
		    cli_option_name(r->program, id), cli_arg);
	return n;
}

static void
set_format(struct reading *r)
{
	const char *why = NULL;

	r->forms++;
	r->form.kind = FORM_FORMAT;
	if (format_compile(&r->form.format, cli_arg, false, &why) != 0)
		cli_usage("-F %s: %s", cli_arg, why);
}

static void
set_null(struct reading *r, const char *s)
{
	r->null_marked = true;
	r->form.line.null_out = s;
	r->form.format.null_out = s;
}

/* The options that say how records look. */
static void
set_form(struct reading *r, int id)
{
	switch (id) {
	case 'K':
		r->forms++;
		if (line_set_separator(&r->form.line, cli_arg) != 0)
			cli_usage("-K %s: not a separator", cli_arg);
		break;
	case 'D':
		r->delimited = true;
		if (line_set_delimiter(&r->form.line, cli_arg) != 0)
			cli_usage("-D %s: not a delimiter", cli_arg);
		break;
	case '0':
		r->delimited = true;
		r->form.line.delimiter[0] = '\0';
		r->form.line.delimiter_len = 1;
		break;
	case 'J':
		r->forms++;
		r->form.kind = FORM_ENVELOPE;
		break;
	case 'F':
		set_format(r);
		break;
	case 'B':
		r->forms++;
		r->batches = true;
		break;
	case 'Z':
		set_null(r, "NULL");
		break;
	case OPT_NULL_STRING:
		set_null(r, cli_arg);
		break;
	case OPT_VALUE:
		if (envelope_parse_value(cli_arg, &r->form.value_mode) != 0)
			cli_usage("--value %s: not auto, string, json, "
				  "base64 or none",
			    cli_arg);
		break;
	}
}

void
reading_set(struct reading *r, int id)
{
	switch (id) {
	case 'p':
		r->partitions = cli_arg;
		break;
	case 'o':
		r->range = cli_arg;
		break;
	case 'S':
		r->since = cli_arg;
		break;
	case 'U':
		r->until = cli_arg;
		break;
	case 'c':
		r->count = count_of(r, id);
		break;
	case 'n':
		r->last = count_of(r, id);
		break;
	case 'k':
		r->key = cli_arg;
		break;
	case 'm':
		r->merge = true;
		break;
	case 'f':
		r->follow = true;
		break;
	case OPT_PER_PARTITION:
		r->per_partition = true;
		break;
	case OPT_KEY_PARTITION:
		r->key_partition = true;
		break;
	case OPT_GREP:
		r->grep = cli_arg;
		break;
	case OPT_UNCOMMITTED:
		r->uncommitted = true;
		break;
	case OPT_CONTROL:
		r->control = true;
		break;
	case OPT_CURSOR_FILE:
		r->cursor_file = cli_arg;
		break;
	case OPT_SKIP_CORRUPT:
		r->skip_corrupt = true;
		break;
	case OPT_FAIL_EMPTY:
		r->fail_empty = true;
		break;
	case OPT_RETRY:
		r->retry = true;
		break;
	case OPT_IDLE:
		if (parse_duration(cli_arg, &r->idle_ms) != 0)
			cli_usage("--idle %s: not a duration (10s, 5m)",
			    cli_arg);
		break;
	default:
		set_form(r, id);
		break;
	}
}

/* A run: everything that comes of the options. */
struct run {
	struct reading *r;
	struct partition_list partitions;
	struct range range;
	struct stream_filter filter;
	regex_t regex;
	int64_t now_ms;
	struct stream *stream;
	struct watch *watch;
	struct topic_place *places;	/* one per operand */
	char **paths;
	size_t count;
	struct cursor cursor;
	int64_t cursor_ms;		/* monotonic, last written */
	bool cursor_dirty;
	struct buf out;
	int64_t printed;
	int64_t event_ms;		/* monotonic, of the last record */
	int worst;
};

static volatile sig_atomic_t caught;

static void
on_signal(int sig)
{
	caught = sig;
}

static void
catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal}, old;
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < 3; i++) {
		sigaction(signals[i], NULL, &old);
		/* nohup and & of a shell ignore some: leave it so. */
		if (old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
	}
}

static void
parse_times(struct run *run)
{
	struct reading *r = run->r;

	if (r->range != NULL &&
	    parse_range(r->range, run->now_ms, cli_utc, &run->range) != 0)
		cli_usage("-o %s: not a range", r->range);
	if (r->range == NULL)
		run->range = (struct range){.from = {r->cursor_file != NULL
						    ? POSITION_STORED
						    : POSITION_START,
						0},
		    .to = {POSITION_END, 0}};
	if (r->since != NULL &&
	    parse_time(r->since, run->now_ms, cli_utc, &run->filter.since) != 0)
		cli_usage("-S %s: not a time", r->since);
	if (r->until != NULL &&
	    parse_time(r->until, run->now_ms, cli_utc, &run->filter.until) != 0)
		cli_usage("-U %s: not a time", r->until);
	if ((run->range.from.kind == POSITION_STORED ||
		run->range.to.kind == POSITION_STORED) &&
	    r->cursor_file == NULL)
		cli_usage("-o stored: needs --cursor-file");
}

static void
check_options(struct reading *r)
{
	if (r->forms > 1)
		cli_usage("-K, -J, -F and -B exclude each other");
	if (r->delimited && (r->batches || r->form.kind != FORM_LINE))
		cli_usage("-D and -0 do not go with -J, -F and -B");
	if (r->batches && (r->key != NULL || r->grep != NULL))
		cli_usage("-B does not go with -k and --grep");
	if (r->batches && r->merge)
		cli_usage("-B does not go with -m");
	if (r->last >= 0 && r->cursor_file != NULL)
		cli_usage("-n does not go with --cursor-file");
	if (r->key_partition && r->key == NULL)
		cli_usage("--key-partition needs -k");
}

static void
prepare(struct run *run)
{
	struct reading *r = run->r;
	char why[128];
	int rc;

	check_options(r);
	if (r->partitions != NULL &&
	    parse_partitions(r->partitions, &run->partitions) != 0)
		cli_usage("-p %s: not a list of partitions", r->partitions);
	run->now_ms = now_wall_ms();
	run->filter = STREAM_FILTER_NONE;
	parse_times(run);
	if (r->key != NULL) {
		run->filter.has_key = true;
		run->filter.key = bytes_of(r->key);
	}
	if (r->grep != NULL) {
		rc = regcomp(&run->regex, r->grep, REG_EXTENDED);
		if (rc != 0) {
			regerror(rc, &run->regex, why, sizeof(why));
			cli_usage("--grep %s: %s", r->grep, why);
		}
		run->filter.grep = &run->regex;
	}
	cursor_init(&run->cursor);
	if (r->cursor_file != NULL) {
		rc = cursor_read(&run->cursor, r->cursor_file);
		if (rc != 0)
			errx(CLI_FAIL, "%s: %s", r->cursor_file,
			    rc == STATUS_SYNTAX ? "not a cursor file"
						: status_text(rc));
	}
	buf_init(&run->out, RECORDS_BYTES_MAX);
}

static void
worsen(struct run *run, int status)
{
	/* Damage tells more than a plain failure. */
	if (run->worst != CLI_DAMAGE && status != CLI_DONE)
		run->worst = status;
}

/* Write what was printed.  A reader that has gone ends us quietly. */
static void
flush_out(struct run *run)
{
	int rc = io_write_full(STDOUT_FILENO, run->out.data, run->out.len);

	run->out.len = 0;
	if (rc == EPIPE)
		exit(CLI_FAIL);
	if (rc != 0)
		errx(CLI_FAIL, "stdout: %s", status_text(rc));
}

/* Note in the cursor file how far what was written goes. */
static void
commit(struct run *run, bool now)
{
	const char *topic;
	int32_t number;
	int64_t offset;
	int rc = 0;

	if (run->r->cursor_file == NULL || !run->cursor_dirty)
		return;
	if (!now && now_mono_ms() - run->cursor_ms < CURSOR_MS)
		return;
	for (size_t i = 0; rc == 0 && i < stream_count(run->stream); i++) {
		stream_position(run->stream, i, &topic, &number, &offset);
		rc = cursor_set(&run->cursor, topic, number, offset);
	}
	if (rc == 0)
		rc = cursor_write(&run->cursor, run->r->cursor_file);
	if (rc != 0)
		errx(CLI_FAIL, "%s: %s", run->r->cursor_file, status_text(rc));
	run->cursor_ms = now_mono_ms();
	run->cursor_dirty = false;
}

static int
stream_flags(const struct run *run)
{
	const struct reading *r = run->r;
	int flags = 0;

	if (r->uncommitted)
		flags |= READER_UNCOMMITTED;
	if (r->control)
		flags |= READER_CONTROL;
	if (r->merge || (r->last >= 0 && !r->per_partition && !r->batches))
		flags |= STREAM_MERGE;
	return flags;
}

/* The directory of one partition of an operand. */
static void
partition_path_of(const struct run *run, size_t i, int32_t number,
    char path[PATH_MAX])
{
	const struct topic_place *place = &run->places[i];
	char copy[PATH_MAX];

	if (place->kind == TOPIC_PLACE_TOPIC) {
		snprintf(path, PATH_MAX, "%s/%d", run->paths[i], (int)number);
	} else if (place->kind == TOPIC_PLACE_SEGMENT) {
		strlcpy(copy, run->paths[i], sizeof(copy));
		strlcpy(path, dirname(copy), PATH_MAX);
	} else {
		strlcpy(path, run->paths[i], PATH_MAX);
	}
}

/* One segment file is the range of its offsets. */
static int
clip_to_segment(struct partition *p, int64_t base, int64_t *from, int64_t *to)
{
	struct segment_list l;
	int rc = segment_list_read(partition_dirfd(p), ".log", &l);

	if (rc != 0)
		return rc;
	if (*from < base)
		*from = base;
	for (size_t i = 0; i < l.count; i++)
		if (l.bases[i] > base && l.bases[i] < *to)
			*to = l.bases[i];
	segment_list_release(&l);
	return 0;
}

/* Where the end of a source is. */
static int
resolve_end(struct run *run, struct partition *p, int64_t stored, int64_t *to,
    struct fault *f)
{
	const struct range *range = &run->range;
	int64_t end;
	const struct position last = {POSITION_END, 0};
	int rc = stream_resolve(p, stream_flags(run), &last, -1, &end, NULL, f);

	if (rc != 0)
		return rc;
	*to = run->r->follow ? INT64_MAX : end;
	if (!range->has_to || range->to.kind == POSITION_END) {
		/* "-o X:end -f" ends where the end is now. */
		if (range->has_to)
			*to = end;
		return 0;
	}
	if (run->r->follow && range->to.kind == POSITION_OFFSET) {
		*to = range->to.n;
		return 0;
	}
	rc = stream_resolve(p, stream_flags(run), &range->to, stored, to, NULL,
	    f);
	if (rc == 0 && run->r->follow && range->to.kind == POSITION_TIME &&
	    *to == end)
		*to = INT64_MAX;
	return rc;
}

/* The records of one partition that are wanted: [*from, *to). */
static int
resolve(struct run *run, struct partition *p, size_t i, int32_t number,
    int64_t *from, int64_t *to, struct fault *f)
{
	const struct topic_place *place = &run->places[i];
	struct position at = run->range.from;
	int64_t stored = cursor_get(&run->cursor, place->name, number), later;
	int clamped, rc;

	if (at.kind == POSITION_STORED && stored < 0)
		at.kind = POSITION_START;
	rc = stream_resolve(p, stream_flags(run), &at, stored, from, &clamped,
	    f);
	if (rc == 0 && clamped < 0)
		cli_warn("%s/%d: offset %lld is gone, starting at %lld",
		    place->name, (int)number,
		    (long long)(at.kind == POSITION_STORED ? stored : at.n),
		    (long long)*from);
	if (rc == 0 && run->r->since != NULL) {
		at = (struct position){POSITION_TIME, run->filter.since};
		rc = stream_resolve(p, stream_flags(run), &at, -1, &later, NULL,
		    f);
		if (rc == 0 && later > *from)
			*from = later;
	}
	if (rc == 0)
		rc = resolve_end(run, p, stored, to, f);
	if (rc == 0 && place->segment >= 0)
		rc = clip_to_segment(p, place->segment, from, to);
	return rc;
}

static int
add_partition(struct run *run, size_t i, int32_t number)
{
	char path[PATH_MAX];
	struct partition *p = NULL;
	struct fault f = {.file = ""};
	int64_t from, to;
	int rc;

	partition_path_of(run, i, number, path);
	rc = partition_open(path, PARTITION_READ, &partition_defaults, &p, &f);
	if (rc == 0)
		rc = resolve(run, p, i, number, &from, &to, &f);
	if (rc != 0) {
		partition_close(p);
		return message_warn(path, rc, &f);
	}
	rc = stream_add(run->stream, p, run->places[i].name, number, from, to,
	    &f);
	if (rc == 0 && run->watch != NULL)
		rc = watch_add(run->watch, path);
	return rc == 0 ? CLI_DONE : (int)message_warn(path, rc, &f);
}

static bool
is_chosen(const struct run *run, const struct topic_place *place,
    int32_t number)
{
	if (!parse_partitions_has(&run->partitions, number))
		return false;
	if (!run->r->key_partition || place->kind != TOPIC_PLACE_TOPIC)
		return true;
	return partitioner_partition(PARTITIONER_MURMUR2, run->filter.key,
		   place->count) == number;
}

/* A partition that was asked for must be there. */
static int
check_partitions(const struct run *run, size_t i)
{
	const struct topic_place *place = &run->places[i];

	for (size_t k = 0; k < run->partitions.count; k++) {
		int32_t last = run->partitions.spans[k].last;

		if (place->kind == TOPIC_PLACE_TOPIC && last >= place->count) {
			warnx("%s: no partition %d (it has %d)", run->paths[i],
			    (int)last, (int)place->count);
			return CLI_FAIL;
		}
	}
	return CLI_DONE;
}

static int
add_place(struct run *run, size_t i, int32_t first)
{
	const struct topic_place *place = &run->places[i];
	int status = check_partitions(run, i);

	for (int32_t n = first;
	     status == CLI_DONE && n < place->first + place->count; n++)
		if (is_chosen(run, place, n))
			status = add_partition(run, i, n);
	if (status == CLI_DONE && run->watch != NULL &&
	    place->kind == TOPIC_PLACE_TOPIC)
		(void)watch_add(run->watch, run->paths[i]);
	return status;
}

/* Wait until there may be a topic of that name. */
static void
wait_for_topic(struct run *run, const char *path)
{
	char copy[PATH_MAX];
	bool changed;

	strlcpy(copy, path, sizeof(copy));
	(void)watch_add(run->watch, dirname(copy));
	(void)watch_wait(run->watch, 200, -1, &changed);
}

static int
locate(struct run *run, size_t i)
{
	struct fault f = {.file = ""};
	const char *path = run->paths[i];
	int rc;

	for (;;) {
		rc = topic_locate(path, &run->places[i], &f);
		if (rc != STATUS_NO_TOPIC || !run->r->retry ||
		    !run->r->follow || caught != 0)
			break;
		wait_for_topic(run, path);
	}
	if (rc == STATUS_UNSUPPORTED) {
		warnx("%s: not a local place (./NAME if it is one)", path);
		return CLI_FAIL;
	}
	return rc == 0 ? CLI_DONE : (int)message_warn(path, rc, &f);
}

/* How many partitions will be read, at most. */
static size_t
expected_sources(const struct run *run)
{
	size_t n = 0;

	for (size_t i = 0; i < run->count; i++)
		n += (size_t)run->places[i].count;
	return n;
}

static int
open_stream(struct run *run)
{
	struct fault f = {.file = ""};
	struct reading *r = run->r;
	int status = CLI_DONE, rc;

	for (size_t i = 0; status == CLI_DONE && i < run->count; i++)
		status = locate(run, i);
	if (status != CLI_DONE)
		return status;
	rc = stream_open(stream_flags(run), &run->filter, expected_sources(run),
	    &run->stream);
	if (rc != 0)
		return message_warn("stream", rc, NULL);
	for (size_t i = 0; status == CLI_DONE && i < run->count; i++)
		status = add_place(run, i, run->places[i].first);
	if (status != CLI_DONE)
		return status;
	if (r->batches && stream_count(run->stream) > 1)
		cli_usage("-B: one partition's; choose it with -p");
	if (r->last >= 0) {
		rc = stream_last(run->stream, r->last, r->per_partition, &f);
		if (rc != 0)
			return message_warn("stream", rc, &f);
	}
	return CLI_DONE;
}

/* What stopped the stream is told; true: go on. */
static bool
get_over(struct run *run, int rc, const struct fault *f)
{
	struct fault again = {.file = ""};
	int64_t from, to;

	if (rc == STATUS_OFFSET) {
		cli_warn("%s: records up to offset %lld were deleted while "
			 "reading",
		    f->file, (long long)f->offset - 1);
		return true;
	}
	worsen(run, message_warn(f->file, rc, f));
	if (!run->r->skip_corrupt ||
	    (rc != STATUS_CORRUPT && rc != STATUS_UNSUPPORTED))
		return false;
	rc = stream_skip(run->stream, &from, &to, &again);
	if (rc != 0) {
		worsen(run, message_warn(f->file, rc, &again));
		return false;
	}
	warnx("%s: skipped offsets %lld to %lld", f->file, (long long)from,
	    (long long)to - 1);
	return true;
}

/* One record or batch into the output buffer; a status of the stream. */
static int
print_next(struct run *run, struct fault *f)
{
	struct reading *r = run->r;
	struct stream_record rec;
	const uint8_t *data;
	size_t len;
	int64_t count = 1;
	int rc;

	if (r->batches) {
		rc = stream_next_batch(run->stream,
		    r->count < 0 ? INT64_MAX : r->count - run->printed, &data,
		    &len, &count, f);
		if (rc == 0)
			rc = buf_add(&run->out, data, len);
	} else {
		rc = stream_next(run->stream, &rec, f);
		if (rc != 0)
			return rc;
		rc = form_write(&r->form, rec.topic, rec.partition, &rec.rec,
		    &run->out);
		if (rc == STATUS_SYNTAX)
			errx(CLI_FAIL,
			    "%s/%d: offset %lld: its bytes cannot "
			    "be printed in this form",
			    rec.topic, (int)rec.partition,
			    (long long)rec.rec.offset);
	}
	if (rc == 0)
		run->printed += count;
	return rc;
}

/* Print all there is.  True: more may come. */
static bool
print_all(struct run *run)
{
	struct fault f = {.file = ""};
	int64_t before = run->printed;
	int rc = 0;

	while (caught == 0 &&
	    (run->r->count < 0 || run->printed < run->r->count)) {
		rc = print_next(run, &f);
		if (rc == 0 && run->out.len < OUT_BYTES)
			continue;
		if (rc == STATUS_END)
			break;
		if (rc == STATUS_REMOVED && run->r->follow)
			break;
		if (run->out.len > 0)
			flush_out(run);
		if (rc != 0 && !get_over(run, rc, &f))
			return false;
		run->cursor_dirty = true;
		commit(run, false);
	}
	if (run->out.len > 0)
		flush_out(run);
	if (run->printed > before) {
		run->cursor_dirty = true;
		run->event_ms = now_mono_ms();
	}
	if (rc == STATUS_END && stream_is_over(run->stream))
		return false;
	return caught == 0 && rc == STATUS_END &&
	    (run->r->count < 0 || run->printed < run->r->count);
}

/* Has the operand's topic been removed, or replaced by another? */
static bool
is_removed(const struct run *run, size_t i)
{
	const struct topic_place *place = &run->places[i];
	struct stat now, then;
	int fd = place->kind == TOPIC_PLACE_TOPIC ? place->topic.dirfd
						  : place->dirfd;
	char path[PATH_MAX];

	if (place->kind == TOPIC_PLACE_TOPIC)
		strlcpy(path, run->paths[i], sizeof(path));
	else
		partition_path_of(run, i, place->first, path);
	return stat(path, &now) != 0 || fstat(fd, &then) != 0 ||
	    now.st_ino != then.st_ino || now.st_dev != then.st_dev;
}

/* New partitions of followed topics are read from their beginning. */
static int
take_new_partitions(struct run *run)
{
	struct fault f;
	int status = CLI_DONE;

	for (size_t i = 0; status == CLI_DONE && i < run->count; i++) {
		struct topic_place *place = &run->places[i];
		struct topic now;
		int32_t before = place->count;

		if (place->kind != TOPIC_PLACE_TOPIC ||
		    topic_open(run->paths[i], &now, &f) != 0)
			continue;
		place->count = now.partitions;
		topic_close(&now);
		if (place->count > before) {
			struct range range = run->range;

			run->range.from.kind = POSITION_START;
			status = add_place(run, i, before);
			run->range = range;
		}
	}
	return status;
}

static void
close_stream(struct run *run)
{
	stream_close(run->stream);
	run->stream = NULL;
	for (size_t i = 0; i < run->count; i++)
		topic_place_close(&run->places[i]);
}

/* Wait for a change.  False: it is over. */
static bool
wait_for_more(struct run *run)
{
	struct fault f = {.file = ""};
	int64_t wait_ms = -1;
	bool changed = false;
	int rc;

	if (run->r->idle_ms >= 0) {
		wait_ms = run->event_ms + run->r->idle_ms - now_mono_ms();
		if (wait_ms <= 0)
			return false;
	}
	commit(run, false);
	if (run->cursor_dirty && (wait_ms < 0 || wait_ms > CURSOR_MS))
		wait_ms = CURSOR_MS;
	rc = watch_wait(run->watch, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms,
	    STDOUT_FILENO, &changed);
	if (rc == EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	if (rc != 0 || !changed)
		return caught == 0;
	rc = stream_refresh(run->stream, &f);
	if (rc != 0) {
		worsen(run, message_warn(f.file, rc, &f));
		return false;
	}
	return true;
}

/* A followed topic has gone.  True: another has come (--retry). */
static bool
survive_removal(struct run *run, size_t i)
{
	if (!run->r->retry) {
		warnx("%s: removed", run->paths[i]);
		worsen(run, CLI_FAIL);
		return false;
	}
	cli_warn("%s: removed; waiting for it to come back", run->paths[i]);
	commit(run, true);
	close_stream(run);
	run->range.from.kind = POSITION_START;
	run->r->last = -1;
	worsen(run, open_stream(run));
	return run->worst == CLI_DONE && caught == 0;
}

static void
follow(struct run *run)
{
	bool more = true;

	run->event_ms = now_mono_ms();
	while (more && print_all(run)) {
		more = wait_for_more(run);
		for (size_t i = 0; more && i < run->count; i++)
			if (is_removed(run, i))
				more =
				    print_all(run) && survive_removal(run, i);
		if (more && take_new_partitions(run) != CLI_DONE) {
			worsen(run, CLI_FAIL);
			more = false;
		}
	}
}

static void
run_stream(struct run *run)
{
	if (run->r->follow) {
		if (watch_open(&run->watch) != 0)
			err(CLI_FAIL, "inotify");
	}
	worsen(run, open_stream(run));
	if (run->worst != CLI_DONE)
		return;
	(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	if (run->r->follow)
		follow(run);
	else
		(void)print_all(run);
	/* Control batches behind the last record count, too. */
	run->cursor_dirty = true;
	commit(run, true);
}

int
reading_run(struct reading *r, int operands, char **operand)
{
	struct run run = {.r = r};

	if (operands == 0)
		cli_usage("no topic named");
	prepare(&run);
	run.count = (size_t)operands;
	run.paths = operand;
	run.places = calloc(run.count, sizeof(*run.places));
	if (run.places == NULL)
		err(CLI_FAIL, NULL);
	for (size_t i = 0; i < run.count; i++) {
		run.places[i].dirfd = -1;
		run.places[i].topic.dirfd = -1;
	}
	catch_signals();
	run_stream(&run);
	close_stream(&run);
	watch_close(run.watch);
	cursor_release(&run.cursor);
	buf_release(&run.out);
	if (run.filter.grep != NULL)
		regfree(&run.regex);
	free(run.places);
	form_release(&r->form);
	if (caught != 0) {
		signal(caught, SIG_DFL);
		raise(caught);
	}
	if (run.worst == CLI_DONE && r->fail_empty && run.printed == 0)
		return CLI_CONDITION;
	return run.worst;
}
