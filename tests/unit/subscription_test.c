/*
 * Subscriptions of consumers: versions, what is cut off at any byte, numbers
 * that are too large.
 */

#include "broker/subscription.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/status.h"
#include "tap.h"

static struct buf blob;

static void
begin(uint16_t version, uint32_t count)
{
	blob.len = 0;
	(void)buf_add_16(&blob, version);
	(void)buf_add_32(&blob, count);
}

static void
add(const char *topic)
{
	(void)buf_add_16(&blob, (uint16_t)strlen(topic));
	(void)buf_add_str(&blob, topic);
}

/* The topics of the first so many bytes, each with a blank; the status. */
static int
read_some(size_t len, char *text, size_t size)
{
	/* A copy of its own, so that nothing can be read behind it. */
	uint8_t *copy = malloc(len + (len == 0));
	struct bytes name, metadata = {copy, (int32_t)len};
	struct subscription s;
	size_t used = 0;
	int rc;

	if (copy == NULL)
		abort();
	memcpy(copy, blob.data, len);
	text[0] = '\0';
	rc = subscription_open(metadata, &s);
	while (rc == 0 && (rc = subscription_next(&s, &name)) == 0)
		used += (size_t)snprintf(text + used, size - used, "%.*s ",
		    name.len, (const char *)name.data);
	free(copy);
	return rc;
}

static void
test_versions(void)
{
	char text[100];

	for (uint16_t version = 0; version <= 4; version++) {
		begin(version, 2);
		add("a");
		add("topic");
		(void)buf_add_32(&blob, UINT32_MAX);	/* no user data */
		if (version >= 1)
			(void)buf_add_32(&blob, 0);	/* owned */
		if (version >= 2)
			(void)buf_add_32(&blob, 7);	/* generation */
		if (version >= 3)
			(void)buf_add_16(&blob, UINT16_MAX);	/* rack */
		tap_int(read_some(blob.len, text, sizeof(text)), STATUS_END,
		    "version %d", version);
		tap_str(text, "a topic ");
	}
	begin(0, 0);
	tap_int(read_some(blob.len, text, sizeof(text)), STATUS_END, "none");
	tap_str(text, "");
}

static void
test_damage(void)
{
	struct subscription s;
	char text[100];
	int other = 0;

	begin(1, 2);
	add("a");
	add("topic");
	for (size_t len = 0; len < blob.len; len++)
		other += read_some(len, text, sizeof(text)) != STATUS_SHORT;
	tap_int(other, 0, "cut off at any byte");
	begin(1, 3);
	add("a");
	tap_int(read_some(blob.len, text, sizeof(text)), STATUS_SHORT,
	    "more topics than there is room for");
	begin(1, INT32_MAX);
	tap_int(subscription_open((struct bytes){blob.data, (int32_t)blob.len},
		    &s),
	    STATUS_SHORT, "very many: not even begun");
	begin(1, UINT32_MAX);
	tap_int(read_some(blob.len, text, sizeof(text)), STATUS_SYNTAX,
	    "null topics");
	begin(UINT16_MAX, 0);
	tap_int(read_some(blob.len, text, sizeof(text)), STATUS_SYNTAX,
	    "a negative version");
	begin(1, 1);
	(void)buf_add_16(&blob, UINT16_MAX);
	tap_int(read_some(blob.len, text, sizeof(text)), STATUS_SYNTAX,
	    "a null topic");
}

static bool
has(const char *topic)
{
	return subscription_has((struct bytes){blob.data, (int32_t)blob.len},
	    bytes_of(topic));
}

static void
test_has(void)
{
	begin(0, 2);
	add("a");
	add("topic");
	tap(has("a") && has("topic"), "topics that are there");
	tap(!has("") && !has("topi") && !has("b"), "and some that are not");
	blob.len--;
	tap(has("b"), "what cannot be read may have any");
	tap(subscription_has(BYTES_NULL, bytes_of("b")), "and so may null");
}

int
main(void)
{
	buf_init(&blob, 1 << 16);
	test_versions();
	test_damage();
	test_has();
	buf_release(&blob);
	return tap_done();
}
