#include "options.h"

#include <limits.h>
#include <string.h>

#include "base/bounds.h"
#include "base/cli.h"
#include "base/parse.h"
#include "store/batch.h"
#include "text/json.h"

enum {
	OPT_KEY_FIELD = 256,
	OPT_TIME_FIELD,
	OPT_TIMESTAMP,
	OPT_PARTITIONER,
	OPT_DELETE,
	OPT_WHOLE,
	OPT_ON_BAD,
	OPT_MAX_RECORD,
	OPT_FSYNC,
	OPT_LINGER,
	OPT_BATCH_BYTES,
	OPT_EXPECT_OFFSET,
	OPT_REPORT,
	OPT_CREATE,
	OPT_NULL_STRING,
	OPT_KEEP_PARTITION,
};

enum { BATCH_BYTES = 256 << 10 };

static const struct cli_option options[] = {
    {'k', "key", "KEY", "key of records that have none"},
    {'H', "header", "NAME[=VALUE]",
	"add a header; without = its value is "
	"null"},
    {OPT_KEY_FIELD, "key-field", "PATH", "key from a JSON value: .user.id"},
    {OPT_TIME_FIELD, "time-field", "PATH", "timestamp from a JSON value"},
    {OPT_TIMESTAMP, "timestamp", "TIME",
	"timestamp of records that have "
	"none (now)"},
    {'p', "partition", "N", "to that partition (by key)"},
    {OPT_PARTITIONER, "partitioner", "NAME", "murmur2 or crc32"},
    {OPT_KEEP_PARTITION, "keep-partition", NULL,
	"with -J: to the partition that the envelope names"},
    {'z', "compress", "CODEC[:LEVEL]", "none, gzip, snappy, lz4 or zstd"},
    {'K', "key-delimiter", "STR", "records are KEY STR VALUE"},
    {'D', "delimiter", "STR", "records end with STR (newline)"},
    {'0', "null-delimiter", NULL, "records end with NUL"},
    {'J', "json", NULL, "records are envelopes, a line of JSON each"},
    {'F', "format", "FMT", "records follow a format string"},
    {'B', "batches", NULL, "input is record batches, as logcat -B prints"},
    {OPT_WHOLE, "whole", NULL, "each FILE is one record"},
    {OPT_DELETE, "delete", NULL,
	"each record is a key: write its "
	"tombstone"},
    {'Z', "null", NULL, "an empty field is null"},
    {OPT_NULL_STRING, "null-string", "STR", "a field equal to STR is null"},
    {OPT_ON_BAD, "on-bad", "WHAT", "at a bad record: fail or skip"},
    {OPT_MAX_RECORD, "max-record", "SIZE", "a longer record is bad"},
    {OPT_FSYNC, "fsync", "WHEN", "batch, always, none or DUR"},
    {OPT_LINGER, "linger", "DUR", "wait that long for more before writing"},
    {OPT_BATCH_BYTES, "batch-bytes", "SIZE", "size of a batch (256K)"},
    {OPT_EXPECT_OFFSET, "expect-offset", "N",
	"append only if the partition ends at N; else exit 4"},
    {OPT_REPORT, "report", NULL,
	"print TOPIC, PARTITION, OFFSET of each durable record"},
    {'T', "tee", NULL, "copy the input to stdout once it is durable"},
    {'i', "ignore-interrupts", NULL, "ignore INT"},
    {OPT_CREATE, "create", NULL, "make the topic if it is not there"},
    {'a', "acks", "WHO",
	"kafka://: wait for all replicas (all), the leader (1) or nobody (0)"},
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, places_options,
    places_options_client, NULL};

static const struct cli_program program = {
    "[OPTION]... TOPIC [FILE]...",
    "Append records to a topic: a line of the files, or of standard input, "
    "each.",
    tables,
};

struct options opt;

static void
set_header(char *arg)
{
	char *equals = strchr(arg, '=');
	struct bytes value = BYTES_NULL;
	int rc;

	if (equals != NULL) {
		*equals = '\0';
		value = bytes_of(equals + 1);
	}
	rc = record_headers_add(&opt.headers, bytes_of(arg), value);
	if (rc != 0 || ++opt.header_count > RECORD_HEADERS_MAX)
		cli_usage("-H: too many headers");
}

