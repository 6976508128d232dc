#include "tool/sources.h"

#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "store/partitioner.h"
#include "store/segment.h"
#include "store/tail.h"
#include "tool/message.h"

volatile sig_atomic_t sources_stop;

static int
stream_flags(const struct sources *s)
{
	const struct reading *r = s->r;
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
partition_path_of(const struct sources *s, size_t i, int32_t number,
    char path[PATH_MAX])
{
	const struct topic_place *place = &s->places[i];
	char copy[PATH_MAX];

	if (place->kind == TOPIC_PLACE_TOPIC) {
		snprintf(path, PATH_MAX, "%s/%d", s->paths[i], (int)number);
	} else if (place->kind == TOPIC_PLACE_SEGMENT) {
		strlcpy(copy, s->paths[i], sizeof(copy));
		strlcpy(path, dirname(copy), PATH_MAX);
	} else {
		strlcpy(path, s->paths[i], PATH_MAX);
	}
}

/* A segment file whose name is past the log's end holds nothing of it. */
static int
check_segment(struct partition *p, const char *path, int64_t base,
    struct fault *f)
{
	struct partition_offsets offsets;
	struct stat st;
	int rc = partition_offsets(p, &offsets, f);

	if (rc != 0)
		return rc;
	if (base <= offsets.log_end || stat(path, &st) != 0 || st.st_size == 0)
		return 0;
	return status_fault(f, STATUS_CORRUPT, path, 0, base,
	    "the segment is past the log end");
}

/* One segment file is the range of its offsets. */
static int
clip_to_segment(struct partition *p, const char *path, int64_t base,
    int64_t *from, int64_t *to, struct fault *f)
{
	struct segment_list l;
	int rc = check_segment(p, path, base, f);

	if (rc == 0)
		rc = tail_list(p, &l);
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

/* A partition that is open, here or in a cluster: one of the two is NULL. */
struct opened {
	struct partition *p;
	struct remote_partition *remote;
};

static int
resolve_position(struct sources *s, const struct opened *o,
    const struct position *at, int64_t stored, int64_t *offset, int *clamped,
    struct fault *f)
{
	if (o->remote != NULL)
		return remote_partition_resolve(o->remote, at, stored, offset,
		    clamped, f);
	return stream_resolve(o->p, stream_flags(s), at, stored, offset,
	    clamped, f);
}

/* Where the end of a source is. */
static int
resolve_end(struct sources *s, const struct opened *p, int64_t stored,
    int64_t *to, struct fault *f)
{
	const struct range *range = &s->range;
	int64_t end;
	const struct position last = {POSITION_END, 0};
	int rc = resolve_position(s, p, &last, -1, &end, NULL, f);

	if (rc != 0)
		return rc;
	*to = s->r->follow ? INT64_MAX : end;
	if (!range->has_to || range->to.kind == POSITION_END) {
		/* "-o X:end -f" ends where the end is now. */
		if (range->has_to)
			*to = end;
		return 0;
	}
	if (s->r->follow && range->to.kind == POSITION_OFFSET) {
		*to = range->to.n;
		return 0;
	}
	rc = resolve_position(s, p, &range->to, stored, to, NULL, f);
	if (rc == 0 && s->r->follow && range->to.kind == POSITION_TIME &&
	    *to == end)
		*to = INT64_MAX;
	return rc;
}

/* The records of one partition that are wanted: [*from, *to). */
static int
resolve(struct sources *s, const struct opened *p, size_t i, int32_t number,
    int64_t stored, int64_t *from, int64_t *to, struct fault *f)
{
	const struct topic_place *place = &s->places[i];
	struct position at = s->range.from;
	int64_t later;
	int clamped, rc;

	/* A group's position wins over what is said for a new one. */
	if (s->r->group != NULL && stored >= 0)
		at.kind = POSITION_STORED;
	if (at.kind == POSITION_STORED && stored < 0)
		at.kind = POSITION_START;
	rc = resolve_position(s, p, &at, stored, from, &clamped, f);
	if (rc == 0 && clamped < 0)
		cli_warn("%s/%d: offset %lld is gone, starting at %lld",
		    place->name, (int)number,
		    (long long)(at.kind == POSITION_STORED ? stored : at.n),
		    (long long)*from);
	if (rc == 0 && s->r->since != NULL) {
		at = (struct position){POSITION_TIME, s->filter.since};
		rc = resolve_position(s, p, &at, -1, &later, NULL, f);
		if (rc == 0 && later > *from)
			*from = later;
	}
	if (rc == 0)
		rc = resolve_end(s, p, stored, to, f);
	if (rc == 0 && p->p != NULL && place->segment >= 0)
		rc = clip_to_segment(p->p, s->paths[i], place->segment, from,
		    to, f);
	return rc;
}

static int
add_remote(struct sources *s, struct stream *stream, size_t i,
    struct remote_partition *p, int32_t number, int64_t stored)
{
	const struct opened o = {.remote = p};
	struct fault f = {.file = ""};
	struct stream_feed feed;
	int64_t from, to;
	int rc = resolve(s, &o, i, number, stored, &from, &to, &f);

	if (rc != 0) {
		remote_partition_close(p);
		return message_warn(s->paths[i], rc, &f);
	}
	remote_partition_feed(p, &feed);
	rc =
	    stream_add_feed(stream, &feed, s->places[i].name, number, from, to);
	return rc == 0 ? CLI_DONE : message_warn(s->paths[i], rc, NULL);
}

static int
open_remote_partition(struct sources *s, struct stream *stream, size_t i,
    int32_t number, int64_t stored)
{
	struct remote_partition *p;
	struct fault f = {.file = ""};
	int rc = remote_partition_open(s->remotes[i], number, &p, &f);

	if (rc == EINTR)
		return CLI_DONE;
	if (rc != 0)
		return message_warn(s->paths[i], rc, &f);
	return add_remote(s, stream, i, p, number, stored);
}

int
sources_open_member(struct sources *s, size_t i, int32_t number, int64_t stored,
    struct cluster *c, rd_kafka_queue_t *queue, struct stream **out)
{
	struct remote_partition *p;
	struct fault f = {.file = ""};
	int status;
	int rc =
	    remote_partition_of_member(s->remotes[i], c, number, queue, &p, &f);

	if (rc != 0)
		return message_warn(s->paths[i], rc, &f);
	rc = stream_open(stream_flags(s), &s->filter, 1, out);
	if (rc != 0) {
		remote_partition_close(p);
		return message_warn("stream", rc, NULL);
	}
	status = add_remote(s, *out, i, p, number, stored);
	if (status != CLI_DONE) {
		stream_close(*out);
		*out = NULL;
	}
	return status;
}

static int
open_partition(struct sources *s, struct stream *stream, size_t i,
    int32_t number, int64_t stored)
{
	char path[PATH_MAX];
	struct partition *p = NULL;
	struct fault f = {.file = ""};
	int64_t from, to;
	int rc;

	if (s->remotes[i] != NULL)
		return open_remote_partition(s, stream, i, number, stored);
	partition_path_of(s, i, number, path);
	rc = partition_open(path, PARTITION_READ, &partition_defaults, &p, &f);
	if (rc == 0)
		rc = resolve(s, &(struct opened){.p = p}, i, number, stored,
		    &from, &to, &f);
	if (rc != 0) {
		partition_close(p);
		return message_warn(path, rc, &f);
	}
	rc = stream_add(stream, p, s->places[i].name, number, from, to, &f);
	if (rc == 0 && s->watch != NULL)
		rc = watch_add(s->watch, path);
	return rc == 0 ? CLI_DONE : message_warn(path, rc, &f);
}

/* How many partitions will be read, at most. */
static size_t
expected_sources(const struct sources *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += (size_t)s->places[i].count;
	return n;
}

const char *
sources_topic_id(const struct sources *s, const char *topic)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->places[i].name == topic &&
		    (s->places[i].has_topic || s->remotes[i] != NULL))
			return s->places[i].topic.id;
	return "";
}

