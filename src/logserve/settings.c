#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "kafka/error.h"
#include "request.h"

enum {
	TEXT_MAX = 128,		/* longer than a right name or value */
	MESSAGE_MAX = 512,
};

/* False: it is too long, or no text. */
static bool
to_text(struct bytes b, char text[TEXT_MAX])
{
	if (b.len < 0 || b.len >= TEXT_MAX)
		return false;
	if (b.len > 0)
		memcpy(text, b.data, (size_t)b.len);
	text[b.len] = '\0';
	return strlen(text) == (size_t)b.len;
}

static int
change(struct properties *p, enum properties_id id, int operation,
    const char *value, const char **why)
{
	int rc;

	if (operation == SETTINGS_SET)
		rc = properties_set(p, id, value, why);
	else if (operation == SETTINGS_APPEND)
		rc = properties_add(p, id, value, why);
	else
		rc = properties_remove(p, id, value, why);
	return rc == 0 ? KAFKA_NONE : KAFKA_INVALID_CONFIG;
}

int
settings_change(struct properties *p, struct bytes name, int operation,
    struct bytes value, const char **why)
{
	enum properties_id id;
	char text[TEXT_MAX];

	*why = "no such setting";
	if (!to_text(name, text) || properties_find(text, &id) != 0)
		return KAFKA_INVALID_CONFIG;
	*why = "no such operation";
	if (operation < SETTINGS_SET || operation > SETTINGS_SUBTRACT)
		return KAFKA_INVALID_REQUEST;
	if (operation == SETTINGS_DELETE) {
		properties_reset(p, id);
		return KAFKA_NONE;
	}
	*why = "no value";
	if (bytes_is_null(value))
		return KAFKA_INVALID_REQUEST;
	*why = "not a value";
	if (!to_text(value, text))
		return KAFKA_INVALID_CONFIG;
	return change(p, id, operation, text, why);
}

struct bytes
settings_message(struct request *r, struct bytes name, const char *why)
{
	char text[MESSAGE_MAX];
	int len = name.len > 0 ? name.len : 0;

	/* Clients show it: no more of a long name than fits. */
	if (len > MESSAGE_MAX / 2)
		len = MESSAGE_MAX / 2;
	snprintf(text, sizeof(text), "%.*s: %s", len, (const char *)name.data,
	    why);
	return request_copy(r, text);
}

struct bytes
settings_value(struct request *r, const struct properties *p,
    enum properties_id id)
{
	struct bytes value = BYTES_NULL;
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (properties_text(p, id, &b) == 0 && buf_add_8(&b, 0) == 0)
		value = request_copy(r, (const char *)b.data);
	buf_release(&b);
	return value;
}

enum settings_source
settings_source(const struct properties *p, enum properties_id id)
{
	return p->values[id].is_set ? SETTINGS_OF_TOPIC : SETTINGS_DEFAULT;
}

enum settings_type
settings_type(enum properties_id id)
{
	const struct properties_info *info = properties_info(id);

	switch (info->type) {
	case PROPERTIES_BOOL:
		return SETTINGS_BOOLEAN;
	case PROPERTIES_RATIO:
		return SETTINGS_DOUBLE;
	case PROPERTIES_ENUM:
		return SETTINGS_STRING;
	case PROPERTIES_LIST:
		return SETTINGS_LIST;
	case PROPERTIES_DURATION:
		return SETTINGS_LONG;
	case PROPERTIES_INT:
	case PROPERTIES_SIZE:
		break;
	}
	return info->max > INT32_MAX ? SETTINGS_LONG : SETTINGS_INT;
}
