/*
 * replica ADDRESS SECRET-FILE STEP...: a client of Replicate that does what it
 * is told to do, right or wrong, and prints what becomes of each step:
 *
 *	again			another connection
 *	nonce short-nonce	a nonce
 *	proof bad-proof		a proof, or one with a bit changed
 *	old-proof		that of the connection before
 *	mine			the server's own proof is right
 *	begin			nonce, proof and mine
 *	hello			frames: HELLO
 *	ask=NAME=VALUE,...	REQUEST, of these strings
 *	topic=N,PARTITIONS,NAME	TOPIC
 *	offer=N,PARTITION	OFFER of a log that is empty
 *	end alive credit	END, ALIVE, CREDIT
 *	huge			the header of a frame of 2 GiB
 *	same			the last message once more
 *	changed			ALIVE, with a bit changed on the way
 *	skipped			ALIVE, the message before which was lost
 *	untagged		ALIVE, without a tag
 *	wait			nothing, until it is ended
 *
 * An answer is "STEP ok" and the frames in it, "STEP error N why", or "STEP
 * closed".
 */

#include <sys/socket.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"
#include "kafka/api.h"
#include "kafka/messages.h"
#include "net/addr.h"
#include "replicate/frame.h"
#include "replicate/trust.h"

enum { MESSAGE_MAX = 1 << 20 };

static const char *address;
static struct trust_secret secret;
static struct trust trust;
static int fd = -1;
static bool closed;
static uint8_t proof[TRUST_PROOF_LEN], old[TRUST_PROOF_LEN];
static struct buf stream;	/* frames that are to be sent */
static uint8_t last[MESSAGE_MAX], last_tag[TRUST_TAG_LEN];
static size_t last_len;
static uint8_t answer[MESSAGE_MAX];
static struct replicate_response response;
static struct arena arena;

static void
connect_to(const char *text)
{
	struct addr list[ADDR_LIST_MAX];
	struct addr_name name;
	const char *what = "";
	size_t count = 0;

	if (addr_parse(text, -1, &name, &what) != 0 ||
	    addr_resolve(&name, list, &count, &what) != 0)
		errx(2, "%s: %s", text, what);
	for (size_t i = 0; i < count; i++) {
		fd = socket(list[i].sa.ss_family, SOCK_STREAM, 0);
		if (fd >= 0 &&
		    connect(fd, (struct sockaddr *)&list[i].sa, list[i].len) ==
			0)
			return;
		close(fd);
	}
	err(1, "%s", text);
}

static void
again(void)
{
	memcpy(old, proof, sizeof(old));
	if (fd >= 0)
		close(fd);
	connect_to(address);
	closed = false;
	if (trust_init(&trust, false) != 0)
		errx(1, "no random numbers");
	buf_init(&stream, MESSAGE_MAX);
}

static bool
receive(void *data, size_t len)
{
	ssize_t n;

	for (uint8_t *at = data; len > 0; at += n, len -= (size_t)n) {
		n = recv(fd, at, len, 0);
		if (n <= 0)
			return false;
	}
	return true;
}

static void
take_answer(void)
{
	const struct api *api = api_find(API_REPLICATE);
	struct view v = {answer, 0};
	int32_t correlation;
	uint8_t size[4];

	closed = !receive(size, 4) || buf_get_32(size) > sizeof(answer) ||
	    !receive(answer, buf_get_32(size));
	if (closed)
		return;
	v.len = buf_get_32(size);
	if (wire_response_decode(&v, false, &correlation) != 0 ||
	    wire_decode(api->response, 0, &v, &arena, &response) != 0)
		errx(1, "not an answer");
}

