/* A command that has failed: again later, or the dead letters. */

#include <sys/wait.h>

#include <err.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/cli.h"
#include "base/now.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/partitioner.h"
#include "tool/exec_impl.h"
#include "tool/message.h"

static int
add_header(struct buf *b, const char *name, const char *value, int32_t *count)
{
	(*count)++;
	return record_headers_add(b, bytes_of(name), bytes_of(value));
}

/* The event's headers and why it is here. */
static int
add_reasons(struct exec *x, size_t i, int32_t n, const struct exec_work *w,
    const char *reason, struct buf *b, int32_t *count)
{
	char number[32];
	int rc = buf_add(b, w->rec.headers, w->rec.headers_len);

	*count = w->rec.header_count;
	if (rc == 0)
		rc = add_header(b, "logkit.dead.topic", x->s->places[i].name,
		    count);
	snprintf(number, sizeof(number), "%" PRId32, n);
	if (rc == 0)
		rc = add_header(b, "logkit.dead.partition", number, count);
	snprintf(number, sizeof(number), "%" PRId64, w->rec.offset);
	if (rc == 0)
		rc = add_header(b, "logkit.dead.offset", number, count);
	if (rc == 0)
		rc =
		    add_header(b, "logkit.dead.group", x->sharing.group, count);
	if (rc == 0)
		rc = add_header(b, "logkit.dead.reason", reason, count);
	snprintf(number, sizeof(number), "%" PRId64, w->tries);
	if (rc == 0)
		rc = add_header(b, "logkit.dead.tries", number, count);
	return rc;
}

static int
append_dead(const struct topic *t, const struct record *rec, struct fault *f)
{
	struct partition_append a = {.expect = -1};
	struct partition_settings settings;
	struct partition *p = NULL;
	struct batch_builder bb;
	const uint8_t *data;
	char path[PATH_MAX];
	int32_t n = 0;
	int rc;

	if (!bytes_is_null(rec->key))
		n = partitioner_partition(PARTITIONER_MURMUR2, rec->key,
		    t->partitions);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%" PRId32, t->dirfd, n);
	partition_settings_of(&t->settings, &settings);
	/* The reasons make it longer: refused, it would stop the queue. */
	settings.message_bytes = BATCH_BYTES_MAX;
	batch_builder_init(&bb, CODEC_NONE, INT32_MIN, BATCH_BYTES_MAX);
	rc = partition_open(path, PARTITION_WRITE, &settings, &p, f);
	if (rc == 0)
		rc = batch_builder_add(&bb, rec);
	if (rc == 0)
		rc = batch_builder_finish(&bb, &data, &a.len);
	if (rc == 0) {
		a.data = (uint8_t *)(uintptr_t)data;
		rc = partition_append(p, &a, f);
	}
	if (rc == 0)
		rc = partition_sync(p, f);
	partition_close(p);
	batch_builder_release(&bb);
	return rc;
}

static int
send_to_dead(struct exec *x, size_t i, int32_t n, const struct exec_work *w,
    const char *reason)
{
	struct record rec = w->rec;
	struct fault f = {.file = ""};
	struct topic t;
	struct buf headers;
	int rc = topic_open(x->o->dead_letter, &t, &f);

	if (rc != 0)
		return message_warn(x->o->dead_letter, rc, &f);
	buf_init(&headers, RECORDS_BYTES_MAX);
	rc = add_reasons(x, i, n, w, reason, &headers, &rec.header_count);
	rec.headers = headers.data;
	rec.headers_len = headers.len;
	if (rc == 0)
		rc = append_dead(&t, &rec, &f);
	buf_release(&headers);
	topic_close(&t);
	return rc == 0 ? CLI_DONE : message_warn(x->o->dead_letter, rc, NULL);
}

static int64_t
retry_ms(int64_t tries)
{
	int64_t ms = EXEC_RETRY_MS;

	for (; tries > 1 && ms < EXEC_RETRY_MS_MAX; tries--)
		ms *= 2;
	return ms < EXEC_RETRY_MS_MAX ? ms : EXEC_RETRY_MS_MAX;
}

/* A job has ended otherwise than with 0. */
void
exec_take_failure(struct exec *x, size_t i, int32_t n, struct exec_work *w,
    int status)
{
	char reason[64];

	if (WIFSIGNALED(status))
		snprintf(reason, sizeof(reason), "killed by signal %d",
		    WTERMSIG(status));
	else
		snprintf(reason, sizeof(reason), "exit status %d",
		    WEXITSTATUS(status));
	/* The signal that ends us has perhaps ended it: it is not done. */
	if (sources_stop != 0 || x->failed)
		return;
	w->tries++;
	if (w->tries <= x->o->retries) {
		w->due_ms = now_mono_ms() + retry_ms(w->tries);
		cli_warn("%s/%d: offset %lld: %s; again in %lld s",
		    x->s->places[i].name, (int)n, (long long)w->rec.offset,
		    reason, (long long)retry_ms(w->tries) / 1000);
		return;
	}
	if (x->o->dead_letter != NULL) {
		int rc = send_to_dead(x, i, n, w, reason);

		cli_warn("%s/%d: offset %lld: %s; %s %s", x->s->places[i].name,
		    (int)n, (long long)w->rec.offset, reason,
		    rc == CLI_DONE ? "put into" : "not put into",
		    x->o->dead_letter);
		w->done = rc == CLI_DONE;
		exec_fail(x, rc);
		return;
	}
	warnx("%s/%d: offset %lld: %s", x->s->places[i].name, (int)n,
	    (long long)w->rec.offset, reason);
	exec_fail(x, CLI_FAIL);
}
