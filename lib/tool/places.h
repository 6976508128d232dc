#ifndef TOOL_PLACES_H
#define TOOL_PLACES_H

/*
 * Operands that may be places in a cluster, and the options that go with them:
 * -b, -X, --config, --timeout.
 *
 * Prints and exits like base/cli.h; only programs call it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cli.h"
#include "client/cluster.h"
#include "client/place.h"

struct places {
	const char *brokers;	/* -b, or NULL */
	const char *config;	/* --config, or NULL */
	int64_t timeout_ms;
	struct settings settings;
	bool loaded;		/* the file was read */
};

/* -b --config --timeout, and -X of the client where it is not of a topic. */
extern const struct cli_option places_options[];
/* The same without -b, where each operand says itself where it is. */
extern const struct cli_option places_options_named[];
extern const struct cli_option places_options_client[];

void places_init(struct places *p);
void places_release(struct places *p);
/* Take an option of these tables; false: it is none of them. */
bool places_set(struct places *p, int id);

/*
 * With -b every operand is a topic of that cluster: make the operands say so.
 * What they become lives until the program ends.
 */
void places_take(const struct places *p, int operands, char **operand);
/* Is one of these in a cluster? */
bool places_any(int operands, char **operand);
/* Take one apart; what is none exits with 2. */
void places_parse(const char *operand, struct place *out);
/* The same, where a topic must be named. */
void places_parse_topic(const char *operand, struct place *out);
/*
 * What a cluster is opened with.  Loads the library and the user's properties;
 * exits if either cannot be had.
 */
void places_cluster_options(struct places *p, const volatile sig_atomic_t *stop,
    struct cluster_options *out);

/* An option that has no equivalent there is refused by its name. */
void places_refuse(const char *option, const char *why)
    __attribute__((noreturn));

#endif
