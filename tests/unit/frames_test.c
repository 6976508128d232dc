/*
 * What real clients and a real broker said (tests/golden/frames): every frame
 * is understood, and written again it is the same, byte for byte.
 */

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "kafka/api.h"
#include "kafka/messages.h"
#include "tap.h"

enum { FIELDS = 5, FRAME_MAX = 1 << 16, ARENA_MAX = 1 << 20 };

struct spoken {
	const char *client;
	bool is_request;
	const struct api *api;
	int version;
	uint8_t frame[FRAME_MAX];
	size_t len;
};

static bool
take_hex(const char *hex, struct spoken *s)
{
	char byte[3] = "";

	for (s->len = 0; *hex != '\0' && s->len < FRAME_MAX; hex += 2) {
		if (!isxdigit((unsigned char)hex[0]) ||
		    !isxdigit((unsigned char)hex[1]))
			return false;
		memcpy(byte, hex, 2);
		s->frame[s->len++] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return *hex == '\0';
}

/* CLIENT request|response KEY VERSION HEX */
static bool
take_line(char *line, struct spoken *s)
{
	char *fields[FIELDS] = {NULL}, *rest = line;
	int64_t key, version;

	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < FIELDS; i++)
		fields[i] = strsep(&rest, " ");
	if (fields[4] == NULL || rest != NULL ||
	    parse_int(fields[2], 0, INT16_MAX, &key) != 0 ||
	    parse_int(fields[3], 0, INT16_MAX, &version) != 0)
		return false;
	s->client = fields[0];
	s->is_request = strcmp(fields[1], "request") == 0;
	s->api = api_find((int16_t)key);
	s->version = (int)version;
	return take_hex(fields[4], s);
}

static const struct wire_message *
message_of(const struct spoken *s)
{
	return s->is_request ? s->api->request : s->api->response;
}

/* Read the header and write it to b; v is then the message. */
static bool
header(const struct spoken *s, struct view *v, struct buf *b)
{
	bool flexible = api_is_flexible(s->api, (int16_t)s->version);
	struct wire_request request;
	int32_t correlation;

	if (s->is_request)
		return wire_request_decode(v, flexible, &request) == 0 &&
		    request.key == s->api->key &&
		    request.version == s->version &&
		    wire_request_encode(b, flexible, &request) == 0;
	if (s->api->key == API_VERSIONS)
		flexible = false;
	return wire_response_decode(v, flexible, &correlation) == 0 &&
	    wire_response_encode(b, flexible, correlation) == 0;
}

/*
 * librdkafka 2 leaves three bytes behind a request for the metadata of all
 * topics; brokers read past them.
 */
static bool
may_be_left(const struct spoken *s, size_t len)
{
	return len == 0 ||
	    (s->is_request && s->api->key == API_METADATA && len == 3);
}

static bool
round_trips(const struct spoken *s)
{
	const struct wire_message *m = message_of(s);
	struct view v = {s->frame, s->len};
	struct arena arena;
	struct buf b;
	void *in;
	bool ok;

	arena_init(&arena, ARENA_MAX);
	buf_init(&b, ARENA_MAX);
	in = arena_alloc(&arena, 1, m->body->size);
	ok = header(s, &v, &b) &&
	    wire_decode(m, s->version, &v, &arena, in) == 0 &&
	    may_be_left(s, v.len) &&
	    wire_encode(m, s->version, in, &b, NULL) == 0 &&
	    b.len + v.len == s->len && memcmp(b.data, s->frame, b.len) == 0;
	arena_release(&arena);
	buf_release(&b);
	return ok;
}

/* Is it one that we say we understand? */
static bool
is_known(const struct spoken *s)
{
	return s->api != NULL && s->version >= message_of(s)->min &&
	    s->version <= message_of(s)->max;
}

int
main(void)
{
	static struct spoken s;
	size_t cap = 0, known[2] = {0}, others = 0;
	FILE *in = fopen("tests/golden/frames", "r");
	char *line = NULL;

	if (in == NULL)
		errx(1, "tests/golden/frames: %s", strerror(errno));
	while (getline(&line, &cap, in) > 0) {
		if (!take_line(line, &s))
			errx(1, "tests/golden/frames: a line that is none");
		if (!is_known(&s)) {
			others++;
			continue;
		}
		known[s.is_request]++;
		if (!round_trips(&s))
			tap(false, "%s: %s %d", s.client, message_of(&s)->name,
			    s.version);
	}
	tap(known[0] > 100 && known[1] > 100,
	    "%zu requests and %zu responses are the same again", known[1],
	    known[0]);
	tap(others < (known[0] + known[1]) / 10,
	    "%zu are of versions that are not known", others);
	free(line);
	fclose(in);
	return tap_done();
}
