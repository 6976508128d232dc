/*
 * fuzz ADDRESS SECONDS SEED SECRET-FILE: requests of every API and version that
 * is served, filled at random, half of them damaged, on several connections at
 * once; replicas that know the secret, and then say anything; and all the time
 * a good client, whose requests must be answered well.
 *
 * Exit status 1: the good client was not served, or the server is gone.
 */

#include <sys/socket.h>
#include <sys/time.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/now.h"
#include "base/parse.h"
#include "base/status.h"
#include "kafka/api.h"
#include "kafka/messages.h"
#include "net/addr.h"
#include "replicate/frame.h"
#include "replicate/trust.h"
#include "store/batch.h"

enum {
	CONNECTIONS = 8,
	REQUEST_MAX = 1 << 20,
	ANSWER_MAX = 128 << 20,
	GOOD_EVERY = 200,	/* requests */
	REPLICA_EVERY = 50,
	PATIENCE_S = 120,
	CORRELATION = 7,
};

static struct addr server;
static uint64_t state;
static struct arena arena;
static struct trust_secret secret;
static uint64_t requests, damaged, closed, checks, replicas;

static uint32_t
below(uint32_t n)
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) >> 16) % n;
}

static void *
take(size_t count, size_t size)
{
	void *p = arena_alloc(&arena, count, size);

	if (p == NULL)
		errx(2, "no memory");
	return p;
}

/* --- what is in a request ------------------------------------------------- */

static struct bytes
random_string(void)
{
	static const char *const words[] = {"t", "u", "v", "nope", "", "g",
	    "consumer", "range", "retention.ms", "cleanup.policy", "compact",
	    "max.message.bytes", "1000", "-1", "a/b", "..", "fuzz.topic",
	    "segment.bytes", "localhost", "999999999999999999999"};
	uint8_t *noise;
	int32_t len;

	if (below(12) == 0)
		return BYTES_NULL;
	if (below(8) != 0)
		return bytes_of(words[below(sizeof(words) / sizeof(*words))]);
	len = (int32_t)below(below(20) == 0 ? 40000 : 60);
	noise = take((size_t)len + 1, 1);
	for (int32_t i = 0; i < len; i++)
		noise[i] = (uint8_t)below(256);
	return (struct bytes){noise, len};
}

static int64_t
random_number(void)
{
	static const int64_t numbers[] = {0, 0, 0, 0, 1, 1, 2, 3, -1, -1, -2,
	    -3, -4, 10, 100, 1000, 30000, 1 << 20, INT16_MAX, INT32_MAX,
	    INT32_MIN, INT64_MAX, INT64_MIN};

	return numbers[below(sizeof(numbers) / sizeof(*numbers))];
}

/* A batch that is good, or was until one of its fields was changed. */
static struct wire_records
random_records(void)
{
	static const size_t places[] = {BATCH_LENGTH, BATCH_MAGIC, BATCH_CRC,
	    BATCH_ATTRIBUTES + 1, BATCH_LAST_OFFSET_DELTA, BATCH_MAX_TIMESTAMP,
	    BATCH_PRODUCER_ID, BATCH_BASE_SEQUENCE, BATCH_RECORD_COUNT,
	    BATCH_RECORD_COUNT + 3, BATCH_RECORDS};
	struct record r = {.timestamp = now_wall_ms(),
	    .key = bytes_of("k"),
	    .value = bytes_of("value")};
	struct batch_builder bb;
	const uint8_t *data;
	uint8_t *copy;
	struct batch b;
	size_t size;

	if (below(10) == 0)
		return (struct wire_records){.len = (int64_t)below(2) - 1};
	batch_builder_init(&bb, below(CODEC_COUNT), INT_MIN, 65536);
	for (uint32_t i = below(20) + 1; i > 0; i--)
		(void)batch_builder_add(&bb, &r);
	if (batch_builder_finish(&bb, &data, &size) != 0)
		errx(2, "no batch");
	copy = take(size, 1);
	memcpy(copy, data, size);
	batch_builder_release(&bb);
	if (below(2) == 0)
		copy[places[below(sizeof(places) / sizeof(*places))]] ^=
		    (uint8_t)(1 << below(8));
	/* Its sum is right again, so that the rest is looked at. */
	if (below(2) == 0 && batch_decode(copy, size, &b, NULL) == 0 &&
	    b.size == size)
		batch_set_append_time(copy, size, r.timestamp);
	return (struct wire_records){.data = copy, .len = (int64_t)size};
}

static void fill(const struct wire_struct *s, char *out);

