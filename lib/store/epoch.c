#include "store/epoch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/status.h"

enum {
	VERSION = 0,
	/* "2147483647 9223372036854775807\n" */
	LINE_MAX_LEN = 31,
	FILE_BYTES_MAX = (EPOCHS_MAX + 2) * (LINE_MAX_LEN + 1),
	NUMBERS_MAX = 2, /* on a line */
};

/* The text being read. */
struct text {
	const char *start;
	const char *pos;
	const char *end;
};

static int parse_file(struct text *t, struct epoch_list *list,
    const char **what);
static int append(struct epoch_list *list, int32_t epoch, int64_t start);

void
epoch_list_init(struct epoch_list *list)
{
	*list = (struct epoch_list){NULL, 0, 0};
}

void
epoch_list_release(struct epoch_list *list)
{
	free(list->entries);
	epoch_list_init(list);
}

int
epoch_read(int dirfd, struct epoch_list *list, struct fault *fault)
{
	struct buf b;
	struct text t;
	const char *what = "file is too large";
	int rc;

	list->count = 0;
	buf_init(&b, FILE_BYTES_MAX + 1);
	rc = io_read_file(dirfd, EPOCH_FILE, FILE_BYTES_MAX, &b);
	if (rc == STATUS_TOO_BIG)
		rc = status_fault(fault, STATUS_CORRUPT, EPOCH_FILE, 0, -1,
		    what);
	if (rc == 0) {
		t.start = t.pos = (const char *)b.data;
		t.end = t.start + b.len;
		rc = parse_file(&t, list, &what);
		if (rc == STATUS_CORRUPT || rc == STATUS_NEWER)
			status_fault(fault, rc, EPOCH_FILE, t.pos - t.start, -1,
			    what);
		if (rc != 0)
			list->count = 0;
	}
	buf_release(&b);
	return rc;
}

int
epoch_write(int dirfd, const struct epoch_list *list, mode_t mode, gid_t gid)
{
	struct buf b;
	int rc;

	/* One byte more: buf_addf() wants room for its NUL. */
	buf_init(&b, FILE_BYTES_MAX + 1);
	rc = buf_addf(&b, "%d\n%zu\n", VERSION, list->count);
	for (size_t i = 0; rc == 0 && i < list->count; i++)
		rc = buf_addf(&b, "%d %lld\n", list->entries[i].epoch,
		    (long long)list->entries[i].start);
	if (rc == 0)
		rc = io_replace_file(dirfd, EPOCH_FILE, b.data, b.len, mode,
		    gid);
	buf_release(&b);
	return rc;
}

int32_t
epoch_latest(const struct epoch_list *list)
{
	return list->count == 0 ? -1 : list->entries[list->count - 1].epoch;
}

int32_t
epoch_at(const struct epoch_list *list, int64_t offset)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list->entries[mid].start <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low == 0 ? -1 : list->entries[low - 1].epoch;
}

int
epoch_assign(struct epoch_list *list, int32_t epoch, int64_t start,
    bool *changed)
{
	const struct epoch_entry *last;
	size_t kept = list->count;
	int rc;

	if (epoch < 0 || start < 0)
		return EINVAL;
	*changed = false;
	if (kept > 0) {
		last = &list->entries[kept - 1];
		if (last->epoch == epoch && last->start <= start)
			return 0;
	}
	while (kept > 0 &&
	    (list->entries[kept - 1].epoch >= epoch ||
		list->entries[kept - 1].start >= start))
		kept--;
	/* An entry that went has left room, so this fails with nothing gone. */
	if (kept < list->count) {
		list->entries[kept] = (struct epoch_entry){epoch, start};
		list->count = kept + 1;
	} else {
		rc = append(list, epoch, start);
		if (rc != 0)
			return rc;
	}
	*changed = true;
	return 0;
}

bool
epoch_truncate_from(struct epoch_list *list, int64_t end)
{
	size_t kept = list->count;

	while (kept > 0 && list->entries[kept - 1].start >= end)
		kept--;
	if (kept == list->count)
		return false;
	list->count = kept;
	return true;
}

bool
epoch_truncate_to_start(struct epoch_list *list, int64_t start)
{
	size_t below = 0;

	while (below < list->count && list->entries[below].start <= start)
		below++;
	if (below == 0)
		return false;
	if (below == 1 && list->entries[0].start == start)
		return false;
	list->entries[below - 1].start = start;
	list->count -= below - 1;
	memmove(list->entries, list->entries + below - 1,
	    list->count * sizeof(list->entries[0]));
	return true;
}

