/*
 * crowd ADDRESS N HOW: N connections at once, which do little; "there" is
 * printed when all have begun.  They stay until it is killed.
 *
 *	idle	say nothing
 *	drip	a byte of a request each second
 *	slow	ask for the topic t four times, and read nothing
 *	large	announce a request of 16 MiB, and send 4 KiB of it
 *	half	so, and 8 MiB of it, as they are taken, then no more
 *
 * Exit status 1: a connection was closed by the other end, but for half.
 */

#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "kafka/api.h"
#include "kafka/messages.h"
#include "net/addr.h"

enum {
	CROWD_MAX = 10000,
	LARGE = 16 << 20,
	PART = 4096,
	HALF = 8 << 20,
	STILL = 10,		/* tenths of a second */
};

static struct addr server;
static int fds[CROWD_MAX];
static int64_t count;

static int
connect_to(void)
{
	int fd = socket(server.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&server.sa, server.len) != 0)
		err(1, "connection");
	return fd;
}

static void
send_all(const struct buf *b, size_t from, size_t to)
{
	for (int64_t i = 0; i < count; i++)
		if (send(fds[i], b->data + from, to - from, MSG_NOSIGNAL) < 0)
			err(1, "connection %lld", (long long)i);
}

static void
add_fetch(struct buf *b)
{
	struct fetch_request_topics_partitions part = {.partition_max_bytes = 1
		<< 20,
	    .current_leader_epoch = -1,
	    .last_fetched_epoch = -1,
	    .log_start_offset = -1};
	struct fetch_request_topics topic = {.topic = bytes_of("t"),
	    .partitions = &part,
	    .partitions_count = 1};
	struct fetch_request request;
	struct wire_request header = {.key = API_FETCH,
	    .version = 11,
	    .client_id = bytes_of("crowd")};
	const struct api *api = api_find(API_FETCH);
	size_t at = b->len;

	wire_defaults(api->request, &request);
	request.max_bytes = 1 << 20;
	request.session_epoch = -1;
	request.topics = &topic;
	request.topics_count = 1;
	if (buf_add_32(b, 0) != 0 ||
	    wire_request_encode(b, false, &header) != 0 ||
	    wire_encode(api->request, header.version, &request, b, NULL) != 0)
		errx(2, "no request");
	buf_put_32(b->data + at, (uint32_t)(b->len - at - 4));
}

/* Has the other end closed any? */
static void
look(void)
{
	char byte;

	for (int64_t i = 0; i < count; i++)
		if (recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
			errx(1, "connection %lld: closed", (long long)i);
}

static void
tell_there(void)
{
	printf("there\n");
	if (fflush(stdout) != 0)
		err(2, "stdout");
}

/*
 * Whatever the server takes of the first half of a large request; when it has
 * taken nothing for a while, that is all.
 */
static void
send_halves(struct buf *b)
{
	size_t *sent = calloc((size_t)count, sizeof(*sent));
	int still = 0;
	bool moved;
	ssize_t n;

	if (sent == NULL || buf_reserve(b, HALF) != 0)
		errx(2, "no memory");
	memset(b->data, 0, HALF);
	buf_put_32(b->data, LARGE);
	for (;;) {
		moved = false;
		for (int64_t i = 0; i < count; i++) {
			n = send(fds[i], b->data + sent[i], HALF - sent[i],
			    MSG_NOSIGNAL | MSG_DONTWAIT);
			moved = moved || n > 0;
			sent[i] += n > 0 ? (size_t)n : 0;
		}
		still = moved ? 0 : still + 1;
		if (still == STILL)
			tell_there();
		(void)poll(NULL, 0, 100);
	}
}

static void
stay(bool drips, const struct buf *b)
{
	tell_there();
	for (size_t at = 0;; at++) {
		if (drips && at < b->len)
			send_all(b, at, at + 1);
		look();
		(void)poll(NULL, 0, 1000);
	}
}

int
main(int argc, char **argv)
{
	struct addr list[ADDR_LIST_MAX];
	struct addr_name name;
	const char *what = NULL;
	size_t found;
	struct buf b;

	if (argc != 4 || parse_int(argv[2], 1, CROWD_MAX, &count) != 0 ||
	    addr_parse(argv[1], -1, &name, &what) != 0 ||
	    addr_resolve(&name, list, &found, &what) != 0)
		errx(2, "usage: crowd ADDRESS N HOW");
	server = list[0];
	for (int64_t i = 0; i < count; i++)
		fds[i] = connect_to();
	buf_init(&b, LARGE);
	for (int i = 0; i < 4; i++)
		add_fetch(&b);
	if (strcmp(argv[3], "slow") == 0)
		send_all(&b, 0, b.len);
	if (strcmp(argv[3], "large") == 0) {
		if (buf_reserve(&b, PART) != 0)
			errx(2, "no memory");
		memset(b.data, 0, PART);
		buf_put_32(b.data, LARGE);
		send_all(&b, 0, PART);
	}
	if (strcmp(argv[3], "half") == 0)
		send_halves(&b);
	stay(strcmp(argv[3], "drip") == 0, &b);
	return 0;
}
