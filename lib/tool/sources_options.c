/* What was said, checked and taken in. */

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "store/groups.h"
#include "tool/sources.h"

static void
parse_times(struct sources *s, int64_t now_ms)
{
	struct reading *r = s->r;

	if (r->range != NULL &&
	    parse_range(r->range, now_ms, cli_utc, &s->range) != 0)
		cli_usage("-o %s: not a range", r->range);
	if (r->range == NULL)
		s->range = (struct range){.from = {r->cursor_file != NULL
						  ? POSITION_STORED
						  : POSITION_START,
					      0},
		    .to = {POSITION_END, 0}};
	if (r->since != NULL &&
	    parse_time(r->since, now_ms, cli_utc, &s->filter.since) != 0)
		cli_usage("-S %s: not a time", r->since);
	if (r->until != NULL) {
		if (parse_time(r->until, now_ms, cli_utc, &s->filter.newest) !=
		    0)
			cli_usage("-U %s: not a time", r->until);
		/* Before that time. */
		if (s->filter.newest > INT64_MIN)
			s->filter.newest--;
	}
	if ((s->range.from.kind == POSITION_STORED ||
		s->range.to.kind == POSITION_STORED) &&
	    r->cursor_file == NULL && r->group == NULL)
		cli_usage("-o stored: needs -g or --cursor-file");
}

static bool
has_filter(const struct reading *r)
{
	return r->key != NULL || r->grep != NULL || r->key_grep != NULL ||
	    r->header != NULL;
}

static void
check_group(struct reading *r)
{
	if (!groups_is_name(r->group))
		cli_usage("-g %s: not a name for a group", r->group);
	if (r->partitions != NULL || r->key_partition)
		cli_usage("-g shares all partitions; -p and --key-partition "
			  "choose some");
	if (r->last >= 0)
		cli_usage("-n does not go with -g");
	if (r->merge)
		cli_usage("-m does not go with -g");
	if (r->batches)
		cli_usage("-B does not go with -g");
	if (r->cursor_file != NULL)
		cli_usage("--cursor-file does not go with -g");
}

static void
check_exec(struct reading *r)
{
	if (r->group == NULL)
		cli_usage("--exec needs -g");
	/* Of a variable that is not set: all would count as done. */
	if (r->exec[0] == '\0')
		cli_usage("--exec: no command");
	if (r->forms > 0 || r->delimited || r->null_marked)
		cli_usage(
		    "--exec prints no records: no -K, -J, -F, -D, -0, -Z");
	if (r->jobs < 1 || r->jobs > READING_JOBS_MAX)
		cli_usage("--jobs: 1 to %d", READING_JOBS_MAX);
}

/* -r and --latest want all there is at once. */
static void
check_whole(struct reading *r)
{
	const char *what = r->latest ? "--latest" : "-r";

	if (r->follow)
		cli_usage("%s does not go with -f", what);
	if (r->group != NULL)
		cli_usage("%s does not go with -g", what);
	if (r->batches)
		cli_usage("%s does not go with -B", what);
	if (r->reverse && r->cursor_file != NULL)
		cli_usage("-r does not go with --cursor-file");
	if (r->latest && r->control)
		cli_usage("--latest does not go with --control");
}

/* What would do nothing is not what was meant. */
static void
check_idle(const struct reading *r)
{
	if (r->has_value && r->form.kind != FORM_ENVELOPE)
		cli_usage("--value needs -J");
	if (r->null_marked && (r->batches || r->form.kind == FORM_ENVELOPE))
		cli_usage("-Z and --null-string do not go with -J and -B");
	if (r->per_partition && r->last < 0)
		cli_usage("--per-partition needs -n");
	if (!r->follow && (r->retry || r->idle_ms >= 0))
		cli_usage("--retry and --idle need -f");
}

/* What a cluster has no equivalent of. */
static void
check_remote(const struct reading *r)
{
	if (r->control)
		places_refuse("--control", "markers stay with the cluster");
	if (r->latest)
		places_refuse("--latest", "read it into a topic first");
	if (r->reverse)
		places_refuse("-r", "read it into a topic first");
	if (r->exec != NULL)
		places_refuse("--exec",
		    "a member of a cluster's group cannot lend its partitions");
}

