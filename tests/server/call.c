/*
 * call ADDRESS API VERSION [FIELD=VALUE]...: send one request of the protocol,
 * and print the response, one line per field.
 *
 *	call localhost:9092 ListOffsets 7 replica_id=-1 topics.0.name=t \
 *	    topics.0.partitions.0.timestamp=-2
 *
 * Fields are named as in kafka/messages.h, elements of arrays by number.  Both
 * ways null is NULL, an id is 22 characters of base64url, and an array without
 * elements is [].  Bytes may be given as @FILE, and of records only the length
 * is printed.  Fields that are not given have their defaults.
 *
 * Exit status: 0 answered; 1 not; 2 a mistake in the arguments; 3 the server
 * closed the connection.
 */

#include <sys/socket.h>
#include <sys/time.h>

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/status.h"
#include "kafka/api.h"
#include "kafka/messages.h"
#include "net/addr.h"

enum {
	TIMEOUT_S = 60,
	BYTES_MAX = 64 << 20,
	PATH_LEN = 512,
	CORRELATION = 77,
	EXIT_CLOSED = 3,
};

static struct arena arena;

static void *
take(size_t count, size_t size)
{
	void *p = arena_alloc(&arena, count, size);

	if (p == NULL)
		errx(1, "no memory");
	return p;
}

/* --- the request ---------------------------------------------------------- */

static void
read_uuid(const char *text, struct wire_uuid *out)
{
	if (!base64_id_decode(text, out->bytes))
		errx(2, "%s: not an id", text);
}

static struct bytes
read_bytes(const char *value)
{
	struct bytes out;
	struct buf b;
	uint8_t *copy;
	int rc;

	if (strcmp(value, "NULL") == 0)
		return BYTES_NULL;
	if (value[0] != '@')
		return bytes_of(value);
	buf_init(&b, BYTES_MAX);
	rc = io_read_file(AT_FDCWD, value + 1, BYTES_MAX, &b);
	if (rc != 0)
		errx(1, "%s: %s", value + 1, status_text(rc));
	copy = take(b.len, 1);
	if (b.len > 0)
		memcpy(copy, b.data, b.len);
	out = (struct bytes){copy, (int32_t)b.len};
	buf_release(&b);
	return out;
}

static void
set_number(const struct wire_field *f, void *at, const char *value)
{
	int64_t n;

	if (parse_int(value, INT64_MIN, INT64_MAX, &n) != 0)
		errx(2, "%s=%s: not a number", f->name, value);
	if (f->type == WIRE_INT64)
		*(int64_t *)at = n;
	else if (f->type == WIRE_INT32)
		*(int32_t *)at = (int32_t)n;
	else if (f->type == WIRE_INT16)
		*(int16_t *)at = (int16_t)n;
	else
		*(int8_t *)at = (int8_t)n;
}

static void
set_value(const struct wire_field *f, void *at, const char *value)
{
	struct bytes b;

	if (f->type == WIRE_STRING || f->type == WIRE_BYTES) {
		*(struct bytes *)at = read_bytes(value);
	} else if (f->type == WIRE_RECORDS) {
		b = read_bytes(value);
		*(struct wire_records *)at =
		    (struct wire_records){.data = b.data, .len = b.len};
	} else if (f->type == WIRE_UUID) {
		read_uuid(value, at);
	} else if (f->type == WIRE_BOOL) {
		*(bool *)at = strcmp(value, "true") == 0;
	} else {
		set_number(f, at, value);
	}
}

/* The element of that number, which may be new. */
static void *
element(const struct wire_field *f, char *in, int64_t number)
{
	int32_t *count = (int32_t *)(void *)(in + f->count_at);
	void **items = (void **)(void *)(in + f->at);
	size_t size = wire_size_of(f), had = *count < 0 ? 0 : (size_t)*count;
	char *more;

	if ((size_t)number >= had) {
		more = take((size_t)number + 1, size);
		if (had > 0)
			memcpy(more, *items, had * size);
		for (size_t i = had; i <= (size_t)number; i++)
			if (f->type == WIRE_STRUCT)
				wire_struct_defaults(f->of, more + i * size);
		*items = more;
		*count = (int32_t)number + 1;
	}
	return (char *)*items + (size_t)number * size;
}

