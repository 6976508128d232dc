/*
 * The options that logcat and logtail share.
 */

#include "tool/reading.h"

#include <string.h>

#include "base/parse.h"
#include "store/keymap.h"

enum {
	OPT_KEY_PARTITION = 300,
	OPT_GREP,
	OPT_KEY_REGEX,
	OPT_MATCH_HEADER,
	OPT_INVERT,
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
	OPT_EXEC,
	OPT_JOBS,
	OPT_RETRIES,
	OPT_DEAD_LETTER,
	OPT_LATEST,
	OPT_MEMORY,
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
    {OPT_KEY_REGEX, "key-regex", "RE", "only keys that match"},
    {OPT_MATCH_HEADER, "match-header", "NAME[=VALUE]",
	"only records with such a header"},
    {OPT_INVERT, "invert", NULL,
	"only what -k, --grep, --key-regex, --match-header do not let through"},
    {'m', "merge", NULL, "order all partitions by timestamp"},
    {'r', "reverse", NULL, "the last first"},
    {OPT_LATEST, "latest", NULL,
	"only the last record of each key, unless that is a tombstone"},
    {OPT_MEMORY, "memory", "SIZE",
	"with --latest: memory for keys (128M); more keys take more passes"},
    {'f', "follow", NULL, "wait for more"},
    {'g', "group", "GROUP",
	"share the partitions with the group's other members, and go on where "
	"it stopped"},
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
    {OPT_EXEC, "exec", "CMD",
	"with -g: run CMD for each record, with its value as input"},
    {OPT_JOBS, "jobs", "N", "run N commands at a time (1)"},
    {OPT_RETRIES, "retries", "N", "try N times more what fails (0)"},
    {OPT_DEAD_LETTER, "dead-letter", "TOPIC",
	"append there what fails for good, and go on"},
    {0, NULL, NULL, NULL},
};

void
reading_init(struct reading *r, const struct cli_program *program)
{
	memset(r, 0, sizeof(*r));
	r->program = program;
	r->count = r->last = r->idle_ms = r->memory = -1;
	r->jobs = 1;
	form_init(&r->form);
	places_init(&r->places);
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
		r->forms += r->form.kind != FORM_ENVELOPE;
		r->form.kind = FORM_ENVELOPE;
		break;
	case 'F':
		set_format(r);
		break;
	case 'B':
		r->forms += !r->batches;
		r->batches = true;
		break;
	case 'Z':
		set_null(r, "NULL");
		break;
	case OPT_NULL_STRING:
		set_null(r, cli_arg);
		break;
	case OPT_VALUE:
		r->has_value = true;
		if (envelope_parse_value(cli_arg, &r->form.value_mode) != 0)
			cli_usage("--value %s: not auto, string, json, "
				  "base64 or none",
			    cli_arg);
		break;
	}
}

/* A choice that is made once: of two nobody knows which is meant. */
static void
set_once(struct reading *r, int id, const char **what)
{
	if (*what != NULL)
		cli_usage("%s is given twice", cli_option_name(r->program, id));
	*what = cli_arg;
}

/* The options that choose by key, value and headers, and whether it is one. */
static bool
set_filter(struct reading *r, int id)
{
	switch (id) {
	case 'k':
		set_once(r, id, &r->key);
		break;
	case OPT_KEY_PARTITION:
		r->key_partition = true;
		break;
	case OPT_GREP:
		set_once(r, id, &r->grep);
		break;
	case OPT_KEY_REGEX:
		set_once(r, id, &r->key_grep);
		break;
	case OPT_MATCH_HEADER:
		set_once(r, id, &r->header);
		break;
	case OPT_INVERT:
		r->invert = true;
		break;
	case OPT_LATEST:
		r->latest = true;
		break;
	case OPT_MEMORY:
		if (parse_size(cli_arg, &r->memory) != 0 ||
		    r->memory < KEYMAP_BYTES_MIN)
			cli_usage("--memory %s: not a size of 64K or more",
			    cli_arg);
		break;
	default:
		return false;
	}
	return true;
}

/* The options of a work queue.  False: it is none of them. */
static bool
set_queue(struct reading *r, int id)
{
	switch (id) {
	case OPT_EXEC:
		r->exec = cli_arg;
		break;
	case OPT_JOBS:
		r->jobs = count_of(r, id);
		break;
	case OPT_RETRIES:
		r->retries = count_of(r, id);
		break;
	case OPT_DEAD_LETTER:
		r->dead_letter = cli_arg;
		break;
	default:
		return false;
	}
	return true;
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
	case 'g':
		r->group = cli_arg;
		break;
	case 'm':
		r->merge = true;
		break;
	case 'r':
		r->reverse = true;
		break;
	case 'f':
		r->follow = true;
		break;
	case OPT_PER_PARTITION:
		r->per_partition = true;
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
		if (!set_filter(r, id) && !set_queue(r, id) &&
		    !places_set(&r->places, id))
			set_form(r, id);
		break;
	}
}
