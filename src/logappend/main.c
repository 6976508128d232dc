/*
 * logappend: standard input or files into a topic, a record per line (or per
 * envelope, or as a format string says), durable when it exits with 0.
 */

#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/now.h"
#include "base/parse.h"
#include "store/batch.h"
#include "store/topic.h"
#include "text/form.h"
#include "text/json.h"
#include "tool/message.h"
#include "writer.h"

enum {
	OPT_KEY_FIELD = 256,
	OPT_TIME_FIELD,
	OPT_TIMESTAMP,
	OPT_PARTITIONER,
	OPT_DELETE,
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

enum {
	READ_BYTES = 256 << 10,
	PIPE_BYTES = 1 << 20,
	BATCH_BYTES = 256 << 10,
};

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
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, NULL};

static const struct cli_program program = {
    "[OPTION]... TOPIC [FILE]...",
    "Append records to a topic: a line of the files, or of standard input, "
    "each.",
    tables,
};

/* What was said. */
static struct {
	const char *key;
	const char *key_field;
	const char *time_field;
	const char *timestamp;
	const char *max_record;
	struct buf headers;		/* encoded, to be added */
	int32_t header_count;
	bool has_codec;
	bool batches;
	bool skip_bad;
	bool keep_partition;
	bool create;
	bool delimited;
	bool ignore_int;
	int forms;
	int64_t linger_ms;
	struct form form;
	struct writer_options w;
} o;

static volatile sig_atomic_t caught;

static void catch (int sig)
{
	/* A second one does not wait for anything. */
	if (caught != 0) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	caught = sig;
}

/* --- options --- */

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
	rc = record_headers_add(&o.headers, bytes_of(arg), value);
	if (rc != 0 || ++o.header_count > RECORD_HEADERS_MAX)
		cli_usage("-H: too many headers");
}

static void
set_fsync(const char *arg)
{
	if (strcmp(arg, "batch") == 0)
		o.w.fsync = WRITER_FSYNC_BATCH;
	else if (strcmp(arg, "always") == 0)
		o.w.fsync = WRITER_FSYNC_ALWAYS;
	else if (strcmp(arg, "none") == 0)
		o.w.fsync = WRITER_FSYNC_NONE;
	else if (parse_duration(arg, &o.w.fsync_ms) == 0)
		o.w.fsync = o.w.fsync_ms == 0 ? WRITER_FSYNC_ALWAYS
					      : WRITER_FSYNC_INTERVAL;
	else
		cli_usage("--fsync %s: not batch, always, none or a duration",
		    arg);
}

static void
set_format(void)
{
	const char *why = NULL;

	o.forms++;
	o.form.kind = FORM_FORMAT;
	if (format_compile(&o.form.format, cli_arg, true, &why) != 0)
		cli_usage("-F %s: %s", cli_arg, why);
}

