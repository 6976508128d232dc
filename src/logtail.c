/*
 * logtail: the last records of a log, and those to come.
 */

#include "base/cli.h"
#include "tool/places.h"
#include "tool/printing.h"

enum { LAST_DEFAULT = 10 };

static const struct cli_option *const tables[] = {reading_options,
    reading_options_tail, places_options, places_options_client, NULL};

static const struct cli_program program = {
    "[OPTION]... TOPIC...",
    "Print the last 10 records of topics; with -f wait for more.",
    tables,
};

/* -n 10, unless something else says where to begin. */
static void
set_default(struct reading *r)
{
	if (r->last < 0 && r->range == NULL && r->since == NULL &&
	    r->until == NULL && r->count < 0 && r->cursor_file == NULL &&
	    r->group == NULL)
		r->last = LAST_DEFAULT;
}

int
main(int argc, char **argv)
{
	struct reading reading;
	int id;

	cli_start(argv);
	reading_init(&reading, &program);
	while ((id = cli_next(&program, argc, argv)) != -1)
		reading_set(&reading, id);
	set_default(&reading);
	return printing_run(&reading, argc - cli_operand, argv + cli_operand);
}
