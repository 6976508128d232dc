/*
 * How many envelopes a second one core writes and reads, best of seven.
 *
 *	envelope_bench [RECORDS]
 *
 * Three kinds of record, each about 120 bytes as a line: a plain string as
 * value, a JSON object embedded, a string with escapes.  Link it with
 * liblogkit.a.
 */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "text/envelope.h"

#define ROUNDS 7
#define LINES_BYTES_MAX ((size_t)1 << 30)

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
write_all(struct buf *out, const char *value, int64_t count)
{
	struct record rec = {.timestamp = 1795414032471,
	    .key = bytes_of("k42"),
	    .value = bytes_of(value)};

	out->len = 0;
	for (int64_t i = 0; i < count; i++) {
		rec.offset = i;
		rec.timestamp++;
		if (envelope_write(out, ENVELOPE_VALUE_AUTO, "t", 0, &rec) != 0)
			errx(1, "writing failed");
	}
}

static void
read_all(const struct buf *in, const char *value, int64_t count)
{
	struct envelope_reader r;
	struct envelope_record e;
	const uint8_t *p = in->data, *end = in->data + in->len;
	const char *why;
	int64_t n = 0;

	envelope_reader_init(&r);
	while (p < end) {
		const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));

		if (envelope_read(&r, p, (size_t)(nl - p), &e, &why) != 0 ||
		    !bytes_equal(e.rec.value, bytes_of(value)))
			errx(1, "reading failed");
		p = nl + 1;
		n++;
	}
	envelope_reader_release(&r);
	if (n != count)
		errx(1, "%" PRId64 " records came back", n);
}

static void
measure(const char *name, const char *value, int64_t count)
{
	double best_write = 1e9, best_read = 1e9;
	struct buf out;

	buf_init(&out, LINES_BYTES_MAX);
	for (int i = 0; i < ROUNDS; i++) {
		double t0 = seconds(), t1, t2;

		write_all(&out, value, count);
		t1 = seconds();
		read_all(&out, value, count);
		t2 = seconds();
		if (t1 - t0 < best_write)
			best_write = t1 - t0;
		if (t2 - t1 < best_read)
			best_read = t2 - t1;
	}
	printf("%-8s %4.0f bytes  write %6.2f  read %6.2f million/s\n", name,
	    (double)out.len / (double)count, (double)count / best_write / 1e6,
	    (double)count / best_read / 1e6);
	buf_release(&out);
}

int
main(int argc, char **argv)
{
	int64_t count = argc > 1 ? strtoll(argv[1], NULL, 10) : 200000;

	if (count <= 0)
		errx(2, "usage: envelope_bench [RECORDS]");
	measure("string", "GET /index.html 200 5120 Mozilla", count);
	measure("object", "{\"id\":1234,\"user\":\"ann\",\"ok\":true}", count);
	measure("escapes", "say \"hello\"\tand \"goodbye\"", count);
	return 0;
}