static void
set_null(const char *s)
{
	o.form.line.null_in = s;
	o.form.format.null_in = s;
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
		o.forms++;
		if (line_set_separator(&o.form.line, cli_arg) != 0)
			cli_usage("-K %s: not a separator", cli_arg);
		break;
	case 'D':
		o.delimited = true;
		if (line_set_delimiter(&o.form.line, cli_arg) != 0)
			cli_usage("-D %s: not a delimiter", cli_arg);
		break;
	case '0':
		o.delimited = true;
		o.form.line.delimiter[0] = '\0';
		o.form.line.delimiter_len = 1;
		break;
	case 'J':
		o.forms++;
		o.form.kind = FORM_ENVELOPE;
		break;
	case 'F':
		set_format();
		break;
	case 'B':
		o.forms++;
		o.batches = true;
		break;
	case OPT_DELETE:
		o.forms++;
		o.form.line.is_delete = true;
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
		o.w.partition = (int32_t)int_arg(id, PARTITIONS_MAX);
		break;
	case 'z':
		o.has_codec = true;
		if (codec_parse(cli_arg, &o.w.codec, &o.w.level) != 0)
			cli_usage("-z %s: not none, gzip, snappy, lz4 or zstd, "
				  "with a level it takes",
			    cli_arg);
		break;
	case OPT_PARTITIONER:
		if (partitioner_parse(cli_arg, &o.w.partitioner) != 0)
			cli_usage("--partitioner %s: not murmur2 or crc32",
			    cli_arg);
		break;
	case OPT_FSYNC:
		set_fsync(cli_arg);
		break;
	case OPT_BATCH_BYTES:
		o.w.batch_bytes = (size_t)size_arg(id, 1, BATCH_BYTES_MAX / 2);
		break;
	case OPT_EXPECT_OFFSET:
		o.w.expect = int_arg(id, INT64_MAX);
		break;
	case OPT_REPORT:
		o.w.report = true;
		break;
	case 'T':
		o.w.tee = true;
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
		o.key = cli_arg;
		break;
	case 'H':
		set_header(cli_arg);
		break;
	case 'i':
		o.ignore_int = true;
		break;
	case OPT_KEY_FIELD:
	case OPT_TIME_FIELD:
		if (json_check_path(cli_arg) != 0)
			cli_usage("%s %s: not a path like .user.id",
			    cli_option_name(&program, id), cli_arg);
		if (id == OPT_KEY_FIELD)
			o.key_field = cli_arg;
		else
			o.time_field = cli_arg;
		break;
	case OPT_TIMESTAMP:
		o.timestamp = cli_arg;
		break;
	case OPT_KEEP_PARTITION:
		o.keep_partition = true;
		break;
	case OPT_ON_BAD:
		o.skip_bad = strcmp(cli_arg, "skip") == 0;
		if (!o.skip_bad && strcmp(cli_arg, "fail") != 0)
			cli_usage("--on-bad %s: not fail or skip", cli_arg);
		break;
	case OPT_MAX_RECORD:
		o.max_record = cli_arg;
		o.w.record_bytes = size_arg(id, 1, BATCH_BYTES_MAX / 2);
		break;
	case OPT_LINGER:
		if (parse_duration(cli_arg, &o.linger_ms) != 0)
			cli_usage("--linger %s: not a duration", cli_arg);
		break;
	case OPT_CREATE:
		o.create = true;
		break;
	default:
		set_writing(id);
		break;
	}
}

static void
check_options(void)
{
	if (o.forms > 1)
		cli_usage("-K, -J, -F, -B and --delete exclude each other");
	if (o.delimited && (o.batches || o.form.kind != FORM_LINE))
		cli_usage("-D and -0 do not go with -J, -F and -B");
	if (o.key != NULL &&
	    (o.form.line.separator_len > 0 || o.key_field != NULL ||
		o.form.line.is_delete))
		cli_usage("-k does not go with -K, --key-field and --delete");
	if (o.w.tee && o.w.report)
		cli_usage("-T does not go with --report");
	if (o.keep_partition && o.form.kind != FORM_ENVELOPE)
		cli_usage("--keep-partition needs -J");
	if (o.batches &&
	    (o.key != NULL || o.header_count > 0 || o.key_field != NULL ||
		o.time_field != NULL || o.timestamp != NULL))
		cli_usage("-B does not go with options that change records");
	if (o.batches && o.w.expect >= 0)
		cli_usage("-B does not go with --expect-offset");
}

/* --- the run --- */

struct run {
	struct topic topic;
	struct writer *writer;
	int64_t timestamp;	/* --timestamp; INT64_MIN none */
	int64_t read_ms;	/* when the current block was read */
	const char *file;	/* being read, for messages */
	int64_t number;		/* of the record in it, from 1 */
	struct buf in;		/* read, not yet used up */
	struct buf headers;	/* of a record, with -H added */
	struct buf key;		/* unescaped, of --key-field */
	int status;
};