static void
set_fsync(const char *arg)
{
	if (strcmp(arg, "batch") == 0)
		opt.w.fsync = WRITER_FSYNC_BATCH;
	else if (strcmp(arg, "always") == 0)
		opt.w.fsync = WRITER_FSYNC_ALWAYS;
	else if (strcmp(arg, "none") == 0)
		opt.w.fsync = WRITER_FSYNC_NONE;
	else if (parse_duration(arg, &opt.w.fsync_ms) == 0)
		opt.w.fsync = opt.w.fsync_ms == 0 ? WRITER_FSYNC_ALWAYS
						  : WRITER_FSYNC_INTERVAL;
	else
		cli_usage("--fsync %s: not batch, always, none or a duration",
		    arg);
}

static void
set_acks(void)
{
	if (strcmp(cli_arg, "all") != 0 && strcmp(cli_arg, "1") != 0 &&
	    strcmp(cli_arg, "0") != 0)
		cli_usage("-a %s: not all, 1 or 0", cli_arg);
	opt.has_acks = true;
	opt.w.acks = cli_arg;
}

static void
set_format(void)
{
	const char *why = NULL;

	opt.forms++;
	opt.form.kind = FORM_FORMAT;
	if (format_compile(&opt.form.format, cli_arg, true, &why) != 0)
		cli_usage("-F %s: %s", cli_arg, why);
}

static void
set_null(const char *s)
{
	opt.null_marked = true;
	opt.form.line.null_in = s;
	opt.form.format.null_in = s;
}

static int64_t
size_arg(int id, int64_t min, int64_t max)
{
	int64_t n;

	if (parse_size(cli_arg, &n) != 0 || n < min || n > max)
		cli_usage("%s %s: not a size from %lld to %lld",
		    cli_option_name(&program, id), cli_arg, (long long)min,
		    (long long)max);
	return n;
}

static int64_t
int_arg(int id, int64_t max)
{
	int64_t n;

	if (parse_int(cli_arg, 0, max, &n) != 0)
		cli_usage("%s %s: not a number", cli_option_name(&program, id),
		    cli_arg);
	return n;
}

/* How the input is to be read. */
static void
set_form(int id)
{
	switch (id) {
	case 'K':
		opt.forms++;
		if (line_set_separator(&opt.form.line, cli_arg) != 0)
			cli_usage("-K %s: not a separator", cli_arg);
		break;
	case 'D':
		opt.delimited = true;
		if (line_set_delimiter(&opt.form.line, cli_arg) != 0)
			cli_usage("-D %s: not a delimiter", cli_arg);
		break;
	case '0':
		opt.delimited = true;
		opt.form.line.delimiter[0] = '\0';
		opt.form.line.delimiter_len = 1;
		break;
	case 'J':
		opt.forms += opt.form.kind != FORM_ENVELOPE;
		opt.form.kind = FORM_ENVELOPE;
		break;
	case 'F':
		set_format();
		break;
	case 'B':
		opt.forms += !opt.batches;
		opt.batches = true;
		break;
	case OPT_DELETE:
		opt.forms += !opt.form.line.is_delete;
		opt.form.line.is_delete = true;
		break;
	case OPT_WHOLE:
		opt.forms += !opt.whole;
		opt.whole = true;
		break;
	case 'Z':
		set_null("");
		break;
	case OPT_NULL_STRING:
		set_null(cli_arg);
		break;
	}
}

/* How records are written. */
static void
set_writing(int id)
{
	switch (id) {
	case 'p':
		opt.w.partition = (int32_t)int_arg(id, PARTITIONS_MAX);
		break;
	case 'z':
		opt.has_codec = true;
		if (codec_parse(cli_arg, &opt.w.codec, &opt.w.level) != 0)
			cli_usage("-z %s: not none, gzip, snappy, lz4 or zstd, "
				  "with a level it takes",
			    cli_arg);
		break;
	case OPT_PARTITIONER:
		if (partitioner_parse(cli_arg, &opt.w.partitioner) != 0)
			cli_usage("--partitioner %s: not murmur2 or crc32",
			    cli_arg);
		break;
	case OPT_FSYNC:
		opt.has_fsync = true;
		set_fsync(cli_arg);
		break;
	case OPT_BATCH_BYTES:
		opt.w.batch_bytes =
		    (size_t)size_arg(id, 1, BATCH_BYTES_MAX / 2);
		break;
	case OPT_EXPECT_OFFSET:
		opt.w.expect = int_arg(id, INT64_MAX);
		break;
	case OPT_REPORT:
		opt.w.report = true;
		break;
	case 'T':
		opt.w.tee = true;
		break;
	default:
		set_form(id);
		break;
	}
}