static int
add_partition(struct sources *s, size_t i, int32_t number)
{
	return open_partition(s, s->stream, i, number,
	    cursor_get(&s->cursor, s->places[i].name,
		sources_topic_id(s, s->places[i].name), number));
}

int
sources_open_partition(struct sources *s, size_t i, int32_t number,
    int64_t stored, struct stream **out)
{
	int rc =
	    stream_open(stream_flags(s), &s->filter, expected_sources(s), out);
	int status;

	if (rc != 0)
		return message_warn("stream", rc, NULL);
	status = open_partition(s, *out, i, number, stored);
	if (status != CLI_DONE) {
		stream_close(*out);
		*out = NULL;
	}
	return status;
}

int
sources_find_end(struct sources *s, size_t i, int32_t number, int64_t stored,
    int64_t *end)
{
	char path[PATH_MAX];
	struct partition *p = NULL;
	struct fault f = {.file = ""};
	int rc;

	partition_path_of(s, i, number, path);
	rc = partition_open(path, PARTITION_READ, &partition_defaults, &p, &f);
	if (rc == 0)
		rc = resolve_end(s, &(struct opened){.p = p}, stored, end, &f);
	partition_close(p);
	return rc == 0 ? CLI_DONE : message_warn(path, rc, &f);
}

bool
sources_get_over(const struct sources *s, struct stream *stream, int rc,
    const struct fault *f, int *status)
{
	int64_t from, to;

	if (rc == STATUS_OFFSET) {
		cli_warn("%s: records up to offset %lld were deleted while "
			 "reading",
		    f->file, (long long)f->offset - 1);
		return true;
	}
	*status = message_worse(*status, message_warn(f->file, rc, f));
	if (!s->r->skip_corrupt ||
	    (rc != STATUS_CORRUPT && rc != STATUS_UNSUPPORTED))
		return false;
	rc = stream_skip(stream, &from, &to);
	if (rc != 0) {
		*status =
		    message_worse(*status, message_warn(f->file, rc, NULL));
		return false;
	}
	if (to > from)
		warnx("%s: skipped offsets %lld to %lld", f->file,
		    (long long)from, (long long)to - 1);
	return true;
}