/* The append cannot go on. */
static void
fail(struct run *run, int rc, const struct fault *f)
{
	const char *path = run->topic.name;

	if (caught != 0 && rc == EINTR)
		return;
	if (rc == EPIPE) {
		run->status = CLI_FAIL;
	} else if (rc == EMSGSIZE && o.w.expect >= 0) {
		warnx("--expect-offset: the input does not fit one batch");
		run->status = CLI_USAGE;
	} else if (rc == STATUS_MISMATCH) {
		warnx("%s: the partition does not end at offset %lld", path,
		    (long long)o.w.expect);
		run->status = CLI_CONDITION;
	} else if (rc == ERANGE) {
		warnx("%s: no such partition (it has %d)", path,
		    (int)run->topic.partitions);
		run->status = CLI_FAIL;
	} else {
		run->status = message_warn(path, rc, f);
	}
}

/* A record that is bad.  True: go on behind it. */
static bool
bad_record(struct run *run, const char *why)
{
	warnx("%s:%lld: %s", run->file, (long long)run->number, why);
	run->status = CLI_FAIL;
	return o.skip_bad;
}

/* The key from the JSON value. */
static int
key_from_field(struct run *run, struct record *rec, const char **why)
{
	struct json_value v;
	int rc = STATUS_END;

	*why = "--key-field: no such field";
	if (!bytes_is_null(rec->value))
		rc = json_find(rec->value.data, (size_t)rec->value.len,
		    o.key_field, &v, why);
	if (rc == STATUS_END)
		return STATUS_SYNTAX;
	if (rc != 0)
		return rc;
	if (v.type == JSON_NULL) {
		rec->key = BYTES_NULL;
	} else if (v.type != JSON_STRING) {
		rec->key = (struct bytes){v.text, (int32_t)v.len};
	} else if (!v.has_escape) {
		rec->key = (struct bytes){v.text + 1, (int32_t)v.len - 2};
	} else {
		run->key.len = 0;
		rc = json_unescape(&v, &run->key);
		rec->key = (struct bytes){run->key.data, (int32_t)run->key.len};
	}
	return rc;
}

static int
time_from_field(struct record *rec, const char **why)
{
	struct json_value v;
	char text[64];
	size_t len;
	int rc = STATUS_END;

	*why = "--time-field: no such field";
	if (!bytes_is_null(rec->value))
		rc = json_find(rec->value.data, (size_t)rec->value.len,
		    o.time_field, &v, why);
	if (rc == STATUS_END)
		return STATUS_SYNTAX;
	if (rc != 0)
		return rc;
	*why = "--time-field: not a time";
	len = v.type == JSON_STRING ? v.len - 2 : v.len;
	if (v.len < 1 || len >= sizeof(text) || v.has_escape)
		return STATUS_SYNTAX;
	memcpy(text, v.type == JSON_STRING ? v.text + 1 : v.text, len);
	text[len] = '\0';
	if (parse_time(text, rec->timestamp, cli_utc, &rec->timestamp) != 0)
		return STATUS_SYNTAX;
	return 0;
}

/* -H comes after the record's own headers. */
static int
add_headers(struct run *run, struct record *rec)
{
	int rc;

	run->headers.len = 0;
	rc = buf_add(&run->headers, rec->headers, rec->headers_len);
	if (rc == 0)
		rc = buf_add(&run->headers, o.headers.data, o.headers.len);
	rec->headers = run->headers.data;
	rec->headers_len = run->headers.len;
	rec->header_count += o.header_count;
	return rc;
}

/* What the options add to a record that was read. */
static int
complete(struct run *run, struct form_record *fr, const char **why)
{
	struct record *rec = &fr->rec;
	int rc = 0;

	if (!fr->has_timestamp)
		rec->timestamp =
		    run->timestamp != INT64_MIN ? run->timestamp : run->read_ms;
	if (o.key != NULL && bytes_is_null(rec->key))
		rec->key = bytes_of(o.key);
	if (o.time_field != NULL && !fr->has_timestamp)
		rc = time_from_field(rec, why);
	if (rc == 0 && o.key_field != NULL && bytes_is_null(rec->key))
		rc = key_from_field(run, rec, why);
	if (rc == 0 && o.header_count > 0)
		rc = add_headers(run, rec);
	if (!o.keep_partition)
		fr->partition = -1;
	return rc;
}

