#include "log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/status.h"
#include "codes.h"
#include "config.h"
#include "handles.h"
#include "kafka/error.h"
#include "net/pool.h"
#include "store/reader.h"
#include "tell.h"
#include "validate.h"
#include "waiting.h"

static bool shed(void *arg);
static void work(void *arg);

struct log *
log_new(const char *topic_path, int32_t number,
    const struct properties *settings, struct pool *pool,
    struct handles *handles, struct waiting *waiting)
{
	struct log *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	if (asprintf(&l->path, "%s/%d", topic_path, (int)number) < 0) {
		free(l);
		return NULL;
	}
	l->number = number;
	l->pool = pool;
	l->handles = handles;
	l->waiting = waiting;
	l->watch = -1;
	l->epoch = -1;
	l->settings = *settings;
	atomic_init(&l->changes, 0);
	handles_init(&l->handle, shed, l);
	TAILQ_INIT(&l->waiters);
	TAILQ_INIT(&l->queue);
	proven_init(&l->proven);
	pthread_mutex_init(&l->read_lock, NULL);
	pthread_mutex_init(&l->write_lock, NULL);
	task_init(&l->task, work, l);
	return l;
}

void
log_free(struct log *l)
{
	if (l == NULL)
		return;
	waiting_forget(l->waiting, l);
	handles_remove(l->handles, &l->handle);
	reader_close(l->walker);
	partition_close(l->reader);
	partition_close(l->writer);
	proven_release(&l->proven);
	pthread_mutex_destroy(&l->read_lock);
	pthread_mutex_destroy(&l->write_lock);
	free(l->path);
	free(l);
}

void
log_set(struct log *l, const struct properties *settings)
{
	pthread_mutex_lock(&l->write_lock);
	l->settings = *settings;
	l->changed_settings = true;
	pthread_mutex_unlock(&l->write_lock);
}

void
log_remove(struct log *l)
{
	pthread_mutex_lock(&l->write_lock);
	l->gone = true;
	pthread_mutex_unlock(&l->write_lock);
	waiting_wake(l->waiting, l);
}

/* --- reading -------------------------------------------------------------- */

struct partition *
log_get(struct log *l, int *rc)
{
	struct fault f;

	*rc = 0;
	pthread_mutex_lock(&l->read_lock);
	atomic_store(&l->handle.used, true);
	if (l->reader == NULL) {
		*rc = partition_open(l->path, PARTITION_READ,
		    &partition_defaults, &l->reader, &f);
		l->epoch = -1;
		if (*rc == 0)
			handles_add(l->handles, &l->handle);
	}
	if (*rc == 0)
		return l->reader;
	pthread_mutex_unlock(&l->read_lock);
	return NULL;
}

struct partition *
log_try(struct log *l)
{
	if (pthread_mutex_trylock(&l->read_lock) != 0)
		return NULL;
	atomic_store(&l->handle.used, true);
	if (l->reader != NULL)
		return l->reader;
	pthread_mutex_unlock(&l->read_lock);
	return NULL;
}

void
log_put(struct log *l)
{
	pthread_mutex_unlock(&l->read_lock);
}

void
log_forget(struct log *l)
{
	reader_close(l->walker);
	l->walker = NULL;
	partition_close(l->reader);
	l->reader = NULL;
}

static int32_t
known_epoch(struct log *l)
{
	int32_t epoch;

	pthread_mutex_lock(&l->read_lock);
	epoch = l->reader == NULL ? l->epoch : -1;
	pthread_mutex_unlock(&l->read_lock);
	return epoch;
}

int32_t
log_epoch(struct log *l)
{
	int32_t epoch = known_epoch(l);
	struct partition_offsets o;
	struct partition *p;
	int rc;

	if (epoch >= 0)
		return epoch;
	p = log_get(l, &rc);
	if (p == NULL)
		return 0;
	if (partition_offsets(p, &o, NULL) == 0)
		l->epoch = o.leader_epoch > 0 ? o.leader_epoch : 0;
	epoch = l->epoch > 0 ? l->epoch : 0;
	log_put(l);
	return epoch;
}

/* Once until another place is found damaged: many may ask for it. */
static void
tell_damage(struct log *l, int fd, int64_t pos, const char *what)
{
	char link[32], file[PATH_MAX];
	struct tell t;
	ssize_t n;

	if (atomic_exchange(&l->damage_told, pos + 1) == pos + 1)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, file, sizeof(file) - 1);
	file[n < 0 ? 0 : n] = '\0';
	tell_begin(&t, "damaged");
	tell_text(&t, "path", n < 0 ? l->path : file);
	tell_number(&t, "position", pos);
	tell_text(&t, "what", what);
	tell_error(&t);
}

int
log_prove(struct log *l, int fd, int64_t pos, int64_t *len)
{
	const char *what = NULL;
	int rc = proven_check(&l->proven, fd, pos, len, &what);

	if (rc == STATUS_CORRUPT || rc == STATUS_UNSUPPORTED)
		tell_damage(l, fd, pos, what);
	return rc;
}