void
epoch_end_offset(const struct epoch_list *list, int32_t epoch, int64_t log_end,
    int32_t *found, int64_t *end)
{
	size_t above = 0; /* of the first entry above epoch */
	size_t high = list->count;

	*found = -1;
	*end = -1;
	if (epoch < 0 || epoch > epoch_latest(list))
		return;
	if (epoch == epoch_latest(list)) {
		*found = epoch;
		*end = log_end;
		return;
	}
	while (above < high) {
		size_t mid = above + (high - above) / 2;

		if (list->entries[mid].epoch > epoch)
			high = mid;
		else
			above = mid + 1;
	}
	*found = above == 0 ? epoch : list->entries[above - 1].epoch;
	*end = list->entries[above].start;
}

static int
append(struct epoch_list *list, int32_t epoch, int64_t start)
{
	if (list->count >= EPOCHS_MAX)
		return STATUS_TOO_BIG;
	if (list->count == list->cap) {
		size_t cap = list->cap == 0 ? 16 : list->cap * 2;
		struct epoch_entry *entries =
		    realloc(list->entries, cap * sizeof(*entries));

		if (entries == NULL)
			return ENOMEM;
		list->entries = entries;
		list->cap = cap;
	}
	list->entries[list->count++] = (struct epoch_entry){epoch, start};
	return 0;
}

/* A decimal number of at most max at *p; moves *p behind it. */
static bool
parse_number(const char **p, const char *end, int64_t max, int64_t *out)
{
	int64_t n = 0;
	const char *s = *p;

	for (; s < end && *s >= '0' && *s <= '9'; s++) {
		int digit = *s - '0';

		if (n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (s == *p)
		return false;
	*p = s;
	*out = n;
	return true;
}

/*
 * A line of exactly count numbers, the last of at most max, those before it
 * int32.  STATUS_END: no more lines.
 */
static int
parse_line(struct text *t, int count, int64_t max, int64_t out[NUMBERS_MAX])
{
	const char *p = t->pos;
	const char *eol;

	if (p == t->end)
		return STATUS_END;
	eol = memchr(p, '\n', (size_t)(t->end - p));
	if (eol == NULL)
		eol = t->end;
	for (int i = 0; i < count; i++) {
		if (!parse_number(&p, eol, i == count - 1 ? max : INT32_MAX,
			&out[i]))
			return STATUS_CORRUPT;
		if (i < count - 1 && (p == eol || (*p != ' ' && *p != '\t')))
			return STATUS_CORRUPT;
		while (p < eol && (*p == ' ' || *p == '\t'))
			p++;
	}
	if (p < eol && *p == '\r')
		p++;
	if (p != eol)
		return STATUS_CORRUPT;
	t->pos = eol == t->end ? eol : eol + 1;
	return 0;
}

static int
parse_entries(struct text *t, int64_t count, struct epoch_list *list,
    const char **what)
{
	int64_t n[NUMBERS_MAX];
	int rc;

	for (int64_t i = 0; i < count; i++) {
		const char *line = t->pos;

		rc = parse_line(t, 2, INT64_MAX, n);
		if (rc != 0) {
			*what = rc == STATUS_END ? "fewer entries than it says"
						 : "not an epoch entry";
			return STATUS_CORRUPT;
		}
		if (i > 0 &&
		    (n[0] <= list->entries[i - 1].epoch ||
			n[1] <= list->entries[i - 1].start)) {
			t->pos = line;
			*what = "epochs do not ascend";
			return STATUS_CORRUPT;
		}
		rc = append(list, (int32_t)n[0], n[1]);
		if (rc != 0)
			return rc;
	}
	if (t->pos != t->end) {
		*what = "more entries than it says";
		return STATUS_CORRUPT;
	}
	return 0;
}

static int
parse_file(struct text *t, struct epoch_list *list, const char **what)
{
	int64_t n[NUMBERS_MAX];
	int rc = parse_line(t, 1, INT32_MAX, n);

	*what = "no version";
	if (rc != 0)
		return rc == STATUS_END ? 0 : rc;
	if (n[0] != VERSION) {
		*what = "unknown version";
		t->pos = t->start;
		return STATUS_NEWER;
	}
	rc = parse_line(t, 1, EPOCHS_MAX, n);
	*what = "no number of entries";
	if (rc != 0)
		return rc == STATUS_END ? 0 : rc;
	return parse_entries(t, n[0], list, what);
}
