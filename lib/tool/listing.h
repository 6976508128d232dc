#ifndef TOOL_LISTING_H
#define TOOL_LISTING_H

/*
 * A listing on stdout: aligned columns under a line of titles, or an object of
 * JSON per row.
 *
 * Cells are added one by one, row by row, in the order of the columns; a row
 * is whole when each column has one.  Text is kept until listing_print(),
 * since widths must be known; JSON is written as it comes.
 *
 * Prints, and exits if there is no memory; only programs call it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { LISTING_COLUMNS_MAX = 16 };

struct listing_column {
	const char *title;	/* NULL: in JSON only */
	const char *field;	/* its name in JSON */
};

struct listing {
	const struct listing_column
	    *columns; /* not owned; ends with no field */
	bool json;
	size_t column;		/* of the next cell */
	size_t width[LISTING_COLUMNS_MAX];
	bool right[LISTING_COLUMNS_MAX]; /* numbers are at the right */
	struct buf cells;	/* each ends with a NUL */
};

void listing_init(struct listing *l, const struct listing_column *columns,
    bool json);
void listing_release(struct listing *l);

/* The next cell: UTF-8 text; a number; a time in ms since 1970; none. */
void listing_text(struct listing *l, const char *text);
void listing_number(struct listing *l, int64_t n);
/*
 * Text shows the local time, or UTC with --utc, as TIME of logkit-spec(7),
 * JSON the number.  Below 0: none.
 */
void listing_time(struct listing *l, int64_t ms);
/* "-", or null. */
void listing_none(struct listing *l);

/*
 * Print what has not been printed; with a line of titles, or without.  Nothing
 * is printed where there is no row.
 */
void listing_print(struct listing *l, bool titles);

#endif