bool
log_is_proven(struct log *l, int fd, int64_t pos, int64_t len)
{
	return proven_is_known(&l->proven, fd, pos, len);
}

bool
log_is_good(struct log *l, int fd, int64_t pos, const uint8_t *data, size_t len)
{
	return proven_is_good(&l->proven, fd, pos, data, len);
}

/* Take the writer from a log at which nobody works. */
static bool
take_writer(struct log *l, struct partition **out)
{
	bool idle;

	if (pthread_mutex_trylock(&l->write_lock) != 0)
		return false;
	idle = !l->busy;
	if (idle) {
		*out = l->writer;
		l->writer = NULL;
	}
	pthread_mutex_unlock(&l->write_lock);
	return idle;
}

/* Of a log that is not in use. */
static bool
shed(void *arg)
{
	struct log *l = arg;
	struct partition *writer = NULL;
	bool idle;

	if (pthread_mutex_trylock(&l->read_lock) != 0)
		return false;
	idle = take_writer(l, &writer);
	if (idle)
		log_forget(l);
	pthread_mutex_unlock(&l->read_lock);
	partition_close(writer);
	return idle;
}

int
log_walker(struct log *l, struct reader **out)
{
	struct fault f;
	int rc;

	/* Markers have times, too, and Kafka counts them. */
	if (l->walker == NULL)
		rc = reader_open(l->reader, READER_UNCOMMITTED | READER_CONTROL,
		    0, &l->walker, &f);
	else
		rc = reader_refresh(l->walker, &f);
	*out = l->walker;
	return rc;
}

/* --- appending ------------------------------------------------------------ */

/*
 * Acknowledged is durable, unless the topic's flush.messages says that it
 * need not be.
 */
static int
open_writer(struct log *l, struct properties *settings, struct fault *f)
{
	struct partition_settings s;
	bool changed, gone;
	int rc;

	atomic_store(&l->handle.used, true);
	pthread_mutex_lock(&l->write_lock);
	*settings = l->settings;
	changed = l->changed_settings;
	l->changed_settings = false;
	gone = l->gone;
	pthread_mutex_unlock(&l->write_lock);
	if (gone)
		return STATUS_NO_TOPIC;
	if (changed) {
		partition_close(l->writer);
		l->writer = NULL;
	}
	if (l->writer != NULL)
		return 0;
	l->relaxed = properties_int(settings, PROPERTIES_FLUSH_MESSAGES) != 1;
	partition_settings_of(settings, &s);
	rc = partition_open(l->path,
	    l->relaxed ? PARTITION_WRITE_RELAXED : PARTITION_WRITE, &s,
	    &l->writer, f);
	if (rc == 0)
		handles_add(l->handles, &l->handle);
	return rc;
}

static void
set_result(struct log_append *a, int rc, const struct fault *f)
{
	a->code = codes_of_append(rc, f->file[0] != '\0');
	if (rc != 0 && rc != STATUS_DUPLICATE && a->why == NULL)
		a->why = error_text(a->code);
}

/* Recovery has put something aside: whoever runs the server is told. */
static void
tell_cut(struct log *l)
{
	struct partition_cut cut;
	struct tell t;

	partition_take_cut(l->writer, &cut);
	if (cut.len == 0)
		return;
	tell_begin(&t, "recovered");
	tell_text(&t, "path", l->path);
	tell_number(&t, "offset", cut.offset);
	tell_number(&t, "bytes", cut.len);
	tell_text(&t, "moved_to", LOST_DIR);
	tell_text(&t, "name", cut.saved);
	tell_error(&t);
}

/*
 * Whoever runs the server is told what fails, once until it works again or
 * fails otherwise.
 */
static void
tell_failed(struct log *l, const char *what, const struct fault *f, int rc)
{
	struct tell t;

	if (rc != 0 && rc != l->told) {
		tell_begin(&t, what);
		tell_text(&t, "path", l->path);
		if (f->file[0] != '\0')
			tell_text(&t, "file", f->file);
		tell_text(&t, "why", status_text(rc));
		tell_error(&t);
	}
	l->told = rc;
}

/* Not 0: the log is not there any more, and is to be opened anew. */
static int
append_one(struct log *l, struct log_append *a,
    const struct properties *settings, struct buf *scratch)
{
	struct partition_append pa = {.data = a->data,
	    .len = (size_t)a->len,
	    .checked = true,
	    .expect = -1};
	struct fault f = {.file = ""};
	struct batch b;
	int rc;

	a->code =
	    validate_batch(a->data, a->len, settings, scratch, &b, &a->why);
	if (a->code != KAFKA_NONE)
		return 0;
	rc = partition_append(l->writer, &pa, &f);
	tell_cut(l);
	a->rolled = pa.rolled;
	set_result(a, rc, &f);
	/* What is wrong with the batch is told to its sender alone. */
	if (rc == 0 || a->code == KAFKA_STORAGE_ERROR ||
	    a->code == KAFKA_UNKNOWN_SERVER_ERROR)
		tell_failed(l, "append failed", &f, rc);
	a->base_offset = a->code == KAFKA_NONE ? pa.base_offset : -1;
	if (properties_int(settings, PROPERTIES_TIMESTAMP_TYPE) ==
		PROPERTIES_LOG_APPEND_TIME &&
	    a->code == KAFKA_NONE)
		a->append_time = rc == STATUS_DUPLICATE
		    ? pa.stored_timestamp
		    : (int64_t)buf_get_64(a->data + BATCH_MAX_TIMESTAMP);
	return rc == STATUS_REMOVED ? rc : 0;
}

