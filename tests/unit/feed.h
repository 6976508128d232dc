#ifndef FEED_H
#define FEED_H

/*
 * Input for form_read() as a program gets it: piece by piece, in a buffer that
 * may end inside a record.
 *
 * What came of it is written down as text, one line each: a record as
 * "KEY VALUE", each null or LENGTH:BYTES, then "@TIMESTAMP" and "/PARTITION" if
 * there are; a bad record as "bad: WHY".
 */

#include "base/status.h"
#include "tap.h"
#include "text/form.h"

static inline void
feed_bytes(struct buf *log, struct bytes b)
{
	if (bytes_is_null(b)) {
		buf_add_str(log, "null");
		return;
	}
	buf_addf(log, "%d:", (int)b.len);
	buf_add(log, b.data, (size_t)b.len);
}

static inline void
feed_log(struct buf *log, const struct form_record *r)
{
	feed_bytes(log, r->rec.key);
	buf_add_str(log, " ");
	feed_bytes(log, r->rec.value);
	if (r->has_timestamp)
		buf_addf(log, " @%" PRId64, r->rec.timestamp);
	if (r->partition >= 0)
		buf_addf(log, " /%d", (int)r->partition);
	buf_add_str(log, "\n");
}

/*
 * Give f the input in pieces of random lengths up to piece_max (0: at once).
 * False: form_read() did what it may not.
 */
static inline bool
feed(struct form *f, const void *input, size_t len, size_t piece_max,
    struct buf *log)
{
	const uint8_t *next = input, *end = next + len;
	struct form_record r;
	struct buf in;
	bool eof = false, good = true;
	int stuck = 0;

	buf_init(&in, SIZE_MAX / 2);
	while (good) {
		size_t piece = (size_t)(end - next), used;
		/* Its own memory: the sanitizer sees a read beyond. */
		uint8_t *copy;
		const char *why = NULL;
		int rc =
		    form_read(f, copy = malloc(1), 0, false, &r, &used, &why);

		/* Nothing is there: nothing comes of it. */
		good = rc == STATUS_SHORT && used == 0;
		free(copy);
		if (piece_max > 0 && piece > 0 && piece > piece_max)
			piece = tap_random() % piece_max + 1;
		buf_add(&in, next, piece);
		next += piece;
		eof = piece == 0;
		copy = malloc(in.len > 0 ? in.len : 1);
		if (in.len > 0)
			memcpy(copy, in.data, in.len);
		for (size_t at = 0; good;) {
			rc = form_read(f, copy + at, in.len - at, eof, &r,
			    &used, &why);
			good = used <= in.len - at;
			at += used;
			stuck = used > 0         ? 0
			    : rc == STATUS_SHORT ? stuck
						 : stuck + 1;
			if (rc == 0)
				feed_log(log, &r);
			else if (rc == STATUS_SYNTAX || rc == STATUS_TOO_BIG)
				buf_addf(log, "bad: %s\n",
				    why == NULL ? "(null)" : why);
			if (rc == 0 || rc == STATUS_SYNTAX ||
			    rc == STATUS_TOO_BIG) {
				/* At most one bad record without progress. */
				good = good && (rc == 0 || why != NULL) &&
				    stuck < (rc == 0 ? 1 : 2);
				continue;
			}
			if (rc != (eof ? STATUS_END : STATUS_SHORT))
				good = false;
			if (at < in.len)
				memmove(in.data, in.data + at, in.len - at);
			in.len -= at;
			break;
		}
		free(copy);
		if (eof)
			break;
	}
	good = good && in.len == 0;
	buf_release(&in);
	return good;
}

/* What comes of input is want, at once and in pieces. */
static inline void
feed_check(struct form *f, const void *input, size_t len, const char *want)
{
	static const size_t pieces[] = {0, 1, 2, 3, 7, 7, 7, 50};
	struct buf log;
	bool good = true;

	buf_init(&log, SIZE_MAX / 2);
	for (size_t i = 0; good && i < sizeof(pieces) / sizeof(pieces[0]);
	     i++) {
		log.len = 0;
		good = feed(f, input, len, pieces[i], &log);
		good = good && log.len == strlen(want) &&
		    (log.len == 0 || memcmp(log.data, want, log.len) == 0);
		if (!good)
			fprintf(stderr, "# pieces of %zu: %.*s# want: %s\n",
			    pieces[i], (int)log.len, (char *)log.data, want);
	}
	tap(good, "%.*s", (int)strcspn(want, "\n"), want);
	buf_release(&log);
}

#endif