static void
fill_one(const struct wire_field *f, void *at)
{
	int64_t n = random_number();

	if (f->type == WIRE_STRUCT)
		fill(f->of, at);
	else if (f->type == WIRE_STRING || f->type == WIRE_BYTES)
		*(struct bytes *)at = random_string();
	else if (f->type == WIRE_RECORDS)
		*(struct wire_records *)at = random_records();
	else if (f->type == WIRE_BOOL)
		*(bool *)at = n % 2 != 0;
	else if (f->type != WIRE_UUID)
		/* Of either order of bytes, the lowest. */
		memcpy(at, &n, wire_size_of(f));
}

static void
fill(const struct wire_struct *s, char *out)
{
	wire_struct_defaults(s, out);
	for (size_t i = 0; i < s->count; i++) {
		const struct wire_field *f = &s->fields[i];
		uint32_t count = below(12) == 0 ? 40 : below(4);
		size_t size = wire_size_of(f);
		char *items;

		if (below(16) == 0)
			continue;
		if (!f->array) {
			fill_one(f, out + f->at);
			continue;
		}
		items = take(count + 1, size);
		for (uint32_t k = 0; k < count; k++)
			fill_one(f, items + k * size);
		*(void **)(void *)(out + f->at) = items;
		*(int32_t *)(void *)(out + f->count_at) =
		    below(12) == 0 ? -1 : (int32_t)count;
	}
}

static void
add_request(struct buf *b, const struct api *api, int16_t version,
    const void *message)
{
	struct wire_request header = {.key = api->key,
	    .version = version,
	    .correlation = CORRELATION,
	    .client_id = bytes_of("fuzz")};
	size_t at = b->len;

	if (buf_add_32(b, 0) != 0 ||
	    wire_request_encode(b, api_is_flexible(api, version), &header) !=
		0 ||
	    wire_encode(api->request, version, message, b, NULL) != 0)
		b->len = at;
	else
		buf_put_32(b->data + at, (uint32_t)(b->len - at - 4));
}

static void
damage(struct buf *b)
{
	uint32_t len = (uint32_t)b->len;

	damaged++;
	switch (below(6)) {
	case 0:		/* bytes */
		for (uint32_t i = below(8) + 1; i > 0; i--)
			b->data[below(len)] = (uint8_t)below(256);
		break;
	case 1:		/* behind the header, so that it is looked at */
		for (uint32_t i = below(4) + 1; i > 0 && len > 20; i--)
			b->data[20 + below(len - 20)] ^=
			    (uint8_t)(1 << below(8));
		break;
	case 2:		/* a whole frame of a part of the request */
		b->len = 4 + below(len - 3);
		buf_put_32(b->data, (uint32_t)(b->len - 4));
		break;
	case 3:		/* the size lies */
		buf_put_32(b->data, (uint32_t)random_number());
		break;
	case 4:		/* so may any other four bytes */
		if (len > 12)
			buf_put_32(b->data + 8 + below(len - 11),
			    (uint32_t)random_number());
		break;
	case 5:		/* an API or a version that is not there */
		buf_put_16(b->data + 4 + 2 * below(2), (uint16_t)below(65536));
		break;
	}
}

static void
make_request(struct buf *b)
{
	const struct wire_message *m;
	const struct api *api;
	size_t count = 0;
	void *message;

	while (api_at(count) != NULL)
		count++;
	while (b->len == 0) {
		api = api_at(below((uint32_t)count));
		m = api->request;
		message = take(1, m->body->size);
		fill(m->body, message);
		add_request(b, api,
		    (int16_t)(m->min +
			(int)below((uint32_t)(m->max - m->min + 1))),
		    message);
		/* A wait of minutes shows nothing. */
		if (api->key == API_FETCH && below(4) != 0)
			b->len = 0;
	}
	requests++;
	if (below(2) == 0)
		damage(b);
}

/* --- connections ---------------------------------------------------------- */

