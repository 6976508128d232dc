#include "groups.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "base/arena.h"
#include "base/cli.h"
#include "base/now.h"
#include "base/status.h"
#include "broker/subscription.h"
#include "catalog.h"
#include "claims.h"
#include "kafka/messages.h"
#include "ledger.h"
#include "net/loop.h"
#include "net/pool.h"
#include "request.h"
#include "server.h"
#include "tell.h"

enum { EXPIRE_EVERY_MS = 86400000 };

/* lock is taken before that of the claims. */
struct group_table {
	struct server *server;
	pthread_mutex_t lock;
	struct coordinator *coordinator;
	struct request *answered;
	struct ledger *ledger;		/* NULL: nothing is kept */
	bool wrote;			/* something for the ledger */
	int64_t expire_ms;		/* when to look through it next */
	int told;			/* its error; 0: none */
	struct loop_timer *timer;	/* on the first loop; NULL: stopped */
	struct task arm;		/* on it, too */
	struct task tick;		/* on the pool */
	struct claims *claims;		/* NULL: nothing may be written */
};

bool
group_table_name(struct bytes id, char out[GROUPS_NAME_MAX + 1])
{
	if (id.len <= 0 || id.len > GROUPS_NAME_MAX)
		return false;
	memcpy(out, id.data, (size_t)id.len);
	out[id.len] = '\0';
	return strlen(out) == (size_t)id.len && groups_is_name(out);
}

/* --- the coordinator ------------------------------------------------------ */

static void
tell_changed(const char *name, enum group_state from, enum group_state to)
{
	struct tell t;

	tell_begin(&t, "group");
	tell_text(&t, "group", name);
	tell_text(&t, "state", group_state_text(to));
	tell_text(&t, "was", group_state_text(from));
	tell_end(&t);
}

static void
on_changed(void *arg, struct bytes group, enum group_state from,
    enum group_state to)
{
	struct group_table *g = arg;
	char name[GROUPS_NAME_MAX + 1];

	if (!group_table_name(group, name))
		return;
	if (cli_verbose > 0)
		tell_changed(name, from, to);
	if (g->claims == NULL)
		return;
	if (to == GROUP_EMPTY || to == GROUP_DEAD)
		claims_drop(g->claims, name);
	else if (to == GROUP_COMPLETING)
		claims_mark(g->claims, name);
}

/* All topics of what a member offers; what cannot be read may be any. */
static bool
keep_offer(void *arg, struct bytes metadata)
{
	struct group_table *g = arg;
	struct subscription s;
	struct bytes topic;
	int rc = subscription_open(metadata, &s);

	while (rc == 0 && (rc = subscription_next(&s, &topic)) == 0)
		if (claims_sweep_keep(g->claims, topic))
			return false;
	if (rc != STATUS_END)
		claims_sweep_keep_all(g->claims);
	return rc == STATUS_END;
}

/* Members may subscribe to less than before. */
static void
sweep(struct group_table *g)
{
	char group[GROUPS_NAME_MAX + 1];

	while (g->claims != NULL && claims_sweep_begin(g->claims, group)) {
		coordinator_each_offer(g->coordinator, bytes_of(group),
		    keep_offer, g);
		claims_sweep_end(g->claims);
	}
}

/* --- what outlasts the server --------------------------------------------- */

/* The same error is told once. */
static void
tell_ledger(struct group_table *g, int rc)
{
	struct tell t;

	if (rc == 0 || rc == g->told) {
		g->told = rc;
		return;
	}
	g->told = rc;
	tell_begin(&t, "groups not kept");
	tell_text(&t, "path", ledger_path(g->ledger));
	tell_text(&t, "why", status_text(rc));
	tell_error(&t);
}

static void
on_kept(void *arg, struct bytes group,
    const struct group_metadata_record *record)
{
	struct group_table *g = arg;
	struct group_metadata_record r = *record;
	int rc;

	if (g->ledger == NULL)
		return;
	r.current_state_timestamp = now_wall_ms();
	rc = ledger_put(g->ledger, group, &r);
	if (rc != 0)
		tell_ledger(g, rc);
	g->wrote = true;
}

/* What is in it grows by being written; so it is looked through then. */
static int
expire_ledger(struct group_table *g)
{
	int64_t now = now_wall_ms();

	if (now < g->expire_ms)
		return 0;
	g->expire_ms = now + EXPIRE_EVERY_MS;
	return ledger_expire(g->ledger, now);
}

/* Before anybody is answered. */
static void
write_ledger(struct group_table *g)
{
	int rc;

	if (!g->wrote)
		return;
	g->wrote = false;
	rc = ledger_write(g->ledger);
	tell_ledger(g, rc != 0 ? rc : expire_ledger(g));
}