/* Hand over one record.  False: stop. */
static bool
take(struct run *run, struct form_record *fr)
{
	struct fault f = {.file = ""};
	const char *why = NULL;
	int rc = complete(run, fr, &why);

	if (rc == STATUS_SYNTAX || rc == STATUS_TOO_BIG)
		return bad_record(run, why != NULL ? why : status_text(rc));
	if (rc == 0)
		rc = writer_add(run->writer, &fr->rec, fr->partition, &f);
	if (rc == STATUS_TOO_BIG)
		return bad_record(run, "record is over the limit");
	if (rc != 0)
		fail(run, rc, &f);
	return rc == 0;
}

/*
 * Take the records that are in the input buffer.  False: stop.  *used: bytes
 * done with.
 */
static bool
take_records(struct run *run, bool eof, size_t *used)
{
	struct form_record fr;
	const char *why;
	size_t n;
	int rc;

	*used = 0;
	for (;;) {
		run->number++;
		rc = form_read(&o.form, run->in.data + *used,
		    run->in.len - *used, eof, &fr, &n, &why);
		*used += n;
		if (rc == STATUS_SHORT || rc == STATUS_END) {
			run->number--;
			return true;
		}
		if (rc == STATUS_SYNTAX || rc == STATUS_TOO_BIG) {
			if (!bad_record(run, why))
				return false;
			continue;
		}
		if (rc != 0) {
			fail(run, rc, NULL);
			return false;
		}
		if (!take(run, &fr))
			return false;
	}
}

/* One batch of the input (-B) to its partition, as it is if it may be. */
static int
take_batch(struct run *run, uint8_t *data, const struct batch *b,
    struct fault *f)
{
	struct batch_records it;
	struct record rec;
	struct buf scratch;
	int32_t partition = o.w.partition < 0 ? 0 : o.w.partition;
	int64_t bytes_max =
	    properties_int(&run->topic.settings, PROPERTIES_MAX_MESSAGE_BYTES);
	int rc;

	if (b->attributes & BATCH_CONTROL)
		return 0;
	if (b->record_count == b->last_offset - b->base_offset + 1 &&
	    (int64_t)b->size <= bytes_max &&
	    (b->attributes & BATCH_DELETE_HORIZON) == 0) {
		if (b->producer_id >= 0 ||
		    (b->attributes & BATCH_TRANSACTIONAL) != 0)
			batch_clear_producer(data, b->size);
		return writer_add_batch(run->writer, data, b->size, partition,
		    f);
	}
	/* Holes, or too large: its records go into batches of our own. */
	buf_init(&scratch, RECORDS_BYTES_MAX);
	rc = batch_records_init(&it, data, b, &scratch);
	while (rc == 0 && (rc = batch_records_next(&it, &rec)) == 0)
		rc = writer_add(run->writer, &rec, partition, f);
	buf_release(&scratch);
	return rc == STATUS_END ? 0 : rc;
}

/* The same as take_records() for -B. */
static bool
take_batches(struct run *run, bool eof, size_t *used)
{
	struct fault f = {.file = ""};
	const char *what = NULL;
	struct batch b;
	int rc;

	*used = 0;
	while (*used < run->in.len) {
		uint8_t *data = run->in.data + *used;
		size_t left = run->in.len - *used;

		run->number++;
		rc = batch_decode(data, left, &b, &what);
		if (rc == 0 && b.size > left)
			rc = STATUS_SHORT;
		if (rc == STATUS_SHORT && !eof) {
			run->number--;
			return true;
		}
		if (rc == 0 && batch_verify(data, &b) != 0) {
			what = "crc does not match";
			rc = STATUS_CORRUPT;
		}
		if (rc == STATUS_SHORT)
			what = "ends inside a batch";
		if (rc == STATUS_UNSUPPORTED)
			what = "message format version 0 or 1";
		if (rc != 0) {
			/* What follows cannot be found: nothing to skip to. */
			(void)bad_record(run, what);
			return false;
		}
		rc = take_batch(run, data, &b, &f);
		if (rc == STATUS_TOO_BIG) {
			if (!bad_record(run, "record is over the limit"))
				return false;
		} else if (rc == STATUS_CORRUPT && f.file[0] == '\0') {
			(void)bad_record(run, "records do not add up");
			return false;
		} else if (rc != 0) {
			fail(run, rc, &f);
			return false;
		}
		*used += b.size;
	}
	return true;
}

