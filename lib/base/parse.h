#ifndef BASE_PARSE_H
#define BASE_PARSE_H

/*
 * The small grammars of the command line and of topic.properties: numbers,
 * sizes, durations, times, positions, ranges, partition lists, escapes.
 * logkit-spec(7) tells them to users.
 *
 * Every function takes a whole string, returns 0 and sets its result, or
 * returns STATUS_SYNTAX (not of the grammar) or ERANGE (of it, but outside
 * the limits) and leaves the result as it was.  Nothing is skipped: blanks,
 * signs and trailing letters are errors unless the grammar has them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* A decimal number, with a leading minus if min is negative. */
int parse_int(const char *s, int64_t min, int64_t max, int64_t *out);

/* SIZE: digits, then nothing or one of K M G T (powers of 1024). */
int parse_size(const char *s, int64_t *bytes);

/* DUR: digits and one of ms s m h d w; "0" alone needs no unit.  In ms. */
int parse_duration(const char *s, int64_t *ms);

/*
 * TIME: 2026-01-31, 2026-01-31T12:00[:00[.123]] with T or a blank, followed
 * by nothing (local zone, or UTC if utc), Z, or +02:00; now, today,
 * yesterday; -2h (that long before now_ms); 1 to 11 digits (seconds) or 13
 * digits (ms) since 1970.  A day that does not exist is STATUS_SYNTAX.
 *
 * Second 60 is the first of the next minute; a fraction of any length is cut
 * to ms.  Of a local hour that comes twice (clocks set back) the first is
 * meant; one that is left out is read as if the clock had not been set yet.
 */
int parse_time(const char *s, int64_t now_ms, bool utc, int64_t *ms);

/* POS: one place in a log. */
enum position_kind {
	POSITION_START,		/* the first record kept */
	POSITION_END,		/* after the last one */
	POSITION_STORED,	/* where the group or cursor file is */
	POSITION_OFFSET,	/* n: an offset, in each partition */
	POSITION_BACK,		/* n: that many before the end */
	POSITION_TIME,		/* n: ms; the first record at or after it */
};

struct position {
	enum position_kind kind;
	int64_t n;
};

/* start | end | stored | N | -N | @TIME; -0 is the end. */
int parse_position(const char *s, int64_t now_ms, bool utc,
    struct position *out);

/*
 * RANGE: POS (= POS:) | POS: | :POS | POS:POS.  A missing first is the start,
 * a missing last the end; has_to tells whether a last was given.  After a
 * time the separator is ":@", or ":" before "end" or nothing; else it is the
 * first ":".  Whether the second comes after the first is not checked.
 */
struct range {
	struct position from;
	struct position to;	/* excluded */
	bool has_to;
};

int parse_range(const char *s, int64_t now_ms, bool utc, struct range *out);

/*
 * LIST of partitions: 0,2,5-7.  Ascending or not, twice or not: it is a set.
 * The struct with count 0 means all; an empty string is no list.  ERANGE for
 * a number from PARTITIONS_MAX on, and for more spans than there is room.
 */
struct partition_list {
	struct {
		int32_t first;
		int32_t last;	/* included */
	} spans[64];
	size_t count;
};

int parse_partitions(const char *s, struct partition_list *out);
/* Is partition p chosen? */
bool parse_partitions_has(const struct partition_list *list, int32_t p);

/*
 * Append s to out with \n \t \r \0 \\ \xHH as the bytes they stand for.
 * Any other letter after a backslash is STATUS_SYNTAX.  Errors of buf_add()
 * too; out is then as it was.
 */
int parse_escapes(const char *s, struct buf *out);

/*
 * ms since 1970 as YYYY-MM-DDTHH:MM:SS.mmmZ; returns its length.  A year after
 * 9999 has more digits, one before 0 a minus.
 */
#define PARSE_TIME_TEXT 40
size_t parse_time_text(int64_t ms, char out[PARSE_TIME_TEXT]);

/*
 * RFC 3339 date-time (the envelope's timestamp): seconds and zone required,
 * len bytes, otherwise as parse_time().
 */
int parse_rfc3339(const char *s, size_t len, int64_t *ms);

#endif