static void
ask(int step, const void *data, size_t len, const uint8_t *tag)
{
	const struct wire_request header = {.key = API_REPLICATE,
	    .client_id = bytes_of("replica")};
	const struct replicate_request in = {.step = (int8_t)step,
	    .data = {data, (int32_t)len},
	    .tag = {tag, tag == NULL ? 0 : TRUST_TAG_LEN}};
	struct buf b;

	buf_init(&b, 2 * MESSAGE_MAX);
	if (buf_add_32(&b, 0) != 0 ||
	    wire_request_encode(&b, false, &header) != 0 ||
	    wire_encode(api_find(API_REPLICATE)->request, 0, &in, &b, NULL) !=
		0)
		errx(1, "no request");
	buf_put_32(b.data, (uint32_t)(b.len - 4));
	closed = io_write_full(fd, b.data, b.len) != 0;
	buf_release(&b);
	if (!closed)
		take_answer();
}

/* --- frames --------------------------------------------------------------- */

/* The message with what is in stream, sealed. */
static void
seal(void)
{
	last_len = TRUST_COUNT_LEN + stream.len;
	if (stream.len > 0)
		memcpy(last + TRUST_COUNT_LEN, stream.data, stream.len);
	stream.len = 0;
	trust_seal(&trust, last, last_len, last_tag);
}

static void
add(struct frame f, const void *data, size_t len)
{
	f.data = (struct view){data, len};
	if (frame_encode(&f, &stream) != 0)
		errx(1, "no frame");
}

static void
say_frame(struct frame f, const void *data, size_t len)
{
	add(f, data, len);
	seal();
	ask(2, last, last_len, last_tag);
}

static void
say_hello(void)
{
	say_frame((struct frame){.type = FRAME_HELLO,
		      .magic = FRAME_MAGIC,
		      .version_min = 1,
		      .version_max = 1,
		      .window = FRAME_WINDOW},
	    "test", 4);
}

/* NAME=VALUE,NAME=VALUE */
static void
say_request(const char *text)
{
	char strings[1024];
	size_t len = strlen(text) + 1;

	strlcpy(strings, text, sizeof(strings));
	for (char *c = strings; *c != '\0'; c++)
		if (*c == ',')
			*c = '\0';
	say_frame((struct frame){.type = FRAME_REQUEST}, strings, len);
}

/* N,PARTITIONS,NAME */
static void
say_topic(const char *text)
{
	unsigned topic;
	int count, at = 0;

	if (sscanf(text, "%u,%d,%n", &topic, &count, &at) != 2 || at == 0)
		errx(2, "topic=%s", text);
	say_frame((struct frame){.type = FRAME_TOPIC,
		      .topic = topic,
		      .count = count},
	    text + at, strlen(text + at) + 1);
}

static void
say_offer(const char *text)
{
	unsigned topic;
	int partition;

	if (sscanf(text, "%u,%d", &topic, &partition) != 2)
		errx(2, "offer=%s", text);
	say_frame((struct frame){.type = FRAME_OFFER,
		      .topic = topic,
		      .partition = partition},
	    NULL, 0);
}

/* A header whose CRC cannot be known to be wrong yet. */
static void
say_huge(void)
{
	uint8_t h[FRAME_HEADER_LEN] = {0x7f, 0xff, 0xff, 0xff, FRAME_DATA};

	if (buf_add(&stream, h, sizeof(h)) != 0)
		errx(1, "no frame");
	seal();
	ask(2, last, last_len, last_tag);
}

static void
say_alive(void)
{
	say_frame((struct frame){.type = FRAME_ALIVE}, NULL, 0);
}

/* ALIVE, in a way that must be refused. */
static void
say_wrong(const char *how)
{
	add((struct frame){.type = FRAME_ALIVE}, NULL, 0);
	seal();
	if (strcmp(how, "changed") == 0)
		last[last_len - 1] ^= 1;
	if (strcmp(how, "skipped") == 0) {
		add((struct frame){.type = FRAME_ALIVE}, NULL, 0);
		seal();
	}
	ask(2, last, last_len, strcmp(how, "untagged") == 0 ? NULL : last_tag);
}

/* --- steps ---------------------------------------------------------------- */

static struct view
answered(void)
{
	return (struct view){response.data.data,
	    response.data.len > 0 ? (size_t)response.data.len : 0};
}

