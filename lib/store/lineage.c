#include "store/lineage.h"

#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/status.h"
#include "store/cluster_id.h"
#include "store/origin.h"
#include "store/state.h"
#include "store/topic.h"

/* What a broker of Kafka's writes beside the segments of a partition. */
#define FOREIGN_FILE "partition.metadata"
#define FOREIGN_KEY "topic_id:"
#define PAST "was."

enum {
	FOREIGN_MAX = 4096,
	TOPIC_ID_BYTES = 16,	/* of an identity, the topic's id */
};

static const char digits[] = "0123456789abcdef";

void
lineage_init(struct lineage *l)
{
	l->count = l->past = 0;
}

void
lineage_id(const struct topic *t, uint8_t out[LINEAGE_ID_LEN])
{
	char place[CLUSTER_ID_LEN + 1];

	memset(out, 0, LINEAGE_ID_LEN);
	(void)topic_id_bytes(t->id, out);
	if (cluster_id_derive(t->dirfd, place) == 0)
		cluster_id_hash(place, out + 16);
}

/* The id in that file; false: there is none. */
static bool
find_foreign_id(int dirfd, uint8_t id[16])
{
	char *rest, *line, text[FOREIGN_MAX + 1];
	struct buf b;
	bool found = false;
	int rc;

	buf_init(&b, FOREIGN_MAX);
	rc = io_read_file(dirfd, FOREIGN_FILE, FOREIGN_MAX, &b);
	if (rc == 0 && b.len > 0)
		memcpy(text, b.data, b.len);
	text[rc == 0 ? b.len : 0] = '\0';
	buf_release(&b);
	rest = text;
	while (!found && (line = strsep(&rest, "\n")) != NULL)
		found = strncmp(line, FOREIGN_KEY, strlen(FOREIGN_KEY)) == 0 &&
		    topic_id_bytes(line + strlen(FOREIGN_KEY) +
			    strspn(line + strlen(FOREIGN_KEY), " "),
			id);
	return found;
}

void
lineage_foreign_id(int dirfd, const char *name, uint8_t out[LINEAGE_ID_LEN])
{
	static const uint8_t none[16];
	char place[CLUSTER_ID_LEN + 1] = "";
	uint8_t id[16] = {0};
	int fd = -1;

	/* The other partitions of the topic are beside this one. */
	if (io_open(dirfd, "..", O_RDONLY | O_DIRECTORY, 0, &fd) == 0)
		(void)cluster_id_derive(fd, place);
	(void)io_close(&fd);
	cluster_id_topic(place, name, find_foreign_id(dirfd, id) ? id : none,
	    out);
}

static bool
is_replica(const struct topic *t, int32_t partition)
{
	int dirfd = -1, fd = -1;
	struct state s = {.role = STATE_ROLE_OPEN};
	int rc = topic_open_partition(t, partition, &dirfd);

	if (rc == 0)
		rc = state_open(dirfd, false, 0, 0, &fd);
	if (rc == 0)
		rc = state_read(fd, &s);
	(void)io_close(&fd);
	(void)io_close(&dirfd);
	return rc == 0 && s.role == STATE_ROLE_REPLICA;
}

/* Its origin stays with one that was promoted, and says nothing then. */
static bool
is_copy(const struct topic *t)
{
	for (int32_t n = 0; n < t->partitions; n++)
		if (is_replica(t, n))
			return true;
	return false;
}

void
lineage_of(const struct topic *t, struct lineage *out)
{
	struct origin o;

	out->count = 1;
	out->past = 0;
	lineage_id(t, out->ids[0]);
	origin_init(&o);
	if (origin_read(t->dirfd, &o) == 0 && o.lineage.count > 0) {
		out->past = o.lineage.count + o.lineage.past;
		if (out->past > LINEAGE_MAX - 1)
			out->past = LINEAGE_MAX - 1;
		memcpy(out->ids[1], o.lineage.ids[0],
		    (size_t)out->past * LINEAGE_ID_LEN);
	}
	if (out->past > 0 && is_copy(t)) {
		out->count +=
		    o.lineage.count < out->past ? o.lineage.count : out->past;
		out->past -= out->count - 1;
	}
	origin_release(&o);
}

bool
lineage_equal(const struct lineage *a, const struct lineage *b)
{
	return a->count == b->count && a->past == b->past &&
	    memcmp(a->ids, b->ids,
		(size_t)(a->count + a->past) * LINEAGE_ID_LEN) == 0;
}

static bool
is_known(const struct lineage *l)
{
	static const uint8_t none[TOPIC_ID_BYTES];

	for (int32_t i = 0; i < l->count + l->past; i++)
		if (memcmp(l->ids[i], none, sizeof(none)) == 0)
			return false;
	return l->count > 0;
}

bool
lineage_related(const struct lineage *a, const struct lineage *b)
{
	if (!is_known(a) || !is_known(b))
		return true;
	for (int32_t i = 0; i < a->count + a->past; i++)
		for (int32_t k = 0; k < b->count + b->past; k++)
			if (memcmp(a->ids[i], b->ids[k], TOPIC_ID_BYTES) == 0)
				return true;
	return false;
}

int
lineage_add(const struct lineage *l, struct buf *out)
{
	char text[2 * LINEAGE_ID_LEN + 1] = "";
	int rc = 0;

	for (int32_t i = 0; rc == 0 && i < l->count + l->past; i++) {
		bool past = i >= l->count;

		for (int k = 0; k < LINEAGE_ID_LEN; k++) {
			text[2 * k] = digits[l->ids[i][k] >> 4];
			text[2 * k + 1] = digits[l->ids[i][k] & 15];
		}
		rc = buf_addf(out, LINEAGE_KEY "%s%d=%s\n", past ? PAST : "",
		    (int)(past ? i - l->count : i), text);
	}
	return rc;
}

int
lineage_set(struct lineage *l, const char *number, const char *value)
{
	uint8_t id[LINEAGE_ID_LEN] = {0};
	bool past = strncmp(number, PAST, strlen(PAST)) == 0;
	const char *digit;
	int64_t n;

	if (parse_int(number + (past ? strlen(PAST) : 0), 0, LINEAGE_MAX - 1,
		&n) != 0 ||
	    n != (past ? l->past : l->count) || (!past && l->past > 0) ||
	    l->count + l->past == LINEAGE_MAX ||
	    strlen(value) != sizeof(id) * 2)
		return STATUS_SYNTAX;
	for (size_t i = 0; i < sizeof(id) * 2; i++) {
		digit = strchr(digits, value[i]);
		if (digit == NULL)
			return STATUS_SYNTAX;
		id[i / 2] = (uint8_t)(id[i / 2] << 4 | (digit - digits));
	}
	memcpy(l->ids[l->count + l->past], id, sizeof(id));
	++*(past ? &l->past : &l->count);
	return 0;
}