/* What is read is to be what is written from now on. */
static void
forget_removed(struct log *l)
{
	pthread_mutex_lock(&l->read_lock);
	log_forget(l);
	pthread_mutex_unlock(&l->read_lock);
}

/* What was appended did not become durable. */
static void
fail_round(struct log_queue *round, int rc)
{
	struct log_append *a;

	TAILQ_FOREACH(a, round, entry) {
		if (a->act != NULL || a->code != KAFKA_NONE)
			continue;
		a->code = codes_of_append(rc, true);
		a->base_offset = a->append_time = -1;
		a->why = "not known to be on the device";
	}
}

/* What is to be done with the writer besides; rc is how the appends went. */
static void
act_all(struct log *l, struct log_queue *round, int rc)
{
	const struct fault f = {.file = ""};
	struct log_append *a;

	TAILQ_FOREACH(a, round, entry) {
		if (a->act == NULL)
			continue;
		if (rc != 0)
			set_result(a, rc, &f);
		else
			a->code = a->act(l->writer, a);
		waiting_wake(l->waiting, l);
	}
}

static int64_t
log_start(struct log *l)
{
	struct partition_offsets o;

	return l->writer != NULL && partition_offsets(l->writer, &o, NULL) == 0
	    ? o.log_start
	    : -1;
}

static void
append_round(struct log *l, struct log_queue *round, struct buf *scratch)
{
	struct properties settings;
	struct fault f = {.file = ""};
	struct log_append *a;
	bool any = false;
	int64_t start;
	int rc = open_writer(l, &settings, &f);

	if (rc != 0 && rc != STATUS_NO_TOPIC)
		tell_failed(l, "open failed", &f, rc);
	TAILQ_FOREACH(a, round, entry) {
		a->base_offset = a->append_time = -1;
		if (a->act != NULL)
			continue;
		if (rc != 0)
			set_result(a, rc, &f);
		else
			rc = append_one(l, a, &settings, scratch);
		/* What it does not follow is to be seen, too. */
		any = any || a->code == KAFKA_NONE ||
		    a->code == KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
	}
	if (rc == 0 && any && !l->relaxed)
		rc = partition_sync(l->writer, &f);
	if (any && rc != 0) {
		tell_failed(l, "sync failed", &f, rc);
		fail_round(round, rc);
	}
	act_all(l, round, rc);
	if (rc == STATUS_REMOVED)
		forget_removed(l);
	if (rc != 0) {
		/* The next one opens it anew, and looks at what is there. */
		partition_close(l->writer);
		l->writer = NULL;
	}
	if (any)
		waiting_wake(l->waiting, l);
	start = log_start(l);
	TAILQ_FOREACH(a, round, entry)
		a->log_start = start;
}

static bool
take_round(struct log *l, struct log_queue *round)
{
	TAILQ_INIT(round);
	pthread_mutex_lock(&l->write_lock);
	TAILQ_CONCAT(round, &l->queue, entry);
	l->busy = !TAILQ_EMPTY(round);
	pthread_mutex_unlock(&l->write_lock);
	return !TAILQ_EMPTY(round);
}

static void
tell_round(struct log_queue *round)
{
	struct log_append *a;

	while ((a = TAILQ_FIRST(round)) != NULL) {
		TAILQ_REMOVE(round, a, entry);
		a->done(a);
	}
}

static void
work(void *arg)
{
	struct log *l = arg;
	struct log_queue round, next;
	struct buf scratch;
	bool more = take_round(l, &round);

	buf_init(&scratch, CONFIG_UNPACKED_BYTES);
	while (more) {
		append_round(l, &round, &scratch);
		/*
		 * Who is told may be the last that has the log: it is there
		 * afterwards only if somebody waits in the next round.
		 */
		more = take_round(l, &next);
		tell_round(&round);
		TAILQ_CONCAT(&round, &next, entry);
	}
	buf_release(&scratch);
}

bool
log_is_busy(struct log *l)
{
	bool busy;

	if (pthread_mutex_trylock(&l->write_lock) != 0)
		return false;
	busy = l->busy;
	pthread_mutex_unlock(&l->write_lock);
	return busy;
}

void
log_append(struct log *l, struct log_append *a)
{
	bool start;

	a->code = KAFKA_NONE;
	a->why = NULL;
	a->rolled = false;
	pthread_mutex_lock(&l->write_lock);
	TAILQ_INSERT_TAIL(&l->queue, a, entry);
	start = !l->busy;
	l->busy = true;
	pthread_mutex_unlock(&l->write_lock);
	if (start)
		pool_run(l->pool, &l->task);
}
