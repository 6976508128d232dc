/* Kafka's messages; what is read is written, and read as the same. */

#include "kafka/wire.h"

#include "base/status.h"
#include "fuzz.h"
#include "kafka/api.h"

enum { ARENA_MAX = 1 << 22 };

static const struct wire_message *
choose(struct fuzz_input *in)
{
	size_t count = 0, at = fuzz_byte(in);

	while (api_at(count) != NULL)
		count++;
	return at % 2 == 0 ? api_at(at / 2 % count)->request
			   : api_at(at / 2 % count)->response;
}

static void
write_again(const struct wire_message *m, int version, const void *message,
    struct arena *arena)
{
	void *back = arena_alloc(arena, 1, m->body->size);
	struct buf once, twice;
	struct view v;

	buf_init(&once, ARENA_MAX);
	buf_init(&twice, ARENA_MAX);
	fuzz_must(wire_encode(m, version, message, &once, NULL) == 0);
	v = (struct view){once.data, once.len};
	fuzz_must(wire_decode(m, version, &v, arena, back) == 0 && v.len == 0);
	fuzz_must(wire_encode(m, version, back, &twice, NULL) == 0);
	fuzz_must(once.len == twice.len);
	fuzz_must(
	    once.len == 0 || memcmp(once.data, twice.data, once.len) == 0);
	buf_release(&once);
	buf_release(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	const struct wire_message *m = choose(&in);
	int version = m->min + fuzz_byte(&in) % (m->max - m->min + 1), rc;
	struct wire_request header;
	struct arena arena;
	struct view v = {in.data, in.len};
	void *message;

	(void)wire_request_decode(&v, version % 2 == 0, &header);
	v = (struct view){in.data, in.len};
	arena_init(&arena, ARENA_MAX);
	message = arena_alloc(&arena, 1, m->body->size);
	rc = wire_decode(m, version, &v, &arena, message);
	fuzz_must(rc == 0 || rc == STATUS_CORRUPT || rc == STATUS_SHORT ||
	    rc == STATUS_TOO_BIG);
	if (rc == 0 && in.len < 4096)
		write_again(m, version, message, &arena);
	arena_release(&arena);
	return 0;
}
