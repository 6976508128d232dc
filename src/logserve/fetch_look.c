#include "fetch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "catalog.h"
#include "codes.h"
#include "kafka/error.h"
#include "log.h"
#include "server.h"
#include "store/lookup.h"
#include "store/txnindex.h"

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What a consumer that reads what is committed has to leave out of it. */
static int
find_aborted(struct fetch *f, struct fetch_part *part, struct partition *p,
    int64_t upto)
{
	struct fetch_response_responses_partitions *out = &part->out;
	struct aborted_list l;
	struct fault fault;
	int rc;

	txnindex_list_init(&l);
	rc = lookup_aborted(p, part->in.offset, upto, &l, &fault);
	if (rc == 0 && l.count > 0) {
		out->aborted_transactions = request_alloc(f->request, l.count,
		    sizeof(*out->aborted_transactions));
		if (out->aborted_transactions == NULL)
			rc = ENOMEM;
	}
	for (size_t i = 0; rc == 0 && i < l.count; i++) {
		out->aborted_transactions[i].producer_id =
		    l.items[i].producer_id;
		out->aborted_transactions[i].first_offset =
		    l.items[i].first_offset;
		out->aborted_transactions_count++;
	}
	txnindex_list_release(&l);
	return rc;
}

static void
note_records(struct fetch *f, struct fetch_part *part,
    const struct lookup_range *range)
{
	part->out.records = (struct wire_records){.len = range->len,
	    .fd = range->fd,
	    .pos = range->pos};
	f->bytes += range->len;
	f->budget -= range->len;
}

/* The stretch, if any; the log is held. */
static int
find_records(struct fetch *f, struct fetch_part *part, struct partition *p)
{
	const struct fetch_request *in = f->request->message;
	int64_t end = in->isolation_level == 1 ? part->out.last_stable_offset
					       : part->out.high_watermark;
	int64_t max = least(part->in.bytes_max, f->budget);
	struct lookup_range range;
	struct fault fault;
	int rc;

	/* The first batch is sent even if it is larger than allowed. */
	if (in->isolation_level == 1)
		part->out.aborted_transactions_count = 0;
	if (max <= 0 && f->bytes > 0)
		return 0;
	rc = lookup_range(p, part->in.offset, end, max, &range, &fault);
	/* Without a descriptor there is nothing for now. */
	if (rc == STATUS_END || rc == EMFILE || rc == ENFILE)
		return 0;
	if (rc != 0)
		return rc;
	if (range.len > max && f->bytes > 0) {
		close(range.fd);
		return 0;
	}
	note_records(f, part, &range);
	return in->isolation_level == 1 && range.may_abort
	    ? find_aborted(f, part, p, range.next_offset)
	    : 0;
}

static void
tell_offsets(struct fetch_part *part, const struct partition_offsets *o)
{
	part->out.high_watermark = o->high_watermark;
	part->out.last_stable_offset = o->last_stable;
	part->out.log_start_offset = o->log_start;
}

static int
look_at(struct fetch *f, struct fetch_part *part, struct partition *p)
{
	struct partition_offsets o;
	struct fault fault;
	int rc = partition_offsets(p, &o, &fault), code;

	if (rc != 0)
		return codes_of_read(rc);
	code = codes_of_epoch(part->in.leader_epoch, o.leader_epoch);
	if (code != KAFKA_NONE)
		return code;
	tell_offsets(part, &o);
	if (part->in.offset < o.log_start || part->in.offset > o.log_end)
		return KAFKA_OFFSET_OUT_OF_RANGE;
	return codes_of_read(find_records(f, part, p));
}

static void
close_records(struct fetch_part *part)
{
	if (part->out.records.len > 0 && part->out.records.data == NULL)
		close(part->out.records.fd);
	part->out.records = (struct wire_records){.len = 0};
}

/* What is to be sent is good; it may be less than what was found. */
static void
prove(struct fetch *f, struct fetch_part *part, struct log *log)
{
	struct wire_records *r = &part->out.records;
	int64_t found = r->len, len = found;
	int rc;

	if (found <= 0)
		return;
	rc = log_prove(log, r->fd, r->pos, &len);
	if (rc == 0) {
		r->len = len;
	} else {
		close_records(part);
		part->out.error_code = rc == STATUS_CORRUPT
		    ? KAFKA_CORRUPT_MESSAGE
		    : KAFKA_STORAGE_ERROR;
	}
	f->bytes -= found - r->len;
	f->budget += found - r->len;
}

/* Memory for a copy, which the next look uses again; NULL: not that much. */
static uint8_t *
room_for_copy(struct fetch *f, int64_t len)
{
	uint8_t **piece;

	if (len > CONFIG_FETCH_COPY_BYTES ||
	    f->copies_full == CONFIG_FETCH_COPIES)
		return NULL;
	if (f->copied + len > CONFIG_FETCH_COPY_BYTES) {
		f->copies_full++;
		f->copied = 0;
	}
	if (f->copies_full == CONFIG_FETCH_COPIES)
		return NULL;
	piece = &f->copies[f->copies_full];
	if (*piece == NULL)
		*piece = request_alloc(f->request, 1, CONFIG_FETCH_COPY_BYTES);
	return *piece == NULL ? NULL : *piece + f->copied;
}

