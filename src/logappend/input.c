#include "input.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/now.h"
#include "base/parse.h"
#include "options.h"
#include "store/batch.h"
#include "text/form.h"
#include "text/json.h"
#include "text/line.h"
#include "tool/message.h"

enum {
	READ_BYTES = 256 << 10,
	PIPE_BYTES = 1 << 20,
};

volatile sig_atomic_t input_signal;

/* The append cannot go on. */
void
input_fail(struct input *run, int rc, const struct fault *f)
{
	const char *path = run->path;

	if (input_signal != 0 && rc == EINTR)
		return;
	if (rc == EPIPE) {
		run->status = CLI_FAIL;
	} else if (rc == EMSGSIZE && opt.w.expect >= 0) {
		warnx("--expect-offset: the input does not fit one batch");
		run->status = CLI_USAGE;
	} else if (rc == STATUS_MISMATCH) {
		warnx("%s: the partition does not end at offset %lld", path,
		    (long long)opt.w.expect);
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
bad_record(struct input *run, const char *why)
{
	int64_t bytes =
	    properties_int(&run->topic.settings, PROPERTIES_MAX_MESSAGE_BYTES);

	if (why == line_over_limit)
		warnx("%s:%lld: %s (max.message.bytes is %lld)", run->file,
		    (long long)run->number, why, (long long)bytes);
	else
		warnx("%s:%lld: %s", run->file, (long long)run->number, why);
	run->status = CLI_FAIL;
	return opt.skip_bad;
}

/* The key from the JSON value. */
static int
key_from_field(struct input *run, struct record *rec, const char **why)
{
	struct json_value v;
	int rc = STATUS_END;

	*why = "--key-field: no such field";
	if (!bytes_is_null(rec->value))
		rc = json_find(rec->value.data, (size_t)rec->value.len,
		    opt.key_field, &v, why);
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
		    opt.time_field, &v, why);
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
add_headers(struct input *run, struct record *rec)
{
	int rc;

	run->headers.len = 0;
	rc = buf_add(&run->headers, rec->headers, rec->headers_len);
	if (rc == 0)
		rc = buf_add(&run->headers, opt.headers.data, opt.headers.len);
	rec->headers = run->headers.data;
	rec->headers_len = run->headers.len;
	rec->header_count += opt.header_count;
	return rc;
}

/* Are key and value together longer than --max-record? */
static bool
is_over(const struct record *rec, const char **why)
{
	static char text[80];
	int64_t len = (rec->key.len > 0 ? rec->key.len : 0) +
	    (int64_t)(rec->value.len > 0 ? rec->value.len : 0);

	if (opt.max_record < 0 || len <= opt.max_record)
		return false;
	snprintf(text, sizeof(text), "record of %lld bytes (--max-record %lld)",
	    (long long)len, (long long)opt.max_record);
	*why = text;
	return true;
}

/* The partition that an envelope names has to be there. */
static bool
is_astray(const struct input *run, int32_t partition, const char **why)
{
	static char text[80];

	if (partition < run->topic.partitions)
		return false;
	snprintf(text, sizeof(text), "no partition %d (the topic has %d)",
	    (int)partition, (int)run->topic.partitions);
	*why = text;
	return true;
}

/* What the options add to a record that was read. */
static int
complete(struct input *run, struct form_record *fr, const char **why)
{
	struct record *rec = &fr->rec;
	int rc = 0;

	if (!fr->has_timestamp)
		rec->timestamp =
		    run->timestamp != INT64_MIN ? run->timestamp : run->read_ms;
	if (opt.key != NULL && bytes_is_null(rec->key))
		rec->key = bytes_of(opt.key);
	if (opt.time_field != NULL && !fr->has_timestamp)
		rc = time_from_field(rec, why);
	if (rc == 0 && opt.key_field != NULL && bytes_is_null(rec->key))
		rc = key_from_field(run, rec, why);
	if (rc == 0 && opt.header_count > 0)
		rc = add_headers(run, rec);
	if (rc == 0 &&
	    (is_over(rec, why) || is_astray(run, fr->partition, why)))
		rc = STATUS_SYNTAX;
	return rc;
}

/* Hand over one record.  False: stop. */
static bool
take(struct input *run, struct form_record *fr)
{
	struct fault f = {.file = ""};
	const char *why = NULL;
	int rc = complete(run, fr, &why);

	if (rc == STATUS_SYNTAX || rc == STATUS_TOO_BIG)
		return bad_record(run, why != NULL ? why : status_text(rc));
	if (rc == 0)
		rc = writer_add(run->writer, &fr->rec, fr->partition, &f);
	if (rc == STATUS_TOO_BIG)
		return bad_record(run, line_over_limit);
	if (rc != 0)
		input_fail(run, rc, &f);
	return rc == 0;
}

/* Lines become values and nothing else is to be done to them. */
static bool
is_plain(void)
{
	const struct line *l = &opt.form.line;

	return opt.form.kind == FORM_LINE && l->delimiter_len == 1 &&
	    l->separator_len == 0 && !l->is_delete && l->null_in == NULL &&
	    opt.key_field == NULL && opt.time_field == NULL &&
	    opt.header_count == 0;
}

/*
 * The fast path for plain lines: as many whole ones as there are.  What it
 * leaves (an unfinished line, one too large) is for the general path.
 */
static bool
take_plain(struct input *run, size_t *used)
{
	const uint8_t *at = run->in.data, *stop = at + run->in.len, *end;
	struct fault f = {.file = ""};
	struct record rec = {.key = bytes_of(opt.key)};
	const char *why;
	int delimiter = opt.form.line.delimiter[0];
	int rc = 0;

	*used = 0;
	if (!is_plain() || opt.form.line.skipping || at == NULL)
		return true;
	rec.timestamp =
	    run->timestamp != INT64_MIN ? run->timestamp : run->read_ms;
	while (rc == 0 &&
	    (end = memchr(at, delimiter, (size_t)(stop - at))) != NULL) {
		if ((size_t)(end - at) > opt.form.record_max)
			break;
		rec.value = (struct bytes){at, (int32_t)(end - at)};
		if (is_over(&rec, &why))
			break;
		rc = writer_add(run->writer, &rec, -1, &f);
		if (rc == 0) {
			run->number++;
			at = end + 1;
		}
	}
	*used = (size_t)(at - run->in.data);
	opt.form.line.searched = 0;
	if (rc == 0 || rc == STATUS_TOO_BIG)
		return true;
	input_fail(run, rc, &f);
	return false;
}

/*
 * Take the records that are in the input buffer.  False: stop.  *used: bytes
 * done with.
 */
static bool
take_records(struct input *run, bool eof, size_t *used)
{
	struct form_record fr;
	const char *why;
	size_t n;
	int rc;

	if (!take_plain(run, used))
		return false;
	for (;;) {
		run->number++;
		rc = form_read(&opt.form, run->in.data + *used,
		    run->in.len - *used, eof, &fr, &n, &why);
		*used += n;
		run->number += opt.form.blank_lines;
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
			input_fail(run, rc, NULL);
			return false;
		}
		if (!take(run, &fr))
			return false;
	}
}

/* The records of a batch, all looked at before the first is taken. */
static int
take_rebuilt(struct input *run, const uint8_t *data, const struct batch *b,
    int32_t partition, struct fault *f)
{
	struct batch_records it;
	struct record rec;
	int rc = batch_records_init(&it, data, b, &run->records);

	while (rc == 0)
		rc = batch_records_next(&it, &rec);
	if (rc == STATUS_END)
		rc = batch_records_init(&it, data, b, &run->records);
	else if (rc == STATUS_TOO_BIG)
		rc = STATUS_CORRUPT;
	while (rc == 0 && (rc = batch_records_next(&it, &rec)) == 0) {
		rc = writer_add(run->writer, &rec, partition, f);
		if (rc == STATUS_TOO_BIG && bad_record(run, line_over_limit))
			rc = 0;
	}
	return rc == STATUS_END ? 0 : rc;
}

/*
 * Its records add up, and the header's largest timestamp, by which times are
 * sought and old segments deleted, is theirs.
 */
static int
check_batch(struct input *run, uint8_t *data, const struct batch *b)
{
	struct batch_records it;
	struct record rec;
	int64_t max_ms = -1;
	int rc = batch_records_init(&it, data, b, &run->records);

	while (rc == 0 && (rc = batch_records_next(&it, &rec)) == 0)
		if (rec.timestamp > max_ms)
			max_ms = rec.timestamp;
	if (rc == STATUS_TOO_BIG)
		return STATUS_CORRUPT;
	if (rc != STATUS_END)
		return rc;
	if (max_ms != b->max_timestamp)
		batch_set_max_timestamp(data, b->size, max_ms);
	return 0;
}

/*
 * One batch of the input (-B) to its partition, as it is if it may be.
 * STATUS_TOO_BIG: that was told, and is the end.
 */
static int
take_batch(struct input *run, uint8_t *data, const struct batch *b,
    struct fault *f)
{
	int32_t partition = opt.w.partition < 0 ? 0 : opt.w.partition;
	int64_t bytes_max =
	    properties_int(&run->topic.settings, PROPERTIES_MAX_MESSAGE_BYTES);
	int rc;

	if (b->attributes & BATCH_CONTROL)
		return 0;
	if (!writer_is_remote(run->writer) &&
	    b->record_count == b->last_offset - b->base_offset + 1 &&
	    (int64_t)b->size <= bytes_max &&
	    (b->attributes & BATCH_DELETE_HORIZON) == 0) {
		if (b->producer_id >= 0 ||
		    (b->attributes & BATCH_TRANSACTIONAL) != 0)
			batch_clear_producer(data, b->size);
		rc = check_batch(run, data, b);
		return rc == 0
		    ? writer_add_batch(run->writer, data, b->size, partition, f)
		    : rc;
	}
	return take_rebuilt(run, data, b, partition, f);
}

/*
 * What stands at data: 0 and *b, or why it is bad, and *size, where the next
 * one is (0: nobody knows).  STATUS_SHORT: more of it is needed, or *what.
 */
static int
look_at_batch(const uint8_t *data, size_t left, struct batch *b, size_t *size,
    const char **what)
{
	int rc = batch_decode(data, left, b, what);

	*size = 0;
	if (rc == 0 || rc == STATUS_UNSUPPORTED)
		*size = buf_get_32(data + BATCH_LENGTH) + BATCH_OVERHEAD;
	if (*size > left) {
		rc = STATUS_SHORT;
		*size = 0;
	}
	if (rc == STATUS_SHORT)
		*what = "ends inside a batch";
	if (rc == STATUS_UNSUPPORTED)
		*what = "message format version 0 or 1";
	if (rc == 0 && batch_verify(data, b) != 0) {
		*what = "crc does not match";
		rc = STATUS_CORRUPT;
	}
	return rc;
}

/* The same as take_records() for -B. */
static bool
take_batches(struct input *run, bool eof, size_t *used)
{
	struct fault f = {.file = ""};
	const char *what = NULL;
	struct batch b;
	size_t size;
	int rc;

	*used = 0;
	while (*used < run->in.len && !run->over) {
		uint8_t *data = run->in.data + *used;

		run->number++;
		rc = look_at_batch(data, run->in.len - *used, &b, &size, &what);
		if (rc == STATUS_SHORT && !eof) {
			run->number--;
			return true;
		}
		if (rc == 0)
			rc = take_batch(run, data, &b, &f);
		else if (!bad_record(run, what))
			return false;
		else
			rc = 0;
		if (rc == STATUS_CORRUPT && f.file[0] == '\0') {
			if (!bad_record(run, "records do not add up"))
				return false;
		} else if (rc != 0) {
			if (rc != STATUS_TOO_BIG)
				input_fail(run, rc, &f);
			return false;
		}
		/* What follows cannot be found: nothing to skip to. */
		run->over = size == 0;
		*used += size;
	}
	if (run->over)
		*used = run->in.len;
	run->over = run->over && !eof;
	return true;
}

/* The same for --whole: a file is a record. */
static bool
take_whole(struct input *run, bool eof, size_t *used)
{
	const char *null_in = opt.form.line.null_in;
	struct form_record fr = {.partition = -1};

	*used = 0;
	if (run->in.len > opt.form.record_max) {
		run->over = true;
		*used = run->in.len;
	}
	if (!eof)
		return true;
	run->number = 1;
	if (run->over) {
		run->over = false;
		return bad_record(run, line_over_limit);
	}
	*used = run->in.len;
	fr.rec.key = BYTES_NULL;
	fr.rec.value = (struct bytes){run->in.data, (int32_t)run->in.len};
	if (null_in != NULL && bytes_equal(fr.rec.value, bytes_of(null_in)))
		fr.rec.value = BYTES_NULL;
	return take(run, &fr);
}

/* Use up what is in the input buffer.  False: stop. */
static bool
digest(struct input *run, bool eof)
{
	struct fault f = {.file = ""};
	size_t used = 0;
	bool go;
	int rc = 0;

	if (opt.batches)
		go = take_batches(run, eof, &used);
	else if (opt.whole)
		go = take_whole(run, eof, &used);
	else
		go = take_records(run, eof, &used);

	if (go && opt.w.tee && used > 0)
		rc = writer_tee(run->writer, run->in.data, used, &f);
	if (rc == 0 && go)
		rc = writer_sync_if_due(run->writer, &f);
	if (rc != 0) {
		input_fail(run, rc, &f);
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
pause_input(struct input *run, int fd)
{
	struct fault f = {.file = ""};
	int rc = 0;

	/* One batch only: it waits for the end of the input. */
	if (opt.w.expect >= 0)
		return true;
	if (writer_is_pending(run->writer))
		rc = opt.w.fsync == WRITER_FSYNC_INTERVAL
		    ? writer_flush(run->writer, &f)
		    : writer_sync(run->writer, &f);
	/* With --fsync DUR until the next sync, if nothing comes before. */
	if (rc == 0 && opt.w.fsync == WRITER_FSYNC_INTERVAL &&
	    would_block(fd, writer_due_ms(run->writer)))
		rc = writer_sync(run->writer, &f);
	if (rc != 0)
		input_fail(run, rc, &f);
	return rc == 0;
}

/* Read more from fd.  False: stop; *eof at the end of the file. */
static bool
read_more(struct input *run, int fd, bool *eof)
{
	ssize_t n;

	if (writer_is_pending(run->writer) && would_block(fd, opt.linger_ms) &&
	    !pause_input(run, fd))
		return false;
	if (buf_reserve(&run->in, READ_BYTES) != 0) {
		input_fail(run, ENOMEM, NULL);
		return false;
	}
	do {
		if (input_signal != 0)
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
bool
input_take_file(struct input *run, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0, eof = false, go = true;
	int fd = STDIN_FILENO;

	run->file = is_stdin ? "stdin" : path;
	run->number = 0;
	if (!is_stdin) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			warn("%s", path);
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
