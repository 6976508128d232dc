/*
 * logcat: print a log, from the start to the end as of now.
 */

#include "base/cli.h"
#include "tool/places.h"
#include "tool/printing.h"

static const struct cli_option *const tables[] = {reading_options,
    places_options, places_options_client, NULL};

static const struct cli_program program = {
    "[OPTION]... TOPIC|SEGMENT...",
    "Print the records of topics, oldest first, up to the end as of now.",
    tables,
};

int
main(int argc, char **argv)
{
	struct reading reading;
	int id;

	cli_start(argv);
	reading_init(&reading, &program);
	while ((id = cli_next(&program, argc, argv)) != -1)
		reading_set(&reading, id);
	return printing_run(&reading, argc - cli_operand, argv + cli_operand);
}