static const struct wire_field *
find_field(const struct wire_struct *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->count; i++)
		if (strlen(s->fields[i].name) == len &&
		    memcmp(s->fields[i].name, name, len) == 0)
			return &s->fields[i];
	errx(2, "%.*s: no such field", (int)len, name);
}

static void
set_array(const struct wire_field *f, char *in, const char *value)
{
	int32_t *count = (int32_t *)(void *)(in + f->count_at);

	if (strcmp(value, "NULL") != 0 && strcmp(value, "[]") != 0)
		errx(2, "%s=%s: not an array", f->name, value);
	*count = value[0] == 'N' ? -1 : 0;
}

/* path is "a.0.b=value". */
static void
set_field(const struct wire_struct *s, char *in, const char *path)
{
	size_t len = strcspn(path, ".=");
	const struct wire_field *f = find_field(s, path, len);
	void *at = in + f->at;
	char *end;

	path += len;
	if (f->array && *path == '=') {
		set_array(f, in, path + 1);
		return;
	}
	if (f->array) {
		at = element(f, in, strtoll(path + 1, &end, 10));
		path = end;
	}
	if (f->type == WIRE_STRUCT && *path == '.')
		set_field(f->of, at, path + 1);
	else if (f->type != WIRE_STRUCT && *path == '=')
		set_value(f, at, path + 1);
	else
		errx(2, "%s: not FIELD=VALUE", path);
}

/* --- the response --------------------------------------------------------- */

static void
print_uuid(const struct wire_uuid *u)
{
	char text[BASE64_ID_LEN + 1];

	base64_id_encode(u->bytes, text);
	fputs(text, stdout);
}

static void
print_value(const struct wire_field *f, const void *at)
{
	const struct bytes *b = at;

	if (f->type == WIRE_STRING || f->type == WIRE_BYTES) {
		if (b->len < 0)
			fputs("NULL", stdout);
		else
			fwrite(b->data, 1, (size_t)b->len, stdout);
	} else if (f->type == WIRE_RECORDS) {
		printf("%lld bytes",
		    (long long)((const struct wire_records *)at)->len);
	} else if (f->type == WIRE_UUID) {
		print_uuid(at);
	} else if (f->type == WIRE_BOOL) {
		fputs(*(const bool *)at ? "true" : "false", stdout);
	} else if (f->type == WIRE_INT8) {
		printf("%d", *(const int8_t *)at);
	} else if (f->type == WIRE_INT16) {
		printf("%d", *(const int16_t *)at);
	} else if (f->type == WIRE_INT32) {
		printf("%d", (int)*(const int32_t *)at);
	} else {
		printf("%lld", (long long)*(const int64_t *)at);
	}
	putchar('\n');
}

static void print_struct(const struct wire_struct *s, int version,
    const char *in, const char *path);

static void
print_one(const struct wire_field *f, int version, const char *at,
    const char *path)
{
	if (f->type == WIRE_STRUCT) {
		print_struct(f->of, version, at, path);
	} else {
		printf("%s=", path);
		print_value(f, at);
	}
}

static void
print_field(const struct wire_field *f, int version, const char *in,
    const char *path)
{
	char name[PATH_LEN];
	const char *items, *dot = path[0] == '\0' ? "" : ".";
	int32_t count;

	snprintf(name, sizeof(name), "%s%s%s", path, dot, f->name);
	if (!f->array) {
		print_one(f, version, in + f->at, name);
		return;
	}
	count = *(const int32_t *)(const void *)(in + f->count_at);
	items = *(const char *const *)(const void *)(in + f->at);
	if (count <= 0)
		printf("%s=%s\n", name, count < 0 ? "NULL" : "[]");
	for (int32_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s%s%s.%d", path, dot, f->name,
		    (int)i);
		print_one(f, version, items + (size_t)i * wire_size_of(f),
		    name);
	}
}

static void
print_struct(const struct wire_struct *s, int version, const char *in,
    const char *path)
{
	for (size_t i = 0; i < s->count; i++)
		if (version >= s->fields[i].from && version <= s->fields[i].to)
			print_field(&s->fields[i], version, in, path);
}