static int
connect_to(void)
{
	const struct timeval limit = {.tv_sec = PATIENCE_S};
	int fd = socket(server.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(2, "socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&server.sa, server.len) != 0)
		err(1, "the server is gone");
	return fd;
}

/* Take what there is; false: closed. */
static bool
hear(int fd)
{
	static char bytes[65536];
	ssize_t n;

	do
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (n > 0);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Send without waiting: who pauses our reading may have a reason. */
static bool
say(int fd, const struct buf *b)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	size_t done = 0;
	ssize_t n;

	while (done < b->len) {
		if (!hear(fd))
			return false;
		n = send(fd, b->data + done, b->len - done,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			done += (size_t)n;
		else if (errno != EAGAIN || poll(&p, 1, 100) <= 0)
			return false;
	}
	return true;
}

static void
one_request(int *fd)
{
	struct buf b;

	buf_init(&b, REQUEST_MAX);
	make_request(&b);
	if (*fd < 0)
		*fd = connect_to();
	if (!say(*fd, &b) || below(40) == 0) {
		closed++;
		close(*fd);
		*fd = -1;
	}
	buf_release(&b);
	arena_release(&arena);
	arena_init(&arena, ANSWER_MAX);
}

/* --- the good client ------------------------------------------------------ */

static void
receive(int fd, uint8_t *data, size_t len)
{
	ssize_t n;

	for (; len > 0; data += n, len -= (size_t)n) {
		n = recv(fd, data, len, 0);
		if (n <= 0)
			err(1, "the good client: %s",
			    n == 0 ? "closed" : "no answer");
	}
}

static void *
ask(int fd, enum api_key key, int16_t version, const void *message)
{
	const struct api *api = api_find((int16_t)key);
	void *out = take(1, api->response->body->size);
	uint8_t size[4], *answer;
	int32_t correlation;
	struct view v;
	struct buf b;

	buf_init(&b, REQUEST_MAX);
	add_request(&b, api, version, message);
	if (send(fd, b.data, b.len, MSG_NOSIGNAL) != (ssize_t)b.len)
		err(1, "the good client: cannot send");
	buf_release(&b);
	receive(fd, size, sizeof(size));
	answer = take(buf_get_32(size), 1);
	receive(fd, answer, buf_get_32(size));
	v = (struct view){answer, buf_get_32(size)};
	if (wire_response_decode(&v, api_is_flexible(api, version),
		&correlation) != 0 ||
	    correlation != CORRELATION ||
	    wire_decode(api->response, version, &v, &arena, out) != 0)
		errx(1, "the good client: not an answer to %s", api->name);
	return out;
}

/* One record more, at the next offset. */
static void
good_client(int fd)
{
	static int64_t next;
	struct record r = {.timestamp = now_wall_ms(),
	    .key = BYTES_NULL,
	    .value = bytes_of("good")};
	struct produce_request_topic_data_partition_data part = {.index = 0};
	struct produce_request_topic_data topic = {.name = bytes_of("good"),
	    .partition_data = &part,
	    .partition_data_count = 1};
	struct produce_request request = {.transactional_id = BYTES_NULL,
	    .acks = -1,
	    .timeout_ms = 30000,
	    .topic_data = &topic,
	    .topic_data_count = 1};
	const struct produce_response *response;
	struct batch_builder bb;
	const uint8_t *data;
	size_t size;

	batch_builder_init(&bb, CODEC_NONE, INT_MIN, 65536);
	if (batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &size) != 0)
		errx(2, "no batch");
	part.records =
	    (struct wire_records){.data = data, .len = (int64_t)size};
	response = ask(fd, API_PRODUCE, 8, &request);
	batch_builder_release(&bb);
	if (response->responses[0].partition_responses[0].error_code != 0 ||
	    response->responses[0].partition_responses[0].base_offset != next)
		errx(1, "the good client: error %d, offset %lld, not %lld",
		    response->responses[0].partition_responses[0].error_code,
		    (long long)response->responses[0]
			.partition_responses[0]
			.base_offset,
		    (long long)next);
	next++;
	checks++;
}

/* --- replicas ------------------------------------------------------------- */

static const struct replicate_response *
ask_replicate(int fd, int step, struct view data)
{
	const struct replicate_request request = {.step = (int8_t)step,
	    .data = {data.data, (int32_t)data.len}};

	return ask(fd, API_REPLICATE, 0, &request);
}

static struct view
view_of(struct bytes b)
{
	return (struct view){b.data, b.len > 0 ? (size_t)b.len : 0};
}

/* One that is let in, unless there are too many at the moment. */
static bool
prove(int fd, struct trust *t)
{
	uint8_t proof[TRUST_PROOF_LEN];
	const struct replicate_response *r;

	if (trust_init(t, false) != 0)
		errx(2, "no random numbers");
	r = ask_replicate(fd, 0, trust_nonce(t));
	if (trust_take_nonce(t, view_of(r->data)) != 0)
		errx(1, "a replica: not a nonce");
	trust_prove(t, &secret, proof);
	r = ask_replicate(fd, 1, (struct view){proof, sizeof(proof)});
	if (r->error_code == 0 && !trust_check(t, &secret, view_of(r->data)))
		errx(1, "a replica: not a proof");
	return r->error_code == 0;
}

static void
add_frame(struct buf *b, struct frame f, const void *data, size_t len)
{
	f.data = (struct view){data, len};
	(void)frame_encode(&f, b);
}

/* What is said first, so that the rest is listened to. */
static void
add_greeting(struct buf *b)
{
	static const char one[] = "mode=receive\0path=r";
	static const char all[] = "mode=receive\0path=/\0named=1\0cut=1";
	bool named = below(2) == 0;

	add_frame(b,
	    (struct frame){.type = FRAME_HELLO,
		.magic = FRAME_MAGIC,
		.version_min = 1,
		.version_max = 1,
		.window = FRAME_WINDOW},
	    NULL, 0);
	add_frame(b, (struct frame){.type = FRAME_REQUEST}, named ? all : one,
	    named ? sizeof(all) : sizeof(one));
	add_frame(b, (struct frame){.type = FRAME_TOPIC, .count = 2},
	    named ? "r0" : "", named ? 3 : 1);
	add_frame(b, (struct frame){.type = FRAME_OFFER}, NULL, 0);
}

static void
add_random_frame(struct buf *b)
{
	struct wire_records records = random_records();
	struct bytes text = random_string();
	struct frame f = {.type = (enum frame_type)(1 + below(FRAME_TYPES - 1)),
	    .topic = below(3),
	    .partition = (int32_t)below(4) - 1,
	    .count = (int32_t)random_number(),
	    .start = random_number(),
	    .end = random_number(),
	    .offset = random_number(),
	    .status = (int32_t)below(5)};

	if (below(2) == 0)
		f.type = FRAME_DATA;
	if (f.type == FRAME_TOPIC && f.count > 5)
		f.count = 5;
	if (f.type == FRAME_DATA && records.len > 0)
		add_frame(b, f, records.data, (size_t)records.len);
	else if (text.len > 0)
		add_frame(b, f, text.data, (size_t)text.len);
	else
		add_frame(b, f, NULL, 0);
	if (below(20) == 0 && b->len > 0)
		b->data[below((uint32_t)b->len)] ^= (uint8_t)(1 << below(8));
}

/* A message of a few frames, or of a part of one. */
static bool
say_frames(int fd, struct trust *t, bool first)
{
	uint8_t tag[TRUST_TAG_LEN];
	struct replicate_request q = {.step = 2, .tag = {tag, sizeof(tag)}};
	struct buf data, b;
	bool open;

	buf_init(&data, REQUEST_MAX);
	buf_init(&b, REQUEST_MAX);
	if (buf_add_64(&data, 0) != 0)
		errx(2, "no memory");
	if (first && below(8) != 0)
		add_greeting(&data);
	for (uint32_t i = below(4); i > 0; i--)
		add_random_frame(&data);
	if (below(10) == 0)
		data.len -= below((uint32_t)data.len - 7);
	trust_seal(t, data.data, data.len, tag);
	q.data = (struct bytes){data.data, (int32_t)data.len};
	add_request(&b, api_find(API_REPLICATE), 0, &q);
	open = say(fd, &b);
	buf_release(&data);
	buf_release(&b);
	return open;
}

static void
replica(void)
{
	int fd = connect_to();
	struct trust t;
	bool open = prove(fd, &t);

	replicas++;
	for (uint32_t i = 0; open && i < 20; i++)
		open = say_frames(fd, &t, i == 0);
	close(fd);
	arena_release(&arena);
	arena_init(&arena, ANSWER_MAX);
}

static void
run(int64_t seconds)
{
	int64_t end = now_mono_ms() + seconds * 1000;
	int fds[CONNECTIONS], good = connect_to();

	for (int i = 0; i < CONNECTIONS; i++)
		fds[i] = -1;
	while (now_mono_ms() < end) {
		one_request(&fds[below(CONNECTIONS)]);
		if (requests % GOOD_EVERY == 1)
			good_client(good);
		if (requests % REPLICA_EVERY == 2)
			replica();
	}
	good_client(good);
	printf("%llu requests, %llu of them damaged, %llu connections, "
	       "%llu replicas, %llu checks\n",
	    (unsigned long long)requests, (unsigned long long)damaged,
	    (unsigned long long)closed, (unsigned long long)replicas,
	    (unsigned long long)checks);
}

int
main(int argc, char **argv)
{
	struct addr list[ADDR_LIST_MAX];
	struct addr_name name;
	const char *what = NULL, *why;
	int64_t seconds, seed;
	size_t count;

	if (argc != 5 || parse_int(argv[2], 1, 1000000, &seconds) != 0 ||
	    parse_int(argv[3], 0, INT64_MAX, &seed) != 0 ||
	    addr_parse(argv[1], -1, &name, &what) != 0 ||
	    addr_resolve(&name, list, &count, &what) != 0)
		errx(2, "usage: fuzz ADDRESS SECONDS SEED SECRET-FILE");
	if (trust_read(argv[4], &secret, &why) != 0)
		errx(2, "%s: %s", argv[4],
		    why != NULL ? why : "cannot be read");
	server = list[0];
	state = (uint64_t)seed;
	arena_init(&arena, ANSWER_MAX);
	run(seconds);
	arena_release(&arena);
	return 0;
}