static bool
is_chosen(const struct sources *s, const struct topic_place *place,
    int32_t number)
{
	if (!parse_partitions_has(&s->partitions, number))
		return false;
	if (!s->r->key_partition || place->kind != TOPIC_PLACE_TOPIC)
		return true;
	return partitioner_partition(PARTITIONER_MURMUR2, s->filter.key,
		   place->count) == number;
}

/* A partition that was asked for must be there. */
static int
check_partitions(const struct sources *s, size_t i)
{
	const struct topic_place *place = &s->places[i];

	for (size_t k = 0; k < s->partitions.count; k++) {
		int32_t last = s->partitions.spans[k].last;

		if (place->kind == TOPIC_PLACE_TOPIC && last >= place->count) {
			warnx("%s: no partition %d (it has %d)", s->paths[i],
			    (int)last, (int)place->count);
			return CLI_FAIL;
		}
	}
	if (place->kind != TOPIC_PLACE_TOPIC &&
	    !parse_partitions_has(&s->partitions, place->first))
		cli_usage("-p %s does not go with %s, which is partition %d",
		    s->r->partitions, s->paths[i], (int)place->first);
	return CLI_DONE;
}

static int
add_place(struct sources *s, size_t i, int32_t first)
{
	const struct topic_place *place = &s->places[i];
	int status = check_partitions(s, i);

	for (int32_t n = first;
	     status == CLI_DONE && n < place->first + place->count; n++)
		if (is_chosen(s, place, n))
			status = add_partition(s, i, n);
	if (status == CLI_DONE && s->watch != NULL && s->remotes[i] == NULL &&
	    place->kind == TOPIC_PLACE_TOPIC)
		(void)watch_add(s->watch, s->paths[i]);
	return status;
}