/* All operands are taken apart before anything is done. */
static void
check_places(struct sources *s)
{
	struct place first, place;
	size_t remote = 0;

	for (size_t i = 0; i < s->count; i++) {
		if (!place_is_remote(s->paths[i]))
			continue;
		places_parse_topic(s->paths[i], &place);
		if (remote++ == 0) {
			first = place;
			check_remote(s->r);
		}
		if (s->r->group == NULL)
			continue;
		if (place.partition >= 0)
			cli_usage("-g shares all partitions; %s is one",
			    s->paths[i]);
		if (strcmp(place.brokers, first.brokers) != 0 ||
		    place.tls != first.tls)
			cli_usage("-g: %s is in another cluster than %s",
			    s->paths[i], s->paths[0]);
	}
	if (s->r->group != NULL && remote > 0 && remote < s->count)
		cli_usage("-g: either all places are kafka:// or none");
}

static void
check_options(struct reading *r)
{
	if (r->forms > 1)
		cli_usage("of -K, -J, -F and -B only one may be given, once");
	if (r->delimited && (r->batches || r->form.kind != FORM_LINE))
		cli_usage("-D and -0 do not go with -J, -F and -B");
	if (r->batches && has_filter(r))
		cli_usage("-B does not go with -k, --grep, --key-regex and "
			  "--match-header");
	if (r->invert && !has_filter(r))
		cli_usage("--invert: of what?  It needs -k, --grep, "
			  "--key-regex or --match-header");
	if (r->invert && r->key_partition)
		cli_usage("--invert does not go with --key-partition");
	if (r->batches && r->merge)
		cli_usage("-B does not go with -m");
	if (r->last >= 0 && r->cursor_file != NULL)
		cli_usage("-n does not go with --cursor-file");
	if (r->key_partition && r->key == NULL)
		cli_usage("--key-partition needs -k");
	check_idle(r);
	if (r->reverse || r->latest)
		check_whole(r);
	if (r->memory >= 0 && !r->latest)
		cli_usage("--memory needs --latest");
	if (r->group != NULL)
		check_group(r);
	if (r->exec != NULL)
		check_exec(r);
	else if (r->dead_letter != NULL || r->retries > 0 || r->jobs != 1)
		cli_usage("--jobs, --retries and --dead-letter need --exec");
}

static void
set_operands(struct sources *s, int operands, char **operand)
{
	if (operands == 0)
		cli_usage("no topic named");
	places_take(&s->r->places, operands, operand);
	s->paths = operand;
	s->count = (size_t)operands;
	s->places = calloc(s->count, sizeof(*s->places));
	s->remotes = calloc(s->count, sizeof(struct remote_topic *));
	if (s->places == NULL || s->remotes == NULL)
		err(CLI_FAIL, NULL);
	for (size_t i = 0; i < s->count; i++) {
		s->places[i].dirfd = -1;
		s->places[i].topic.dirfd = -1;
	}
}

static const regex_t *
compile(regex_t *re, const char *option, const char *text)
{
	char why[128];
	int rc = regcomp(re, text, REG_EXTENDED);

	if (rc == 0)
		return re;
	regerror(rc, re, why, sizeof(why));
	cli_usage("%s %s: %s", option, text, why);
}

/* Keys, values and headers that are wanted. */
static void
set_filter(struct sources *s)
{
	const struct reading *r = s->r;
	const char *value;

	s->filter.invert = r->invert;
	if (r->key != NULL) {
		s->filter.has_key = true;
		s->filter.key = bytes_of(r->key);
	}
	if (r->grep != NULL)
		s->filter.grep = compile(&s->regex, "--grep", r->grep);
	if (r->key_grep != NULL)
		s->filter.key_grep =
		    compile(&s->key_regex, "--key-regex", r->key_grep);
	if (r->header == NULL)
		return;
	value = strchr(r->header, '=');
	s->filter.has_header = true;
	s->filter.header_name = bytes_of(r->header);
	if (value == NULL)
		return;
	s->filter.header_name.len = (int32_t)(value - r->header);
	s->filter.has_header_value = true;
	s->filter.header_value = bytes_of(value + 1);
}

void
sources_init(struct sources *s, struct reading *r, int operands, char **operand)
{
	int rc;

	*s = (struct sources){.r = r};
	check_options(r);
	set_operands(s, operands, operand);
	check_places(s);
	if (r->partitions != NULL &&
	    parse_partitions(r->partitions, &s->partitions) != 0)
		cli_usage("-p %s: not a list of partitions", r->partitions);
	s->filter = STREAM_FILTER_NONE;
	parse_times(s, now_wall_ms());
	set_filter(s);
	cursor_init(&s->cursor);
	if (r->cursor_file != NULL) {
		rc = cursor_read(&s->cursor, r->cursor_file);
		if (rc == 0)
			rc = cursor_may_write(r->cursor_file);
		if (rc != 0)
			errx(CLI_FAIL, "%s: %s", r->cursor_file,
			    rc == STATUS_SYNTAX ? "not a cursor file"
						: status_text(rc));
	}
}