/* Local programs may have begun to read what a member subscribes to. */
static int
claim_subscription(struct group_table *g, const char *group,
    struct bytes metadata)
{
	struct subscription s;
	struct bytes topic;
	int rc = 0;

	if (subscription_open(metadata, &s) != 0)
		return 0;
	while (rc == 0 && subscription_next(&s, &topic) == 0)
		rc = claims_take(g->claims, group, topic);
	return rc;
}

/*
 * Local programs have it: its members are told that they are none, so they are
 * none later, either, and nobody waits for them.
 */
static void
forget_members(struct group_table *g, const char *group,
    const struct group_metadata_record *r)
{
	struct group_metadata_record none = *r;

	none.members_count = 0;
	none.protocol = none.leader = BYTES_NULL;
	none.current_state_timestamp = now_wall_ms();
	tell_ledger(g, ledger_put(g->ledger, bytes_of(group), &none));
	g->wrote = true;
}

/* Without its members it is still the group with that generation. */
static void
restore(struct group_table *g, const char *group,
    struct group_metadata_record *r)
{
	struct group_summary s;
	int rc = claims_begin(g->claims, group);
	bool begun = rc == 0;

	if (bytes_equal(r->protocol_type, bytes_of("consumer")))
		for (int32_t i = 0; rc == 0 && i < r->members_count; i++)
			rc = claim_subscription(g, group,
			    r->members[i].subscription);
	if (rc == EBUSY && r->members_count > 0)
		forget_members(g, group, r);
	if (rc != 0)
		r->members_count = 0;
	rc = coordinator_restore(g->coordinator, bytes_of(group), r,
	    now_mono_ms());
	coordinator_describe(g->coordinator, bytes_of(group), &s);
	if (rc == 0 && s.member_count > 0 && cli_verbose > 0)
		tell_changed(group, GROUP_DEAD, s.state);
	if (begun)
		claims_end(g->claims, group, s.member_count > 0, false);
}

static void
recall(struct group_table *g, const char *group)
{
	struct group_metadata_record r;
	struct arena arena;

	arena_init(&arena, CONFIG_ARENA_BYTES);
	if (ledger_find(g->ledger, group, &arena, &r) == 0)
		restore(g, group, &r);
	arena_release(&arena);
}

void
group_table_recall(struct group_table *g, const char *group)
{
	if (g->ledger == NULL ||
	    !coordinator_is_vacant(g->coordinator, bytes_of(group)))
		return;
	tell_ledger(g, ledger_refresh(g->ledger));
	recall(g, group);
}

void
group_table_refresh(struct group_table *g)
{
	if (g->ledger != NULL)
		tell_ledger(g, ledger_refresh(g->ledger));
}

static bool
is_known(struct group_table *g, const char *group)
{
	struct group_metadata_record r;
	struct arena arena;
	int rc;

	arena_init(&arena, CONFIG_ARENA_BYTES);
	rc = ledger_find(g->ledger, group, &arena, &r);
	arena_release(&arena);
	return rc != ENOENT;
}

void
group_table_forget(struct group_table *g, struct bytes group)
{
	char name[GROUPS_NAME_MAX + 1];

	if (g->ledger == NULL || !group_table_name(group, name) ||
	    !is_known(g, name))
		return;
	tell_ledger(g, ledger_put(g->ledger, group, NULL));
	g->wrote = true;
}

/* Members that were there when the server ended are there again. */
static void
recall_all(struct group_table *g)
{
	const char *group;

	for (size_t i = 0; (group = ledger_at(g->ledger, i)) != NULL; i++) {
		struct group_metadata_record r;
		struct arena arena;

		arena_init(&arena, CONFIG_ARENA_BYTES);
		if (ledger_find(g->ledger, group, &arena, &r) == 0 &&
		    r.members_count > 0)
			restore(g, group, &r);
		arena_release(&arena);
	}
}

static int
open_ledger(struct group_table *g)
{
	const struct server *s = g->server;
	int rc;

	if (s->config->read_only || s->home.path[0] == '\0')
		return 0;
	g->expire_ms = now_wall_ms() + EXPIRE_EVERY_MS;
	rc = ledger_open(&s->home, now_wall_ms(), &g->ledger);
	if (rc == EACCES || rc == EROFS)
		return 0;
	if (rc == 0)
		recall_all(g);
	return rc;
}

struct claims *
group_table_claims(struct group_table *g)
{
	return g->claims;
}

/* --- the lock ------------------------------------------------------------- */

struct coordinator *
group_table_get(struct group_table *g)
{
	pthread_mutex_lock(&g->lock);
	return g->coordinator;
}

