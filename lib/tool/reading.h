#ifndef TOOL_READING_H
#define TOOL_READING_H

/*
 * The options that logcat and logtail have in common: they choose records and
 * say how they are printed.  The two programs differ in what happens when
 * nothing is said.
 *
 * Prints and exits like base/cli.h; only programs call it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cli.h"
#include "text/form.h"
#include "tool/places.h"

enum { READING_JOBS_MAX = 4096, READING_MEMORY = 128 << 20 };

/* What was said; NULL and -1: nothing. */
struct reading {
	const struct cli_program *program;
	const char *partitions;		/* -p */
	const char *range;		/* -o */
	const char *since;		/* -S */
	const char *until;		/* -U */
	int64_t count;			/* -c */
	int64_t last;			/* -n */
	bool per_partition;
	const char *key;		/* -k */
	bool key_partition;
	const char *grep;
	const char *key_grep;		/* --key-regex */
	const char *header;		/* --match-header: NAME or NAME=VALUE */
	bool invert;
	bool merge;			/* -m */
	bool reverse;			/* -r */
	bool latest;
	int64_t memory;			/* for --latest; -1: READING_MEMORY */
	bool uncommitted;
	bool control;
	const char *cursor_file;
	const char *group;		/* -g */
	bool skip_corrupt;
	bool fail_empty;
	bool follow;			/* -f */
	bool retry;
	int64_t idle_ms;
	const char *exec;		/* --exec */
	const char *dead_letter;
	int64_t jobs;
	int64_t retries;
	bool batches;			/* -B */
	bool null_marked;		/* -Z or --null-string */
	int forms;			/* of -K -J -F -B */
	bool delimited;			/* -D or -0 */
	bool has_value;			/* --value */
	struct form form;		/* how records are printed */
	struct places places;		/* -b -X --config --timeout */
};

/*
 * Options of both programs (with those of places.h), and those that only
 * logtail has.
 */
extern const struct cli_option reading_options[];
extern const struct cli_option reading_options_tail[];

void reading_init(struct reading *r, const struct cli_program *program);
/* Take an option of either table. */
void reading_set(struct reading *r, int id);

#endif