static void
set_option(int id)
{
	switch (id) {
	case 'k':
		opt.key = cli_arg;
		break;
	case 'H':
		set_header(cli_arg);
		break;
	case 'i':
		opt.ignore_int = true;
		break;
	case OPT_KEY_FIELD:
	case OPT_TIME_FIELD:
		if (json_check_path(cli_arg) != 0)
			cli_usage("%s %s: not a path like .user.id",
			    cli_option_name(&program, id), cli_arg);
		if (id == OPT_KEY_FIELD)
			opt.key_field = cli_arg;
		else
			opt.time_field = cli_arg;
		break;
	case OPT_TIMESTAMP:
		opt.timestamp = cli_arg;
		break;
	case OPT_KEEP_PARTITION:
		opt.keep_partition = true;
		break;
	case OPT_ON_BAD:
		opt.skip_bad = strcmp(cli_arg, "skip") == 0;
		if (!opt.skip_bad && strcmp(cli_arg, "fail") != 0)
			cli_usage("--on-bad %s: not fail or skip", cli_arg);
		break;
	case OPT_MAX_RECORD:
		opt.max_record = size_arg(id, 1, BATCH_BYTES_MAX / 2);
		break;
	case OPT_LINGER:
		if (parse_duration(cli_arg, &opt.linger_ms) != 0)
			cli_usage("--linger %s: not a duration", cli_arg);
		break;
	case OPT_CREATE:
		opt.create = true;
		break;
	case 'a':
		set_acks();
		break;
	default:
		if (!places_set(&opt.places, id))
			set_writing(id);
		break;
	}
}

/* What means something in one kind of place alone. */
static void
check_place(const char *operand)
{
	if (!place_is_remote(operand)) {
		if (opt.has_acks)
			cli_usage("-a is for kafka:// places; --fsync is what "
				  "a directory has");
		return;
	}
	if (opt.w.expect >= 0)
		places_refuse("--expect-offset",
		    "a cluster appends whatever the offset is");
	if (opt.has_fsync)
		places_refuse("--fsync", "-a says what to wait for");
	if (opt.w.report && strcmp(opt.w.acks, "0") == 0)
		cli_usage("--report does not go with -a 0: nobody tells the "
			  "offsets");
}

static void
check_options(void)
{
	if (opt.forms > 1)
		cli_usage("of -K, -J, -F, -B, --whole and --delete only one "
			  "may be given, once");
	if (opt.delimited && opt.whole)
		cli_usage("-D and -0 do not go with --whole");
	if (opt.delimited && (opt.batches || opt.form.kind != FORM_LINE))
		cli_usage("-D and -0 do not go with -J, -F and -B");
	if (opt.key != NULL &&
	    (opt.form.line.separator_len > 0 || opt.key_field != NULL ||
		opt.form.line.is_delete))
		cli_usage("-k does not go with -K, --key-field and --delete");
	if (opt.w.tee && opt.w.report)
		cli_usage("-T does not go with --report");
	if (opt.keep_partition && opt.form.kind != FORM_ENVELOPE)
		cli_usage("--keep-partition needs -J");
	if (opt.keep_partition && opt.w.partition >= 0)
		cli_usage("--keep-partition does not go with -p");
	if (opt.keep_partition && opt.w.expect >= 0)
		cli_usage("--keep-partition does not go with --expect-offset");
	if (opt.batches &&
	    (opt.key != NULL || opt.header_count > 0 || opt.key_field != NULL ||
		opt.time_field != NULL || opt.timestamp != NULL))
		cli_usage("-B does not go with options that change records");
	if (opt.batches && (opt.max_record >= 0 || opt.has_codec))
		cli_usage("-B copies batches: no -z, no --max-record");
	if (opt.batches && opt.w.expect >= 0)
		cli_usage("-B does not go with --expect-offset");
	if (opt.null_marked && (opt.batches || opt.form.kind == FORM_ENVELOPE))
		cli_usage("-Z and --null-string do not go with -J and -B");
}

void
options_parse(int argc, char **argv)
{
	int id;

	form_init(&opt.form);
	buf_init(&opt.headers, BATCH_BYTES_MAX);
	places_init(&opt.places);
	opt.max_record = -1;
	opt.w = (struct writer_options){
	    .level = INT_MIN,
	    .partition = -1,
	    .expect = -1,
	    .batch_bytes = BATCH_BYTES,
	    .acks = "all",
	};
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(id);
	if (cli_operand == argc)
		cli_usage("no topic named");
	check_options();
	places_take(&opt.places, 1, argv + cli_operand);
	check_place(argv[cli_operand]);
	opt.form.envelope.no_partition = !opt.keep_partition;
}
