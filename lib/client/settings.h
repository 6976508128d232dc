#ifndef CLIENT_SETTINGS_H
#define CLIENT_SETTINGS_H

/*
 * Properties of the client, by librdkafka's names: from a file, from the
 * environment, and as they were said one by one.
 *
 * The file is --config FILE, else $LOGKIT_CONFIG, else ~/.config/logkit/config
 * if it is there; in Java's properties format.  $LOGKIT_SASL_PASSWORD is
 * sasl.password.  What comes later in the order file, environment, said wins.
 */

#include <stdbool.h>
#include <stddef.h>

struct fault;

struct settings_pair {
	char *name;		/* owned */
	char *value;
};

struct settings {
	struct settings_pair *pairs;	/* owned */
	size_t count;
};

void settings_init(struct settings *s);
void settings_release(struct settings *s);

/* NULL if it was not set. */
const char *settings_get(const struct settings *s, const char *name);
int settings_set(struct settings *s, const char *name, const char *value);

/* Is its value one that others must not see, as in ps(1)? */
bool settings_is_secret(const char *name);
/*
 * Why a user may not set it, a constant phrase; NULL: it may be set.  The
 * library's own check of names and values comes when a cluster is opened.
 */
const char *settings_refusal(const char *name);

/*
 * Take in the file and the environment, where nothing was set yet of that
 * name.  file NULL: --config was not given.  STATUS_SYNTAX: the file is not as
 * it should be; f has its path, f->pos the line's number.  An errno value: it
 * cannot be read; f has its path.
 */
int settings_load(struct settings *s, const char *file, struct fault *f);

#endif