/* --- the connection ------------------------------------------------------- */

static int
connect_to(const char *text)
{
	const struct timeval limit = {.tv_sec = TIMEOUT_S};
	struct addr list[ADDR_LIST_MAX];
	struct addr_name name;
	const char *what = NULL;
	size_t count = 0;
	int fd;

	if (addr_parse(text, -1, &name, &what) != 0 ||
	    addr_resolve(&name, list, &count, &what) != 0)
		errx(2, "%s: %s", text, what);
	for (size_t i = 0; i < count; i++) {
		fd = socket(list[i].sa.ss_family, SOCK_STREAM, 0);
		if (fd < 0)
			continue;
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
		    sizeof(limit));
		if (connect(fd, (struct sockaddr *)&list[i].sa, list[i].len) ==
		    0)
			return fd;
		close(fd);
	}
	err(1, "%s", text);
}

static void
send_request(int fd, const struct api *api, const struct wire_request *header,
    const void *request)
{
	struct buf b;
	int rc;

	buf_init(&b, BYTES_MAX);
	rc = buf_add_32(&b, 0);
	if (rc == 0)
		rc = wire_request_encode(&b,
		    api_is_flexible(api, header->version), header);
	if (rc == 0)
		rc = wire_encode(api->request, header->version, request, &b,
		    NULL);
	if (rc != 0)
		errx(2, "%s: %s", api->name, status_text(rc));
	buf_put_32(b.data, (uint32_t)(b.len - 4));
	rc = io_write_full(fd, b.data, b.len);
	if (rc != 0)
		errx(EXIT_CLOSED, "%s", status_text(rc));
	buf_release(&b);
}

static void
receive(int fd, void *data, size_t len)
{
	ssize_t n;

	for (uint8_t *at = data; len > 0; at += n, len -= (size_t)n) {
		n = recv(fd, at, len, 0);
		if (n < 0)
			err(EXIT_CLOSED, "the answer");
		if (n == 0)
			errx(EXIT_CLOSED, "closed");
	}
}

static void
print_answer(const struct api *api, int16_t version, struct view v)
{
	bool flexible =
	    api->key != API_VERSIONS && api_is_flexible(api, version);
	void *out = take(1, api->response->body->size);
	int32_t correlation;
	int rc = wire_response_decode(&v, flexible, &correlation);

	if (rc == 0)
		rc = wire_decode(api->response, version, &v, &arena, out);
	if (rc != 0)
		errx(1, "the answer: %s", status_text(rc));
	if (correlation != CORRELATION || v.len > 0)
		errx(1, "the answer: correlation %d, %zu bytes too many",
		    (int)correlation, v.len);
	print_struct(api->response->body, version, out, "");
}

static const struct api *
find_api(const char *name)
{
	const struct api *api;

	for (size_t i = 0; (api = api_at(i)) != NULL; i++)
		if (strcmp(api->name, name) == 0)
			return api;
	errx(2, "%s: no such API", name);
}

int
main(int argc, char **argv)
{
	struct wire_request header = {.correlation = CORRELATION,
	    .client_id = bytes_of("call")};
	const struct api *api;
	uint8_t size[4], *answer;
	void *request;
	int64_t version;
	int fd;

	if (argc < 4 || parse_int(argv[3], 0, INT16_MAX, &version) != 0)
		errx(2, "usage: call ADDRESS API VERSION [FIELD=VALUE]...");
	arena_init(&arena, 2 * BYTES_MAX);
	api = find_api(argv[2]);
	header.key = api->key;
	header.version = (int16_t)version;
	request = take(1, api->request->body->size);
	wire_defaults(api->request, request);
	for (int i = 4; i < argc; i++)
		set_field(api->request->body, request, argv[i]);
	fd = connect_to(argv[1]);
	send_request(fd, api, &header, request);
	receive(fd, size, sizeof(size));
	answer = take(buf_get_32(size), 1);
	receive(fd, answer, buf_get_32(size));
	print_answer(api, header.version,
	    (struct view){answer, buf_get_32(size)});
	close(fd);
	arena_release(&arena);
	return fflush(stdout) == 0 ? 0 : 1;
}
