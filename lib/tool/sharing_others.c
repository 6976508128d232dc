/*
 * What other members of a group still have to do, for one whose reading has an
 * end: it waits until the group has come to it.
 *
 * Meanwhile it must not keep partitions, as what comes in there would not be
 * done by anybody: it rests, and returns when one is free that is not done.
 */

#include <stdlib.h>

#include "base/cli.h"
#include "base/now.h"
#include "tool/message.h"
#include "tool/sharing_impl.h"

/* Who has returned for nothing rests no sooner again. */
enum { RETURN_MS = 1000 };

/* Has it an end, as of now or as was said? */
static bool
has_end(const struct sharing *sh)
{
	return !sh->s->r->follow || sh->s->range.has_to;
}

/* Neither ours nor done. */
static bool
is_of_others(const struct share *share)
{
	return share->stream == NULL && !share->over && !share->done;
}

static bool
any_of_others(const struct sharing_topic *t)
{
	for (int32_t n = 0; n < t->count; n++)
		if (is_of_others(&t->shares[n]))
			return true;
	return false;
}

/* How far have they come? */
static int
look(struct sharing *sh, size_t i)
{
	struct sharing_topic *t = &sh->topics[i];
	struct fault f = {.file = ""};
	int status = CLI_DONE, rc = groups_refresh(t->groups, &f);

	if (rc != 0)
		return sharing_fail(t, rc, &f);
	for (int32_t n = 0; status == CLI_DONE && n < t->count; n++) {
		struct share *share = &t->shares[n];
		const struct groups_entry *e;

		if (!is_of_others(share))
			continue;
		e = groups_find(t->groups, sh->group, n);
		if (share->end < 0)
			status = sources_find_end(sh->s, i, n,
			    e == NULL ? -1 : e->offset, &share->end);
		share->done =
		    status == CLI_DONE && e != NULL && e->offset >= share->end;
	}
	return status;
}

static int
open_watch(struct sharing *sh)
{
	int rc = watch_open(&sh->watch);

	for (size_t i = 0; rc == 0 && i < sh->count; i++)
		rc = watch_add_closing(sh->watch,
		    groups_path(sh->topics[i].groups));
	return rc == 0 ? CLI_DONE : message_warn(sh->group, rc, NULL);
}

static bool
may_rest(const struct sharing_topic *t, int32_t share)
{
	if (member_count(t->member) < share ||
	    now_mono_ms() - t->return_ms < RETURN_MS)
		return false;
	for (int32_t n = 0; n < t->count; n++)
		if (t->shares[n].stream != NULL &&
		    !sharing_is_finished(&t->shares[n]))
			return false;
	return true;
}

static int
rest(struct sharing *sh, size_t i)
{
	struct sharing_topic *t = &sh->topics[i];
	int status = sharing_commit_topic(sh, i, true);

	if (status != CLI_DONE)
		return status;
	for (int32_t n = 0; n < t->count; n++) {
		stream_close(t->shares[n].stream);
		t->shares[n].stream = NULL;
	}
	member_rest(t->member);
	return CLI_DONE;
}

/* Its reader has died, or has too many. */
static int
return_for_free(struct sharing_topic *t, bool *again)
{
	bool is_free = false;
	int rc = 0;

	for (int32_t n = 0; rc == 0 && !is_free && n < t->count; n++)
		if (is_of_others(&t->shares[n]))
			rc = member_is_free(t->member, n, &is_free);
	if (rc == 0 && is_free) {
		t->return_ms = now_mono_ms();
		*again = true;
		rc = member_return(t->member);
	}
	return rc == 0 ? CLI_DONE : sharing_fail(t, rc, NULL);
}

int
sharing_mind_others(struct sharing *sh, size_t topic, int32_t share,
    bool *again)
{
	struct sharing_topic *t = &sh->topics[topic];
	int status;

	if (!has_end(sh) || !any_of_others(t))
		return CLI_DONE;
	/* Before the look: what changes behind it is told. */
	if (sharing_watch(sh) == NULL) {
		*again = true;
		return open_watch(sh);
	}
	status = look(sh, topic);
	if (status != CLI_DONE || !any_of_others(t))
		return status;
	if (member_is_resting(t->member))
		return return_for_free(t, again);
	return may_rest(t, share) ? rest(sh, topic) : CLI_DONE;
}