void
group_table_put(struct group_table *g)
{
	struct request *r = g->answered, *next;

	g->answered = NULL;
	write_ledger(g);
	sweep(g);
	pthread_mutex_unlock(&g->lock);
	loop_post(g->server->loops[0], &g->arm);
	for (; r != NULL; r = next) {
		next = r->next;
		request_answer(r);
	}
}

void
group_table_answer(struct group_table *g, struct request *r)
{
	r->next = g->answered;
	g->answered = r;
}

static void
arm(void *arg)
{
	struct group_table *g = arg;
	int64_t next, now = now_mono_ms();

	pthread_mutex_lock(&g->lock);
	next = coordinator_next_ms(g->coordinator);
	pthread_mutex_unlock(&g->lock);
	if (g->timer == NULL)
		return;
	if (next == GROUP_NEVER)
		loop_timer_clear(g->timer);
	else
		loop_timer_set(g->timer, next > now ? next - now : 0);
}

static void
on_timer(void *arg)
{
	struct group_table *g = arg;

	pool_run(g->server->pool, &g->tick);
}

static void
tick(void *arg)
{
	struct group_table *g = arg;

	coordinator_tick(group_table_get(g), now_mono_ms());
	group_table_put(g);
}

/* --- positions ------------------------------------------------------------ */

int
group_table_enter(struct group_table *g, struct served *t, struct groups **out)
{
	char path[PATH_MAX];

	catalog_path(g->server->catalog, t->name, path);
	return positions_enter(&t->positions, path, out);
}

void
group_table_leave(struct group_table *g, struct served *t)
{
	(void)g;
	positions_leave(&t->positions);
}

struct asking {
	struct group_table *table;
	const struct served *topic;
};

static int
may_write(void *arg, struct groups *positions, const char *group)
{
	struct asking *a = arg;

	return claims_check(a->table->claims, group, a->topic,
	    groups_dirfd(positions));
}

void
group_table_commit_all(struct group_table *g, struct served *t,
    struct positions_commit *commits, size_t count)
{
	struct asking a = {g, t};
	char path[PATH_MAX];

	for (size_t i = 0; i < count; i++) {
		commits[i].may = may_write;
		commits[i].arg = &a;
	}
	catalog_path(g->server->catalog, t->name, path);
	positions_commit(&t->positions, path, commits, count);
}

int
group_table_commit(struct group_table *g, struct served *t, const char *group,
    const struct groups_entry *entries, size_t count)
{
	struct positions_commit c = {.group = group,
	    .entries = entries,
	    .count = count};

	group_table_commit_all(g, t, &c, 1);
	return c.rc;
}

/* --- its life ------------------------------------------------------------- */

static void
start(void *arg)
{
	struct group_table *g = arg;

	(void)loop_timer_open(g->server->loops[0], on_timer, g, &g->timer);
}

static void
end(void *arg)
{
	struct group_table *g = arg;

	loop_cancel(g->server->loops[0], &g->arm);
	if (g->timer != NULL)
		loop_timer_close(g->timer);
	g->timer = NULL;
}

int
group_table_open(struct server *s, struct group_table **out)
{
	struct group_table *g = calloc(1, sizeof(*g));
	struct group_events events = {.arg = g,
	    .joined = answers_joined,
	    .synced = answers_synced,
	    .changed = on_changed,
	    .kept = on_kept};
	int rc;

	if (g == NULL)
		return ENOMEM;
	g->server = s;
	pthread_mutex_init(&g->lock, NULL);
	task_init(&g->arm, arm, g);
	task_init(&g->tick, tick, g);
	g->coordinator = coordinator_new(&coordinator_defaults, &events);
	if (g->coordinator != NULL)
		loop_call(s->loops[0], start, g);
	if (g->timer == NULL) {
		group_table_close(g);
		return ENOMEM;
	}
	rc = s->config->read_only
	    ? 0
	    : claims_new(s->catalog, s->files_max, &g->claims);
	if (rc == 0)
		rc = open_ledger(g);
	if (rc != 0) {
		group_table_close(g);
		return rc;
	}
	/* Those who do not come back are missed in time. */
	loop_post(s->loops[0], &g->arm);
	*out = g;
	return 0;
}

void
group_table_stop(struct group_table *g)
{
	coordinator_stop(group_table_get(g));
	group_table_put(g);
	/* The pool, which it would run on, goes before the loop does. */
	loop_call(g->server->loops[0], end, g);
}

void
group_table_close(struct group_table *g)
{
	if (g == NULL)
		return;
	loop_call(g->server->loops[0], end, g);
	if (g->coordinator != NULL)
		coordinator_free(g->coordinator);
	ledger_close(g->ledger);
	claims_free(g->claims);
	pthread_mutex_destroy(&g->lock);
	free(g);
}