/* Use up what is in the input buffer.  False: stop. */
static bool
digest(struct run *run, bool eof)
{
	struct fault f = {.file = ""};
	size_t used = 0;
	bool go = o.batches ? take_batches(run, eof, &used)
			    : take_records(run, eof, &used);
	int rc = 0;

	if (go && o.w.tee && used > 0)
		rc = writer_tee(run->writer, run->in.data, used, &f);
	if (rc == 0 && go)
		rc = writer_sync_if_due(run->writer, &f);
	if (rc != 0) {
		fail(run, rc, &f);
		go = false;
	}
	if (used > 0 && used < run->in.len)
		memmove(run->in.data, run->in.data + used, run->in.len - used);
	run->in.len -= used;
	return go;
}

/* Would a read of fd block, even after ms? */
static bool
would_block(int fd, int64_t ms)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, ms > INT_MAX ? INT_MAX : (int)ms) == 0;
}

/* Input pauses: what was taken becomes visible now.  False: stop. */
static bool
pause_input(struct run *run)
{
	struct fault f = {.file = ""};
	int rc = 0;

	/* One batch only: it waits for the end of the input. */
	if (o.w.expect >= 0)
		return true;
	if (writer_is_pending(run->writer))
		rc = o.w.fsync == WRITER_FSYNC_INTERVAL
		    ? writer_flush(run->writer, &f)
		    : writer_sync(run->writer, &f);
	if (rc != 0)
		fail(run, rc, &f);
	return rc == 0;
}

/* Read more from fd.  False: stop; *eof at the end of the file. */
static bool
read_more(struct run *run, int fd, bool *eof)
{
	ssize_t n;

	if (writer_is_pending(run->writer) && would_block(fd, o.linger_ms) &&
	    !pause_input(run))
		return false;
	if (buf_reserve(&run->in, READ_BYTES) != 0) {
		fail(run, ENOMEM, NULL);
		return false;
	}
	do {
		if (caught != 0)
			return false;
		n = read(fd, run->in.data + run->in.len, READ_BYTES);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		warn("%s", run->file);
		run->status = CLI_FAIL;
		return false;
	}
	*eof = n == 0;
	run->in.len += (size_t)n;
	run->read_ms = now_wall_ms();
	return true;
}

/* All records of one file.  False: stop. */
static bool
take_file(struct run *run, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0, eof = false, go = true;
	int fd = STDIN_FILENO, rc;

	run->file = is_stdin ? "stdin" : path;
	run->number = 0;
	if (!is_stdin) {
		rc = io_open(AT_FDCWD, path, O_RDONLY, 0, &fd);
		if (rc != 0) {
			warnx("%s: %s", path, status_text(rc));
			run->status = CLI_FAIL;
			return true;
		}
	}
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
	while (go && !eof)
		go = read_more(run, fd, &eof) && digest(run, eof);
	if (!is_stdin)
		(void)io_close(&fd);
	return go;
}

/* After a signal: whole records are kept, an unfinished one is counted. */
static void
die_by_signal(struct run *run)
{
	if (run->in.len > 0)
		warnx("interrupted: %zu bytes of an unfinished record were "
		      "not appended",
		    run->in.len);
	signal(caught, SIG_DFL);
	raise(caught);
}

static void
finish(struct run *run)
{
	struct fault f = {.file = ""};
	int rc;

	/* With one batch or nothing, half of the input is nothing. */
	if (o.w.expect >= 0 && (run->status != CLI_DONE || caught != 0))
		return;
	/* A failed append leaves nothing that could still be written. */
	rc = run->status == CLI_DONE || run->status == CLI_FAIL
	    ? writer_sync(run->writer, &f)
	    : 0;
	if (rc != 0)
		fail(run, rc, &f);
	writer_warn_cuts(run->writer);
}

