#ifndef LOGSERVE_SETTINGS_H
#define LOGSERVE_SETTINGS_H

/*
 * A topic's settings, as clients name, change and are shown them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "store/properties.h"

struct request;

/* What a change does (IncrementalAlterConfigs, KIP-339). */
enum settings_operation {
	SETTINGS_SET,
	SETTINGS_DELETE,	/* back to the default */
	SETTINGS_APPEND,	/* to a list */
	SETTINGS_SUBTRACT,
};

/* Where a value is from, and of what type it is (DescribeConfigs). */
enum settings_source {
	SETTINGS_OF_TOPIC = 1,
	SETTINGS_OF_SERVER = 4,
	SETTINGS_DEFAULT = 5,
};

enum settings_type {
	SETTINGS_BOOLEAN = 1,
	SETTINGS_STRING = 2,
	SETTINGS_INT = 3,
	SETTINGS_LONG = 5,
	SETTINGS_DOUBLE = 6,
	SETTINGS_LIST = 7,
};

/*
 * Change one.  An enum error_code; *why is then a constant phrase.
 */
int settings_change(struct properties *p, struct bytes name, int operation,
    struct bytes value, const char **why);

/* In the request's memory: "NAME: WHY", and the value of a setting. */
struct bytes settings_message(struct request *r, struct bytes name,
    const char *why);
struct bytes settings_value(struct request *r, const struct properties *p,
    enum properties_id id);

enum settings_source settings_source(const struct properties *p,
    enum properties_id id);
enum settings_type settings_type(enum properties_id id);

#endif
