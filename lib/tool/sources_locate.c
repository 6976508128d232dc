/* What the operands are, waited for where they are not yet there. */

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "tool/message.h"
#include "tool/sources.h"

enum {
	/* Between two looks for a topic. */
	RETRY_MS = 200,
	RETRY_REMOTE_MS = 1000,
};

/* Wait until there may be a topic of that name.  False: not any longer. */
static bool
wait_for_topic(struct sources *s, const char *path, int64_t start_ms)
{
	bool remote = place_is_remote(path), changed;
	int64_t wait_ms = remote ? RETRY_REMOTE_MS : RETRY_MS, left_ms;
	int64_t idle_ms = s->r->idle_ms;
	char copy[PATH_MAX];

	if (idle_ms >= 0) {
		left_ms = idle_ms - (now_mono_ms() - start_ms);
		wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
	}
	if (wait_ms <= 0 || sources_stop != 0)
		return false;
	strlcpy(copy, path, sizeof(copy));
	if (!remote)
		(void)watch_add(s->watch, dirname(copy));
	(void)watch_wait(s->watch, (int)wait_ms, -1, &changed);
	return true;
}

void
sources_cluster_options(struct sources *s, struct cluster_options *out)
{
	places_cluster_options(&s->r->places, &sources_stop, out);
}

/* A topic of a cluster, or one partition of it, as a place. */
static int
locate_remote(struct sources *s, size_t i, struct fault *f)
{
	struct topic_place *out = &s->places[i];
	struct cluster_options o;
	struct place place;
	int rc;

	places_parse_topic(s->paths[i], &place);
	sources_cluster_options(s, &o);
	rc = remote_topic_open(&place, &o, s->r->uncommitted,
	    s->watch == NULL ? -1 : watch_wake_fd(s->watch), &s->remotes[i], f);
	if (rc != 0)
		return rc;
	*out = (struct topic_place){.kind = TOPIC_PLACE_TOPIC,
	    .topic = {.dirfd = -1},
	    .dirfd = -1,
	    .segment = -1,
	    .count = remote_topic_count(s->remotes[i])};
	strlcpy(out->name, place.topic, sizeof(out->name));
	remote_topic_id(s->remotes[i], out->topic.id);
	if (place.partition < 0)
		return 0;
	if (place.partition >= out->count)
		return status_fault(f, STATUS_NO_TOPIC, s->paths[i], -1, -1,
		    NULL);
	out->kind = TOPIC_PLACE_PARTITION;
	out->first = place.partition;
	out->count = 1;
	return 0;
}

static int
locate_any(struct sources *s, size_t i, struct fault *f)
{
	if (place_is_remote(s->paths[i]))
		return locate_remote(s, i, f);
	return topic_locate(s->paths[i], &s->places[i], f);
}

static int
locate(struct sources *s, size_t i)
{
	struct fault f = {.file = ""};
	const char *path = s->paths[i];
	int64_t start_ms = now_mono_ms();
	int rc;

	for (;;) {
		rc = locate_any(s, i, &f);
		if (rc == EINTR)
			s->gave_up = true;
		if (s->gave_up)
			return CLI_DONE;
		if (rc != STATUS_NO_TOPIC || !s->r->retry || !s->r->follow)
			break;
		s->gave_up = !wait_for_topic(s, path, start_ms);
		if (s->gave_up)
			return CLI_DONE;
	}
	return rc == 0 ? CLI_DONE : message_warn(path, rc, &f);
}

int
sources_locate(struct sources *s)
{
	int status = CLI_DONE;

	for (size_t i = 0; status == CLI_DONE && !s->gave_up && i < s->count;
	     i++)
		status = locate(s, i);
	return status;
}