static void
catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = catch}, old;

	for (size_t i = 0; i < 3; i++) {
		sigaction(signals[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
	}
	if (o.ignore_int)
		signal(SIGINT, SIG_IGN);
}

/* The topic to write, and in TOPIC/N its partition. */
static int
open_topic(const char *path, struct topic *t, char *topic_path)
{
	struct fault f = {.file = ""};
	struct properties defaults;
	char *slash;
	int64_t n;
	int rc;

	strlcpy(topic_path, path, PATH_MAX);
	rc = topic_open(path, t, &f);
	if (rc == STATUS_NO_TOPIC && o.create) {
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
		o.w.partition = (int32_t)n;
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
	return rc == 0 ? CLI_DONE : (int)message_warn(path, rc, &f);
}

/* What the topic says where the command line does not. */
static void
set_defaults(const struct topic *t)
{
	int64_t type =
	    properties_int(&t->settings, PROPERTIES_COMPRESSION_TYPE);
	int64_t bytes =
	    properties_int(&t->settings, PROPERTIES_MAX_MESSAGE_BYTES);

	if (!o.has_codec && type != PROPERTIES_COMPRESSION_PRODUCER)
		o.w.codec = (enum codec)(type - 1);
	if (o.max_record == NULL)
		o.w.record_bytes = bytes;
	o.form.record_max = (size_t)o.w.record_bytes;
	if (o.w.expect >= 0 && o.w.partition < 0)
		o.w.partition = 0;
	if (o.w.expect >= 0)
		o.w.batch_bytes = (size_t)bytes;
}

static void
check_topic(const struct topic *t)
{
	if (t->partitions > 1 && o.w.partition < 0 && o.batches)
		cli_usage("-B: a topic of several partitions needs -p N");
	if (t->partitions > 1 && o.w.expect > 0 && o.w.partition < 0)
		cli_usage("--expect-offset: a topic of several partitions "
			  "needs -p N");
	if (o.w.partition >= t->partitions)
		errx(CLI_FAIL, "%s: no partition %d (it has %d)", t->name,
		    (int)o.w.partition, (int)t->partitions);
}

int
main(int argc, char **argv)
{
	static char topic_path[PATH_MAX];
	static char dash[] = "-";
	static char *const from_stdin[] = {dash, NULL};
	struct run run = {.timestamp = INT64_MIN};
	struct fault f = {.file = ""};
	char *const *files;
	int id, rc;

	cli_start(argv);
	form_init(&o.form);
	buf_init(&o.headers, BATCH_BYTES_MAX);
	o.w = (struct writer_options){.level = INT_MIN,
	    .partition = -1,
	    .expect = -1,
	    .batch_bytes = BATCH_BYTES};
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(id);
	if (cli_operand == argc)
		cli_usage("no topic named");
	check_options();
	if (o.timestamp != NULL &&
	    parse_time(o.timestamp, now_wall_ms(), cli_utc, &run.timestamp) !=
		0)
		cli_usage("--timestamp %s: not a time", o.timestamp);
	rc = open_topic(argv[cli_operand], &run.topic, topic_path);
	if (rc != CLI_DONE)
		return rc;
	check_topic(&run.topic);
	set_defaults(&run.topic);
	rc = writer_open(topic_path, &run.topic, &o.w, &run.writer, &f);
	if (rc != 0)
		return message_warn(topic_path, rc, &f);
	buf_init(&run.in, (size_t)RECORDS_BYTES_MAX * 8);
	buf_init(&run.headers, BATCH_BYTES_MAX);
	buf_init(&run.key, BATCH_BYTES_MAX);
	catch_signals();
	files = cli_operand + 1 < argc ? argv + cli_operand + 1 : from_stdin;
	while (*files != NULL && take_file(&run, *files))
		files++;
	finish(&run);
	writer_close(run.writer);
	topic_close(&run.topic);
	if (caught != 0)
		die_by_signal(&run);
	if (run.status == CLI_DONE)
		cli_close_stdout();
	return run.status;
}