static void
use_copy(struct fetch *f, struct wire_records *r, uint8_t *to)
{
	close(r->fd);
	r->data = to;
	f->copied += r->len;
}

/* A copy instead of the file, where it is short. */
static bool
copy(struct fetch *f, struct wire_records *r)
{
	uint8_t *to = room_for_copy(f, r->len);

	if (to == NULL || io_pread_full(r->fd, to, (size_t)r->len, r->pos) != 0)
		return false;
	use_copy(f, r, to);
	return true;
}

/* One answer, and all of them, keep a bounded number of files open. */
static bool
may_keep_file(struct fetch *f)
{
	struct server *s = f->request->server;

	return f->files < CONFIG_FETCH_FILES &&
	    atomic_load(&s->files) + (size_t)f->files < s->files_max;
}

/* What is found is kept in this look; or left for the next fetch. */
static void
keep(struct fetch *f, struct fetch_part *part)
{
	struct wire_records *r = &part->out.records;

	if (r->len <= 0 || copy(f, r))
		return;
	if (may_keep_file(f)) {
		f->files++;
		return;
	}
	f->bytes -= r->len;
	f->budget = 0;
	close_records(part);
}

static void
look_at_part(struct fetch *f, struct fetch_part *part)
{
	struct server *s = f->request->server;
	struct partition *p;
	struct log *log;
	int rc;

	part->out.error_code = (int16_t)part->topic_code;
	if (part->topic_code != KAFKA_NONE)
		return;
	rc = catalog_log(s->catalog, part->topic, part->in.key.partition, &log);
	if (rc == 0) {
		f->waiter.on[f->waits].log = log;
		f->waiter.on[f->waits].changes = waiting_note(s->waiting, log);
		f->waits++;
		p = log_get(log, &rc);
	}
	if (rc != 0) {
		part->out.error_code = (int16_t)codes_of_read(rc);
		return;
	}
	part->out.error_code = (int16_t)look_at(f, part, p);
	if (part->out.error_code != KAFKA_NONE)
		close_records(part);
	/* Another directory may stand there by now. */
	if (part->out.error_code == KAFKA_STORAGE_ERROR ||
	    part->out.error_code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
		log_forget(log);
	log_put(log);
	prove(f, part, log);
	keep(f, part);
}

static void
reset_part(struct fetch_part *part)
{
	part->out =
	    (struct fetch_response_responses_partitions){.partition_index =
							     part->in.key
								 .partition,
	    .high_watermark = -1,
	    .last_stable_offset = -1,
	    .log_start_offset = -1,
	    .diverging_epoch = {-1, -1},
	    .current_leader = {-1, -1},
	    .snapshot_id = {-1, -1},
	    .aborted_transactions_count = -1,
	    .preferred_read_replica = -1};
}

bool
fetch_is_same_topic(const struct fetch_key *a, const struct fetch_key *b)
{
	return bytes_equal(a->topic, b->topic) &&
	    memcmp(a->id, b->id, sizeof(a->id)) == 0;
}

static void
find_topic(struct catalog *c, struct fetch_part *part)
{
	const struct fetch_key *key = &part->in.key;
	struct wire_uuid id;
	int rc;

	if (!bytes_is_null(key->topic)) {
		rc = catalog_find(c, key->topic, &part->topic);
		part->topic_code = codes_of_read(rc);
	} else {
		memcpy(id.bytes, key->id, sizeof(id.bytes));
		rc = catalog_find_id(c, &id, &part->topic);
		part->topic_code =
		    rc == 0 ? KAFKA_NONE : KAFKA_UNKNOWN_TOPIC_ID;
	}
	if (rc != 0)
		part->topic = NULL;
}

/* Partitions of one topic mostly come together. */
static void
find_topics(struct fetch *f)
{
	struct catalog *c = f->request->server->catalog;
	struct fetch_part *last = NULL;

	for (int32_t i = 0; i < f->part_count; i++) {
		struct fetch_part *part = &f->parts[i];

		if (last == NULL ||
		    !fetch_is_same_topic(&last->in.key, &part->in.key)) {
			find_topic(c, part);
		} else {
			part->topic_code = last->topic_code;
			part->topic = last->topic == NULL
			    ? NULL
			    : catalog_retain(last->topic);
		}
		last = part;
	}
}

void
fetch_release(struct fetch *f)
{
	for (int32_t i = 0; i < f->part_count; i++) {
		catalog_release_aside(f->request->server->catalog,
		    f->parts[i].topic);
		f->parts[i].topic = NULL;
	}
}

bool
fetch_is_enough(const struct fetch *f)
{
	const struct fetch_request *in = f->request->message;

	for (int32_t i = 0; i < f->part_count; i++)
		if (f->parts[i].out.error_code != KAFKA_NONE)
			return true;
	return f->part_count == 0 || f->bytes >= in->min_bytes ||
	    f->budget <= 0 || f->waiter.over || now_mono_ms() >= f->deadline_ms;
}

static void
begin_look(struct fetch *f)
{
	const struct fetch_request *in = f->request->message;

	fetch_release(f);
	f->waits = 0;
	f->bytes = 0;
	f->files = 0;
	f->copies_full = 0;
	f->copied = 0;
	f->budget = least(in->max_bytes, CONFIG_FETCH_BYTES);
	for (int32_t i = 0; i < f->part_count; i++)
		reset_part(&f->parts[i]);
}

void
fetch_look(struct fetch *f)
{
	begin_look(f);
	find_topics(f);
	for (int32_t i = 0; i < f->part_count; i++)
		if (!request_is_vain(f->request))
			look_at_part(f, &f->parts[i]);
}

void
fetch_drop(struct fetch *f)
{
	for (int32_t i = 0; i < f->part_count; i++)
		close_records(&f->parts[i]);
}

/* --- on a loop ------------------------------------------------------------ */

/* Short ones are copied, and checked where they were not before. */
static bool
copy_now(struct fetch *f, struct wire_records *r, struct log *log)
{
	uint8_t *to = room_for_copy(f, r->len);
	size_t got;

	if (to == NULL ||
	    io_pread_cached(r->fd, to, (size_t)r->len, r->pos, &got) != 0 ||
	    got != (size_t)r->len ||
	    !log_is_good(log, r->fd, r->pos, to, (size_t)r->len))
		return false;
	use_copy(f, r, to);
	return true;
}

/* Keep it, if it is good. */
static bool
keep_now(struct fetch *f, struct fetch_part *part, struct log *log)
{
	struct wire_records *r = &part->out.records;

	if (copy_now(f, r, log))
		return true;
	if (!may_keep_file(f) || !log_is_proven(log, r->fd, r->pos, r->len))
		return false;
	f->files++;
	return true;
}

/* The log is held. */
static enum fetch_now
find_next(struct fetch *f, struct fetch_part *part, struct log *log,
    struct partition *p)
{
	const struct fetch_request *in = f->request->message;
	bool committed = in->isolation_level == 1;
	int64_t max = least(part->in.bytes_max, f->budget);
	struct partition_offsets o;
	struct lookup_range range;
	int rc;

	if (max <= 0 && f->bytes == 0)
		return FETCH_ASIDE;
	rc = lookup_next(p, part->in.offset, committed, max, &o, &range);
	if (rc == 0 && range.len > max && f->bytes > 0) {
		close(range.fd);
		rc = STATUS_END;
	}
	if (rc != 0 && rc != STATUS_END)
		return FETCH_ASIDE;
	tell_offsets(part, &o);
	if (committed)
		part->out.aborted_transactions_count = 0;
	if (rc == 0)
		note_records(f, part, &range);
	if (codes_of_epoch(part->in.leader_epoch, o.leader_epoch) != KAFKA_NONE)
		return FETCH_ASIDE;
	if (rc == STATUS_END)
		return FETCH_NOTHING;
	if (!keep_now(f, part, log))
		return FETCH_ASIDE;
	lookup_took(p, part->in.offset, &range);
	return FETCH_ENOUGH;
}

static enum fetch_now
look_at_next(struct fetch *f, struct fetch_part *part)
{
	struct server *s = f->request->server;
	struct waiting_on *on = &f->waiter.on[f->waits];
	struct wire_uuid id;
	struct partition *p;
	enum fetch_now found;

	memcpy(id.bytes, part->in.key.id, sizeof(id.bytes));
	if (catalog_known(s->catalog, part->in.key.topic, &id,
		part->in.key.partition, &part->topic, &on->log) != 0 ||
	    !waiting_note_now(s->waiting, on->log, &on->changes))
		return FETCH_ASIDE;
	f->waits++;
	p = log_try(on->log);
	if (p == NULL)
		return FETCH_ASIDE;
	found = find_next(f, part, on->log, p);
	log_put(on->log);
	return found;
}

enum fetch_now
fetch_look_now(struct fetch *f)
{
	enum fetch_now found = FETCH_NOTHING;

	begin_look(f);
	for (int32_t i = 0; found != FETCH_ASIDE && i < f->part_count; i++)
		found = look_at_next(f, &f->parts[i]);
	if (found != FETCH_ASIDE && fetch_is_enough(f))
		return FETCH_ENOUGH;
	if (found != FETCH_ASIDE && f->bytes == 0)
		return FETCH_NOTHING;
	/* What is too little is found again in the ordinary way. */
	fetch_drop(f);
	fetch_release(f);
	return FETCH_ASIDE;
}
