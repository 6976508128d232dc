#include "replicate/inherit.h"

#include "base/buf.h"
#include "store/origin.h"
#include "store/topic.h"

struct change {
	const struct properties *before, *now;
};

static bool
differs(const struct change *c, int id)
{
	if (c->before->values[id].is_set != c->now->values[id].is_set)
		return true;
	return c->now->values[id].is_set &&
	    c->before->values[id].number != c->now->values[id].number;
}

static int
change(struct properties *p, void *arg)
{
	const struct change *c = arg;

	for (int id = 0; id < PROPERTIES_COUNT; id++)
		if (differs(c, id))
			p->values[id] = c->now->values[id];
	return 0;
}

/* A line; a setting without a value is at its default again. */
static int
tell(const struct properties *now, int id, struct buf *done)
{
	int rc = buf_addf(done,
	    "set %s=", properties_info((enum properties_id)id)->name);

	if (rc == 0 && now->values[id].is_set)
		rc = properties_text(now, (enum properties_id)id, done);
	return rc == 0 ? buf_add_str(done, "\n") : rc;
}

int
inherit_settings(struct topic *t, struct origin *o, bool known,
    const struct properties *from, bool dry_run, struct buf *done,
    bool *changed, struct fault *f)
{
	struct change c = {&o->settings, from};
	bool any = false;
	int rc = 0;

	for (int id = 0; rc == 0 && known && id < PROPERTIES_COUNT; id++) {
		if (!differs(&c, id))
			continue;
		any = true;
		if (done != NULL)
			rc = tell(from, id, done);
	}
	if (rc == 0 && any && !dry_run)
		rc = topic_change(t, change, &c, f);
	if (rc != 0)
		return rc;
	*changed = any || !known;
	o->settings = *from;
	return 0;
}