/* --latest, -n and -r. */
static int
shape(struct sources *s, struct fault *f)
{
	const struct reading *r = s->r;
	int rc = 0;

	if (r->latest)
		rc = stream_latest(s->stream,
		    (size_t)(r->memory < 0 ? READING_MEMORY : r->memory));
	if (rc == 0 && r->last >= 0)
		rc = stream_last(s->stream, r->last, r->per_partition, f);
	if (rc == 0 && r->reverse)
		rc = stream_reverse(s->stream);
	return rc;
}

int
sources_open(struct sources *s)
{
	struct fault f = {.file = ""};
	struct reading *r = s->r;
	int status = sources_locate(s), rc;

	if (status != CLI_DONE || s->gave_up)
		return status;
	rc = stream_open(stream_flags(s), &s->filter, expected_sources(s),
	    &s->stream);
	if (rc != 0)
		return message_warn("stream", rc, NULL);
	for (size_t i = 0; status == CLI_DONE && i < s->count; i++)
		status = add_place(s, i, s->places[i].first);
	if (status != CLI_DONE)
		return status;
	if (r->batches && stream_count(s->stream) > 1)
		cli_usage("-B: one partition's; choose it with -p");
	rc = shape(s, &f);
	return rc == 0 ? CLI_DONE : message_warn("stream", rc, &f);
}

/* Has the operand's topic been removed, or replaced by another? */
bool
sources_is_removed(const struct sources *s, size_t i)
{
	const struct topic_place *place = &s->places[i];
	struct stat now, then;
	int fd = place->kind == TOPIC_PLACE_TOPIC ? place->topic.dirfd
						  : place->dirfd;
	char path[PATH_MAX];

	if (s->remotes[i] != NULL)
		return remote_topic_is_removed(s->remotes[i]);
	if (place->kind == TOPIC_PLACE_TOPIC)
		strlcpy(path, s->paths[i], sizeof(path));
	else
		partition_path_of(s, i, place->first, path);
	return stat(path, &now) != 0 || fstat(fd, &then) != 0 ||
	    now.st_ino != then.st_ino || now.st_dev != then.st_dev;
}

/* New partitions of followed topics are read from their beginning. */
int
sources_take_new(struct sources *s)
{
	struct fault f;
	int status = CLI_DONE;

	for (size_t i = 0; status == CLI_DONE && i < s->count; i++) {
		struct topic_place *place = &s->places[i];
		struct topic now;
		int32_t before = place->count;

		if (place->kind != TOPIC_PLACE_TOPIC)
			continue;
		if (s->remotes[i] != NULL) {
			place->count = remote_topic_look(s->remotes[i]);
		} else {
			if (topic_open(s->paths[i], &now, &f) != 0)
				continue;
			place->count = now.partitions;
			topic_close(&now);
		}
		if (place->count > before) {
			struct range range = s->range;

			s->range.from.kind = POSITION_START;
			status = add_place(s, i, before);
			s->range = range;
		}
	}
	return status;
}

void
sources_close(struct sources *s)
{
	stream_close(s->stream);
	s->stream = NULL;
	for (size_t i = 0; i < s->count; i++) {
		topic_place_close(&s->places[i]);
		remote_topic_close(s->remotes[i]);
		s->remotes[i] = NULL;
	}
}

void
sources_release(struct sources *s)
{
	sources_close(s);
	watch_close(s->watch);
	cursor_release(&s->cursor);
	if (s->filter.grep != NULL)
		regfree(&s->regex);
	if (s->filter.key_grep != NULL)
		regfree(&s->key_regex);
	free(s->places);
	free(s->remotes);
	places_release(&s->r->places);
}
