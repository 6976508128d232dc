#ifndef LOGSERVE_LEDGER_H
#define LOGSERVE_LEDGER_H

/*
 * The members of groups as they are to be known after a restart: a small
 * partition (store/keyed.h) in the server's own directory, of the records that
 * Kafka keeps in __consumer_offsets (GroupMetadataKey 2, GroupMetadataValue 0
 * to 3; 3 is written):
 *
 *	key	int16 2; string group
 *	value	int16 version; messages_group_metadata_record; null: forgotten
 *
 * What was written outlasts the process; after a power failure the last seconds
 * may be missing.  A group without members is forgotten after
 * LEDGER_EMPTY_DAYS.
 *
 * One thread at a time.
 */

#include <stdint.h>

#include "base/bytes.h"

struct arena;
struct group_metadata_record;
struct home;
struct ledger;

enum {
	LEDGER_EMPTY_DAYS = 7,	/* offsets.retention.minutes */
	LEDGER_BYTES_MAX = 64 << 20,	/* of all records; more are not known */
};

/* Errors as keyed_open(); now_ms is of the wall clock. */
int ledger_open(const struct home *home, int64_t now_ms, struct ledger **out);
/* What was written is durable; NULL is nothing. */
void ledger_close(struct ledger *l);
const char *ledger_path(const struct ledger *l);

/*
 * Forget the groups without members whose time has come, as at the opening.
 * Errors as keyed_write() and keyed_refresh().
 */
int ledger_expire(struct ledger *l, int64_t now_ms);
/* Take in what other servers of the root have written.  As keyed_refresh(). */
int ledger_refresh(struct ledger *l);
/*
 * What is known of a group; strings are valid until the next refresh, arrays
 * as long as the arena.  ENOENT; STATUS_SYNTAX.
 */
int ledger_find(struct ledger *l, const char *group, struct arena *arena,
    struct group_metadata_record *out);
/* The groups that are known, by name; NULL: no more. */
const char *ledger_at(struct ledger *l, size_t i);

/*
 * Add to the next write: the group is this now, or (NULL) is forgotten.
 */
int ledger_put(struct ledger *l, struct bytes group,
    const struct group_metadata_record *record);
/* Errors as keyed_write(). */
int ledger_write(struct ledger *l);

#endif
