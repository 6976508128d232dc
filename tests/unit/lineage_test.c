/* What a topic is a copy of, as text, and who may have the same log. */

#include "store/lineage.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/status.h"
#include "tap.h"

/* Ids of which all bytes are those numbers, up to 0. */
static void
make(struct lineage *l, const char *ids, const char *past)
{
	lineage_init(l);
	for (; *ids != '\0'; ids++)
		memset(l->ids[l->count++], *ids, LINEAGE_ID_LEN);
	for (; *past != '\0'; past++)
		memset(l->ids[l->count + l->past++], *past, LINEAGE_ID_LEN);
}

/* Read what lineage_add() has written. */
static int
read_back(const struct buf *text, struct lineage *out)
{
	char *copy = strndup((const char *)text->data, text->len);
	char *rest = copy, *line, *value;
	int rc = 0;

	lineage_init(out);
	while (rc == 0 && (line = strsep(&rest, "\n")) != NULL) {
		value = strchr(line, '=');
		if (value == NULL)
			continue;
		*value++ = '\0';
		rc = strncmp(line, LINEAGE_KEY, strlen(LINEAGE_KEY)) == 0
		    ? lineage_set(out, line + strlen(LINEAGE_KEY), value)
		    : STATUS_SYNTAX;
	}
	free(copy);
	return rc;
}

static void
test_text(const char *ids, const char *past)
{
	struct lineage l, back;
	struct buf text;

	make(&l, ids, past);
	buf_init(&text, 100000);
	if (lineage_add(&l, &text) != 0)
		abort();
	tap_int(read_back(&text, &back), 0, "\"%s\", \"%s\"", ids, past);
	tap(lineage_equal(&l, &back), "there and back");
	buf_release(&text);
}

static void
test_bad(void)
{
	char id[2 * LINEAGE_ID_LEN + 1] = "", number[16];
	struct lineage l;

	memset(id, 'a', sizeof(id) - 1);
	make(&l, "a", "");
	tap_int(lineage_set(&l, "0", id), STATUS_SYNTAX, "twice");
	tap_int(lineage_set(&l, "2", id), STATUS_SYNTAX, "not the next");
	tap_int(lineage_set(&l, "was.1", id), STATUS_SYNTAX, "nor of the past");
	tap_int(lineage_set(&l, "was.", id), STATUS_SYNTAX, "no number");
	tap_int(lineage_set(&l, "1", "abc"), STATUS_SYNTAX, "too short");
	id[5] = 'A';
	tap_int(lineage_set(&l, "1", id), STATUS_SYNTAX, "no digit");
	id[5] = 'a';
	tap_int(lineage_set(&l, "was.0", id), 0, "the past");
	tap_int(lineage_set(&l, "1", id), STATUS_SYNTAX, "is the end");
	tap(l.count == 1 && l.past == 1, "and no more");
	for (int i = 1; i < LINEAGE_MAX - 1; i++) {
		snprintf(number, sizeof(number), "was.%d", i);
		if (lineage_set(&l, number, id) != 0)
			abort();
	}
	snprintf(number, sizeof(number), "was.%d", LINEAGE_MAX - 1);
	tap_int(lineage_set(&l, number, id), STATUS_SYNTAX, "one too many");
}

static bool
related(const char *a, const char *a_past, const char *b, const char *b_past)
{
	struct lineage one, other;

	make(&one, a, a_past);
	make(&other, b, b_past);
	return lineage_related(&one, &other) && lineage_related(&other, &one);
}

static void
test_related(void)
{
	struct lineage l, none;

	tap(related("a", "", "ba", ""), "a copy");
	tap(related("a", "", "b", "a"), "one that was promoted");
	tap(related("c", "a", "b", "a"), "two of them");
	tap(!related("a", "", "b", ""), "others are not");
	make(&l, "a", "");
	make(&none, "", "");
	tap(lineage_related(&l, &none), "of none nothing is known");
	make(&none, "b", "c");
	tap(!lineage_equal(&l, &none), "not equal");
	make(&none, "a", "c");
	tap(!lineage_equal(&l, &none), "nor with a past");
}

int
main(void)
{
	test_text("", "");
	test_text("a", "");
	test_text("abc", "");
	test_text("a", "b");
	test_text("abcdefghijklmnop", "ABCDEFGHIJKLMNOP");
	test_bad();
	test_related();
	return tap_done();
}
