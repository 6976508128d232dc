#include "store/lineage.h"

#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/status.h"
#include "store/cluster_id.h"
#include "store/origin.h"
#include "store/state.h"
#include "store/topic.h"

/* Of an identity, the topic's id. */
enum { TOPIC_ID_BYTES = 16 };

static const char digits[] = "0123456789abcdef";

void
lineage_id(const struct topic *t, uint8_t out[LINEAGE_ID_LEN])
{
	char place[CLUSTER_ID_LEN + 1];

	memset(out, 0, LINEAGE_ID_LEN);
	(void)topic_id_bytes(t->id, out);
	if (cluster_id_derive(t->dirfd, place) == 0)
		cluster_id_hash(place, out + 16);
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
	lineage_id(t, out->ids[0]);
	origin_init(&o);
	if (origin_read(t->dirfd, &o) == 0 && o.lineage.count > 0 &&
	    is_copy(t)) {
		for (int32_t i = 0;
		     i < o.lineage.count && out->count < LINEAGE_MAX; i++)
			memcpy(out->ids[out->count++], o.lineage.ids[i],
			    LINEAGE_ID_LEN);
	}
	origin_release(&o);
}

bool
lineage_equal(const struct lineage *a, const struct lineage *b)
{
	return a->count == b->count &&
	    memcmp(a->ids, b->ids, (size_t)a->count * LINEAGE_ID_LEN) == 0;
}

static bool
is_known(const struct lineage *l)
{
	static const uint8_t none[TOPIC_ID_BYTES];

	for (int32_t i = 0; i < l->count; i++)
		if (memcmp(l->ids[i], none, sizeof(none)) == 0)
			return false;
	return l->count > 0;
}

bool
lineage_related(const struct lineage *a, const struct lineage *b)
{
	if (!is_known(a) || !is_known(b))
		return true;
	for (int32_t i = 0; i < a->count; i++)
		for (int32_t k = 0; k < b->count; k++)
			if (memcmp(a->ids[i], b->ids[k], TOPIC_ID_BYTES) == 0)
				return true;
	return false;
}

int
lineage_add(const struct lineage *l, struct buf *out)
{
	char text[2 * LINEAGE_ID_LEN + 1] = "";
	int rc = 0;

	for (int32_t i = 0; rc == 0 && i < l->count; i++) {
		for (int k = 0; k < LINEAGE_ID_LEN; k++) {
			text[2 * k] = digits[l->ids[i][k] >> 4];
			text[2 * k + 1] = digits[l->ids[i][k] & 15];
		}
		rc = buf_addf(out, LINEAGE_KEY "%d=%s\n", (int)i, text);
	}
	return rc;
}

int
lineage_set(struct lineage *l, const char *number, const char *value)
{
	uint8_t id[LINEAGE_ID_LEN] = {0};
	const char *digit;
	int64_t n;

	if (parse_int(number, 0, LINEAGE_MAX - 1, &n) != 0 || n != l->count ||
	    strlen(value) != sizeof(id) * 2)
		return STATUS_SYNTAX;
	for (size_t i = 0; i < sizeof(id) * 2; i++) {
		digit = strchr(digits, value[i]);
		if (digit == NULL)
			return STATUS_SYNTAX;
		id[i / 2] = (uint8_t)(id[i / 2] << 4 | (digit - digits));
	}
	memcpy(l->ids[l->count++], id, sizeof(id));
	return 0;
}