static void
say_nonce(size_t len)
{
	ask(0, trust_nonce(&trust).data, len, NULL);
	if (!closed && response.error_code == 0 &&
	    trust_take_nonce(&trust, answered()) != 0)
		errx(1, "not a nonce");
}

static void
say_proof(const char *how)
{
	uint8_t p[TRUST_PROOF_LEN];

	trust_prove(&trust, &secret, proof);
	memcpy(p, how[0] == 'o' ? old : proof, sizeof(p));
	if (how[0] == 'b')
		p[0] ^= 1;
	ask(1, p, sizeof(p), NULL);
}

static void
print_frames(void)
{
	struct view v = answered(),
		    tag = {response.tag.data,
			response.tag.len > 0 ? (size_t)response.tag.len : 0};
	struct frame f;

	if (tag.len == 0)
		return;
	if (trust_open(&trust, &v, tag) != 0)
		errx(1, "not the server's answer");
	while (v.len > 0) {
		if (frame_decode(&v, &f, NULL, NULL) != 0)
			errx(1, "not a frame");
		printf(" %s", frame_name(f.type));
		if (f.type == FRAME_ERROR || f.type == FRAME_REFUSE)
			printf(" %d %.*s", (int)f.status, (int)f.data.len,
			    (const char *)f.data.data);
	}
}

static void
print_answer(const char *step)
{
	if (closed) {
		printf("%s closed\n", step);
	} else if (response.error_code != 0) {
		printf("%s error %d %.*s\n", step, response.error_code,
		    (int)response.error_message.len,
		    (const char *)response.error_message.data);
	} else {
		printf("%s ok", step);
		print_frames();
		printf("\n");
	}
	fflush(stdout);
}

static void
take_frame_step(const char *step)
{
	if (strcmp(step, "hello") == 0)
		say_hello();
	else if (strncmp(step, "ask=", 4) == 0)
		say_request(step + 4);
	else if (strncmp(step, "topic=", 6) == 0)
		say_topic(step + 6);
	else if (strncmp(step, "offer=", 6) == 0)
		say_offer(step + 6);
	else if (strcmp(step, "end") == 0)
		say_frame((struct frame){.type = FRAME_END}, NULL, 0);
	else if (strcmp(step, "credit") == 0)
		say_frame((struct frame){.type = FRAME_CREDIT}, NULL, 0);
	else if (strcmp(step, "alive") == 0)
		say_alive();
	else if (strcmp(step, "huge") == 0)
		say_huge();
	else if (strcmp(step, "same") == 0)
		ask(2, last, last_len, last_tag);
	else
		say_wrong(step);
}

static void
take_step(const char *step)
{
	if (strcmp(step, "again") == 0) {
		again();
		return;
	}
	if (strcmp(step, "wait") == 0) {
		take_answer();
		return;
	}
	if (strcmp(step, "mine") == 0) {
		printf("mine %s\n",
		    trust_check(&trust, &secret, answered()) ? "ok" : "wrong");
		fflush(stdout);
		return;
	}
	if (strstr(step, "nonce") != NULL)
		say_nonce(step[0] == 's' ? 31 : TRUST_NONCE_LEN);
	else if (strstr(step, "proof") != NULL)
		say_proof(step);
	else
		take_frame_step(step);
	print_answer(step);
}

int
main(int argc, char **argv)
{
	const char *why;

	if (argc < 4)
		errx(2, "usage: replica ADDRESS SECRET-FILE STEP...");
	address = argv[1];
	if (trust_read(argv[2], &secret, &why) != 0)
		errx(2, "%s: %s", argv[2], why != NULL ? why : "cannot read");
	arena_init(&arena, 64 << 20);
	again();
	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], "begin") == 0) {
			take_step("nonce");
			take_step("proof");
			take_step("mine");
		} else {
			take_step(argv[i]);
		}
	}
	arena_release(&arena);
	return 0;
}
