/*
 * A model of power cuts.
 *
 * Real programs run with record_preload.so, which notes their calls.  From the
 * notes follows, for each moment, what a disk may hold if the power goes then:
 * what was synced, and of the rest any part.
 *
 *	of a write	any of its pieces of 512 or 4096 bytes, in any order
 *	of a size	any it had since the last sync; what was not written
 *			is zero, or junk
 *	of names	any of the directory's changes since its last sync, in
 *			any order; a rename is one change
 *
 * Such states are made, at random, and judged by the library: what was
 * acknowledged is there, at its offset; nothing else is that was not sent; a
 * reader meets no error before or after recovery; a group is where it
 * committed, or further; the next append succeeds;
 * logfsck's check finds nothing wrong then; and so again after that.
 *
 *	POWER_STATES=20000	states, over all workloads
 *	POWER_ONLY=NAME		that workload alone
 *	POWER_KEEP=1		leave the state that was wrong, and stop
 *	TAP_SEED=N		repeats a run (but for what processes that run
 *				at the same time do)
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/check.h"
#include "store/groups.h"
#include "store/partition.h"
#include "store/reader.h"
#include "store/segment.h"
#include "store/topic.h"
#include "../unit/tap.h"
#include "trace.h"

enum {
	WRITERS = 64,		/* from 40 on they do not sync */
	RELAXED = 40,
	JUDGE = 63,		/* appends to what was made */
	EVENTS = 2000,		/* of a writer at most */
	KEYS = 40,
	TELLER = 99,		/* its output is a mark */
	COMMITTED_MAX = 95,	/* the group's last position */
	NODES = 4096,
	STATE_BYTES_MAX = 1 << 22,
};

struct name {
	char text[64];
	uint64_t inode;
};

/* A file or directory: as it is on the device, and what may be. */
struct node {
	uint64_t inode;
	bool is_dir;
	uint8_t *data;
	size_t len;
	struct name *names;
	size_t name_count;
	size_t *pending;	/* entries of the trace */
	size_t pending_count, pending_cap;
	size_t begun[TELLER + 1]; /* a sync, by writer: up to that entry */
	uint64_t made;		/* its inode in the state */
};

struct workload {
	const char *name;
	const char *script;
};

static const struct workload workloads[] = {
    {"append",
	"rec 0 logcreate --segment-bytes 4K t; say created\n"
	"for w in 1 2 3; do\n"
	"	feed $w 70 | rec $w logappend --report --fsync always "
	"--batch-bytes 350 t\n"
	"done\n"},
    {"batch",
	"rec 0 logcreate --segment-bytes 16K t; say created\n"
	"for w in 1 2 3 4; do\n"
	"	feed $w 60 | rec $w logappend --report --batch-bytes 900 t\n"
	"done\n"},
    {"together",
	"rec 0 logcreate --segment-bytes 4K t; say created\n"
	"for w in 1 2 3; do\n"
	"	feed $w 60 | rec $w logappend --report --fsync always "
	"--batch-bytes 300 t &\n"
	"done\n"
	"wait\n"},
    {"relaxed",
	"rec 0 logcreate --segment-bytes 4K t; say created\n"
	"feed 1 40 | rec 1 logappend --report --fsync always "
	"--batch-bytes 350 t\n"
	"feed 40 60 | rec 40 logappend --fsync none --batch-bytes 350 t\n"
	"feed 2 40 | rec 2 logappend --report --batch-bytes 350 t\n"
	"feed 41 60 | rec 41 logappend --fsync none --batch-bytes 350 t\n"},
    {"recover",
	"logcreate --segment-bytes 4K t\n"
	"feed 1 50 | RECORD_TRACE=/dev/null logappend --batch-bytes 350 t\n"
	"head -c 700 /dev/urandom >>\"$(ls t/0/*.log | tail -n 1)\"\n"
	"start; say created\n"
	"feed 2 60 | rec 2 logappend --report --fsync always "
	"--batch-bytes 350 t\n"},
    {"compact",
	"rec 0 logcreate --compact --segment-bytes 4K t; say created\n"
	"feed 1 120 | rec 1 logappend -K : --report --batch-bytes 900 t\n"
	"say compact\n"
	"rec 0 logcompact --include-active t\n"
	"feed 2 60 | rec 2 logappend -K : --report --batch-bytes 900 t\n"
	"rec 0 logcompact --include-active t\n"
	"feed 3 10 | rec 3 logappend -K : --report --fsync always t\n"},
    {"before",
	"rec 0 logcreate --segment-bytes 4K t; say created\n"
	"feed 1 120 | rec 1 logappend --report --batch-bytes 900 t\n"
	"say before 77; rec 0 logcompact --before 77 t; say gone 77\n"
	"feed 2 60 | rec 2 logappend --report --batch-bytes 900 t\n"
	"say before 130; rec 0 logcompact --before 130 t; say gone 130\n"
	"feed 3 5 | rec 3 logappend --report t\n"},
    {"repair",
	"logcreate --segment-bytes 4K t\n"
	"feed 1 100 | logappend --batch-bytes 350 t >/dev/null\n"
	"rm t/0/*.timeindex; for f in t/0/*.index; do echo junk >$f; done\n"
	"start; say created; say damaged\n"
	"rec 0 logfsck -y t || [ $? = 1 ]; say repaired\n"
	"feed 2 60 | rec 2 logappend --report --fsync always "
	"--batch-bytes 350 t\n"},
    {"first",
	"feed 1 3 | rec 1 logappend --report --create t; say created\n"
	"feed 2 3 | rec 2 logappend --report t\n"
	"feed 3 3 | rec 3 logappend --report t\n"},
    /* What a copy has is acknowledged when logreplicate has ended. */
    {"replica",
	"logcreate --segment-bytes 4K ../a\n"
	"for w in 1 2 3; do\n"
	"	feed $w 60 | logappend --report --batch-bytes 350 ../a "
	">../acks\n"
	"	rec 0 logreplicate ../a t\n"
	"	rec $w /bin/echo \"$(cat ../acks)\"; say created\n"
	"done\n"},
    {"group",
	"rec 0 logcreate --segment-bytes 4K t; say created\n"
	"feed 1 100 | rec 1 logappend --report --batch-bytes 900 t\n"
	"for n in 15 30 45 60 75 90; do\n"
	"	rec 0 logcat -g g -c 15 t >/dev/null; say group $n\n"
	"done\n"
	"rec 0 logadmin group seek t g -o 95; say group 95\n"
	"feed 2 6 | rec 2 logappend --report t\n"},
};

static const char prologue[] =
    "rec() { local w=$1; shift; RECORD_WRITER=$w RECORD_TRACE=$TRACE \\\n"
    "    LD_PRELOAD=$RECORD \"$@\"; }\n"
    "feed() { awk -v w=\"$1\" -v n=\"$2\" -v keys=40 'BEGIN {\n"
    "	for (i = 1; i <= n; i++) {\n"
    "		s = sprintf(\"k%d:%d %d \", (i * 7 + w) % keys, w, i)\n"
    "		for (k = 0; k < (i * 13 + w) % 90; k++)\n"
    "			s = s \"x\"\n"
    "		print s\n"
    "	}\n"
    "}'; }\n"
    "say() { rec 99 /bin/echo \"$@\"; }\n"
    "start() { cp -a t \"$TRACE.start\"; ls -iR t >\"$TRACE.inodes\"; }\n"
    "set -e; set -o pipefail\n";

static uint8_t *trace;
static size_t trace_len;
static size_t *entries, entry_count;
static struct node *nodes[NODES];
static size_t node_count;
static char work[PATH_MAX];
static const struct workload *current;

/* What is known of the events. */
static int64_t acked[WRITERS][EVENTS];
static int acked_count[WRITERS];
static int64_t present[WRITERS][EVENTS];
static bool created, compacting, damaged;
static int64_t may_go, is_gone, last_sent, committed;
static char why[512];

static bool __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	return false;
}

/* WORK/NAME, or DIR/NAME; the result is used before the next but three. */
static const char *
path_in(const char *dir, const char *name)
{
	static char paths[4][PATH_MAX];
	static int next;
	char made[PATH_MAX];

	if (snprintf(made, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		abort();
	return strcpy(paths[next++ % 4], made);
}

static int
chance(int percent)
{
	return (int)(tap_random() % 100) < percent;
}

static size_t
below(size_t n)
{
	return (size_t)(tap_random() % n);
}

/* --- the trace, and the model of the disk ---------------------------------- */

static const struct trace_entry *
entry(size_t i)
{
	return (const struct trace_entry *)(const void *)(trace + entries[i]);
}

static const char *
entry_name(const struct trace_entry *e)
{
	return (const char *)(e + 1);
}

static const uint8_t *
entry_data(const struct trace_entry *e)
{
	return (const uint8_t *)(e + 1) + e->name_len;
}

static void *
grown(void *p, size_t size)
{
	p = realloc(p, size > 0 ? size : 1);
	if (p == NULL)
		abort();
	return p;
}

static struct node *
find_node(uint64_t inode)
{
	/* The newest first: inodes are used again. */
	for (size_t i = node_count; i > 0; i--)
		if (nodes[i - 1]->inode == inode)
			return nodes[i - 1];
	return NULL;
}

static struct node *
add_node(uint64_t inode, bool is_dir)
{
	struct node *n = calloc(1, sizeof(*n));

	if (n == NULL || node_count == NODES)
		abort();
	n->inode = inode;
	n->is_dir = is_dir;
	return nodes[node_count++] = n;
}

static void
forget_all(void)
{
	for (size_t i = 0; i < node_count; i++) {
		free(nodes[i]->data);
		free(nodes[i]->names);
		free(nodes[i]->pending);
		free(nodes[i]);
	}
	node_count = 0;
}

/* A number that stands for a node as long as the trace: not its inode. */
static uint64_t
id_of(const struct node *n)
{
	for (size_t i = 0; i < node_count; i++)
		if (nodes[i] == n)
			return i + 1;
	return 0;
}

static void
set_name(struct name **names, size_t *count, const char *text, size_t len,
    uint64_t id)
{
	struct name *n = *names;
	size_t i;

	for (i = 0; i < *count; i++)
		if (strlen(n[i].text) == len &&
		    memcmp(n[i].text, text, len) == 0)
			break;
	if (id == 0) {
		if (i < *count)
			n[i] = n[--*count];
		return;
	}
	if (i == *count) {
		*names = n = grown(n, (*count + 1) * sizeof(*n));
		++*count;
		memset(&n[i], 0, sizeof(n[i]));
		memcpy(n[i].text, text, len < 63 ? len : 63);
	}
	n[i].inode = id;
}

/* Names carry node numbers; the trace has inodes, true at its time. */
static uint64_t *entry_ids;
static bool *entry_settled;	/* on the device, in one directory at least */

static void
apply_name(const struct node *dir, struct name **names, size_t *count,
    size_t index)
{
	const struct trace_entry *e = entry(index);

	switch (e->kind) {
	case TRACE_CREATE:
	case TRACE_MKDIR:
		set_name(names, count, entry_name(e), e->name_len,
		    entry_ids[index]);
		break;
	case TRACE_UNLINK:
		set_name(names, count, entry_name(e), e->name_len, 0);
		break;
	case TRACE_RENAME:
		if (dir->inode == e->dir)
			set_name(names, count, entry_name(e), e->name_len, 0);
		if (dir->inode == e->dir2)
			set_name(names, count, (const char *)entry_data(e),
			    e->data_len, entry_ids[index]);
		break;
	}
}

static void
put_bytes(uint8_t **data, size_t *len, size_t pos, const uint8_t *from,
    size_t n)
{
	if (pos + n > *len) {
		*data = grown(*data, pos + n);
		memset(*data + *len, 0, pos + n - *len);
		*len = pos + n;
	}
	memcpy(*data + pos, from, n);
}

static void
apply_data(struct node *n, const struct trace_entry *e)
{
	if (e->kind == TRACE_WRITE) {
		put_bytes(&n->data, &n->len, (size_t)e->pos, entry_data(e),
		    e->data_len);
		return;
	}
	if ((size_t)e->pos > n->len) {
		n->data = grown(n->data, (size_t)e->pos);
		memset(n->data + n->len, 0, (size_t)e->pos - n->len);
	}
	n->len = (size_t)e->pos;
}

static void
add_pending(struct node *n, size_t index)
{
	if (n->pending_count == n->pending_cap) {
		n->pending_cap = n->pending_cap * 2 + 16;
		n->pending =
		    grown(n->pending, n->pending_cap * sizeof(*n->pending));
	}
	n->pending[n->pending_count++] = index;
}

/* What was pending when the sync began is on the device. */
static void
settle(struct node *n, size_t before)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->pending_count; i++) {
		size_t index = n->pending[i];

		if (index >= before) {
			n->pending[kept++] = index;
			continue;
		}
		entry_settled[index] = true;
		if (n->is_dir)
			apply_name(n, &n->names, &n->name_count, index);
		else
			apply_data(n, entry(index));
	}
	n->pending_count = kept;
}

static void
hear_report(const struct trace_entry *e)
{
	const char *p = (const char *)entry_data(e), *end = p + e->data_len;

	while (p < end) {
		long long offset;
		const char *line = p;

		p = memchr(p, '\n', (size_t)(end - p));
		if (p == NULL)
			break;
		p++;
		if (sscanf(line, "%*[^\t]\t%*d\t%lld", &offset) == 1 &&
		    e->writer < WRITERS && acked_count[e->writer] < EVENTS)
			acked[e->writer][acked_count[e->writer]++] = offset;
	}
}

static void
hear_mark(const struct trace_entry *e)
{
	char text[64] = "";
	long long n;

	memcpy(text, entry_data(e), e->data_len < 63 ? e->data_len : 63);
	if (strncmp(text, "created", 7) == 0)
		created = true;
	else if (strncmp(text, "compact", 7) == 0)
		compacting = true;
	else if (strncmp(text, "damaged", 7) == 0)
		damaged = true;
	else if (strncmp(text, "repaired", 8) == 0)
		damaged = false;
	else if (sscanf(text, "before %lld", &n) == 1)
		may_go = n;
	else if (sscanf(text, "gone %lld", &n) == 1)
		is_gone = n;
	else if (sscanf(text, "group %lld", &n) == 1)
		committed = n;
}

/* The next entry happens. */
static void
advance(size_t index)
{
	const struct trace_entry *e = entry(index);
	struct node *n, *dir;

	switch (e->kind) {
	case TRACE_CREATE:
	case TRACE_MKDIR:
		dir = find_node(e->dir);
		if (dir == NULL)
			return;
		n = add_node(e->inode, e->kind == TRACE_MKDIR);
		entry_ids[index] = id_of(n);
		add_pending(dir, index);
		break;
	case TRACE_RENAME:
	case TRACE_UNLINK:
		dir = find_node(e->dir);
		if (dir == NULL)
			return;
		if (e->kind == TRACE_RENAME) {
			entry_ids[index] = id_of(find_node(e->inode));
			if (e->dir != e->dir2 && find_node(e->dir2) != NULL)
				add_pending(find_node(e->dir2), index);
		}
		add_pending(dir, index);
		break;
	case TRACE_WRITE:
	case TRACE_TRUNCATE:
		n = find_node(e->inode);
		if (n != NULL)
			add_pending(n, index);
		break;
	case TRACE_SYNC_BEGIN:
	case TRACE_SYNC_END:
		n = find_node(e->inode);
		if (n == NULL)
			return;
		if (e->kind == TRACE_SYNC_BEGIN)
			n->begun[e->writer] = index;
		else
			settle(n, n->begun[e->writer]);
		break;
	case TRACE_OUTPUT:
		if (e->writer == TELLER)
			hear_mark(e);
		else
			hear_report(e);
		break;
	}
}

/* --- a state that may be --------------------------------------------------- */

struct choice {
	int data;		/* percent of pieces that were written */
	int names;		/* percent of changes of names */
	size_t piece;
	bool in_order;		/* names: the first ones, not any */
	size_t first;
	uint64_t salt;
	bool junk;
	bool copied;		/* restored from such a disk: other inodes */
};

static struct choice
choose(size_t at)
{
	static const int percents[] = {0, 0, 10, 50, 90, 100, 100};

	return (struct choice){
	    .data = percents[below(7)],
	    .names = percents[below(7)],
	    .piece = chance(50) ? 512 : 4096,
	    .in_order = chance(50),
	    .first = below(at + 2),
	    .salt = tap_random(),
	    .junk = chance(20),
	    .copied = chance(10),
	};
}

/* The sizes that the file had since the last sync: one of them. */
static size_t
choose_size(const struct node *n)
{
	size_t pick = below(n->pending_count + 1), size = n->len, len = n->len;

	if (chance(50))
		pick = n->pending_count;
	for (size_t i = 0; i < pick; i++) {
		const struct trace_entry *e = entry(n->pending[i]);

		if (e->kind == TRACE_TRUNCATE)
			len = (size_t)e->pos;
		else if ((size_t)e->pos + e->data_len > len)
			len = (size_t)e->pos + e->data_len;
		size = len;
	}
	return size;
}

/* Bytes [pos, stop) of the file after the first of its pending calls. */
static void
fill_piece(const struct node *n, size_t calls, uint8_t *data, size_t pos,
    size_t stop)
{
	for (size_t i = 0; i < calls; i++) {
		const struct trace_entry *e = entry(n->pending[i]);
		size_t from = (size_t)e->pos, to = from + e->data_len;

		if (e->kind == TRACE_TRUNCATE) {
			if (from < stop)
				memset(data + (from > pos ? from : pos), 0,
				    stop - (from > pos ? from : pos));
			continue;
		}
		if (from < pos)
			from = pos;
		if (to > stop)
			to = stop;
		if (from < to)
			memcpy(data + from,
			    entry_data(e) + (from - (size_t)e->pos), to - from);
	}
}

/* A piece is as it was at some moment, whatever others are. */
static uint8_t *
choose_content(const struct node *n, const struct choice *c, size_t *len)
{
	size_t size = choose_size(n);
	uint8_t *data = grown(NULL, size + 1);

	for (size_t i = 0; i < size; i++)
		data[i] = i < n->len ? n->data[i]
		    : c->junk        ? (uint8_t)tap_random()
				     : 0;
	for (size_t pos = 0; pos < size && n->pending_count > 0;
	     pos += c->piece)
		fill_piece(n,
		    chance(c->data) ? n->pending_count
				    : below(n->pending_count + 1),
		    data, pos, pos + c->piece < size ? pos + c->piece : size);
	*len = size;
	return data;
}

/* The same in both directories of a rename. */
static bool
is_chosen(const struct choice *c, size_t index)
{
	uint64_t x = (c->salt + index) * UINT64_C(0x9e3779b97f4a7c15);

	if (entry_settled[index])
		return true;
	if (c->in_order)
		return index < c->first;
	x ^= x >> 31;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	return (int)((x >> 33) % 100) < c->names;
}

static struct name *
choose_names(const struct node *n, const struct choice *c, size_t *count)
{
	struct name *names = grown(NULL, n->name_count * sizeof(*names));

	*count = n->name_count;
	if (n->name_count > 0)
		memcpy(names, n->names, n->name_count * sizeof(*names));
	for (size_t i = 0; i < n->pending_count; i++)
		if (is_chosen(c, n->pending[i]))
			apply_name(n, &names, count, n->pending[i]);
	return names;
}

static bool
write_file(const char *path, const uint8_t *data, size_t len, uint64_t *inode)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 ||
	    write(fd, data, len) != (ssize_t)len)
		return false;
	*inode = st.st_ino;
	return close(fd) == 0;
}

/* Its inodes are those of the state's files; the machine has been off. */
static void
patch_state(const char *path)
{
	uint8_t page[STATE_PAGE_LEN];
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int k = 0; k < 2; k++) {
		off_t pos = k * STATE_SLOT_B;
		struct state s;
		struct node *n;

		if (pread(fd, page, STATE_SLOT_LEN, pos) != STATE_SLOT_LEN ||
		    state_decode(page, &s) != 0)
			continue;
		n = find_node(s.inode);
		if (s.inode != 0)
			s.inode = n == NULL ? UINT64_MAX : n->made;
		n = find_node((uint64_t)s.state_inode);
		s.state_inode = n == NULL ? INT64_MAX : (int64_t)n->made;
		s.boot_id[0] ^= 1;
		state_encode(&s, page);
		if (pwrite(fd, page, STATE_SLOT_LEN, pos) != STATE_SLOT_LEN)
			abort();
	}
	close(fd);
}

static bool
make_dir(struct node *dir, const char *path, const struct choice *c)
{
	size_t count, len;
	struct name *names = choose_names(dir, c, &count);
	char below_it[PATH_MAX];
	uint8_t *data;
	bool ok = mkdir(path, 0755) == 0;

	for (size_t i = 0; ok && i < count; i++) {
		struct node *n = nodes[names[i].inode - 1];

		if (snprintf(below_it, sizeof(below_it), "%s/%s", path,
			names[i].text) >= PATH_MAX)
			abort();
		if (n->is_dir) {
			ok = make_dir(n, below_it, c);
			continue;
		}
		data = choose_content(n, c, &len);
		ok = write_file(below_it, data, len, &n->made);
		free(data);
	}
	free(names);
	(void)snprintf(below_it, sizeof(below_it), "%s/partition.state", path);
	if (ok && !c->copied)
		patch_state(below_it);
	return ok;
}

/* --- judging it ------------------------------------------------------------ */

static bool
see_record(const struct record *r)
{
	char text[256], want[256];
	int w, i, len;
	char *at;

	if (r->value.len < 3 || r->value.len > 200)
		return wrong("a value of %d bytes", (int)r->value.len);
	memcpy(text, r->value.data, (size_t)r->value.len);
	text[r->value.len] = '\0';
	/* With -K the key is apart. */
	at = *text == 'k' ? strchr(text, ':') : NULL;
	at = at == NULL ? text : at + 1;
	if (sscanf(at, "%d %d", &w, &i) != 2 || w < 1 || w >= WRITERS ||
	    i < 1 || i > EVENTS)
		return wrong("forged at %lld: %s", (long long)r->offset, text);
	if (w != JUDGE) {
		len = sprintf(want, "%d %d ", w, i);
		for (int k = 0; k < (i * 13 + w) % 90; k++)
			want[len++] = 'x';
		want[len] = '\0';
		if (strcmp(at, want) != 0)
			return wrong("forged at %lld: %s", (long long)r->offset,
			    text);
	}
	if (w != JUDGE && r->offset > last_sent)
		last_sent = r->offset;
	if (present[w][i - 1] >= 0 && w != JUDGE)
		return wrong("%d %d is there twice", w, i);
	present[w][i - 1] = r->offset;
	return true;
}

static bool
see_batch(const uint8_t *data, const struct batch *b, int64_t start,
    int64_t *next)
{
	struct batch_records it;
	struct record r;
	struct buf scratch;
	bool ok = true;
	int rc;

	buf_init(&scratch, STATE_BYTES_MAX);
	rc = batch_records_init(&it, data, b, &scratch);
	while (ok && rc == 0 && (rc = batch_records_next(&it, &r)) == 0) {
		if (r.offset < *next ||
		    (!compacting && *next >= 0 && r.offset != *next &&
			*next > may_go))
			ok = wrong("offset %lld where %lld is next",
			    (long long)r.offset, (long long)*next);
		*next = r.offset + 1;
		/* The batch at the log start has deleted ones, too. */
		ok = ok && (r.offset < start || see_record(&r));
	}
	buf_release(&scratch);
	if (ok && rc != STATUS_END)
		return wrong("records: %s", status_text(rc));
	return ok;
}

static bool
is_superseded(int w, int i)
{
	int key = ((i + 1) * 7 + w) % KEYS;

	if (!compacting)
		return false;
	for (int v = 1; v < RELAXED; v++)
		for (int k = 0; k < EVENTS; k++)
			if (present[v][k] > acked[w][i] &&
			    ((k + 1) * 7 + v) % KEYS == key)
				return true;
	return false;
}

static bool
judge_events(void)
{
	for (int w = 1; w < RELAXED; w++)
		for (int i = 0; i < acked_count[w]; i++) {
			int64_t offset = acked[w][i];

			if (present[w][i] == offset)
				continue;
			if (present[w][i] >= 0)
				return wrong("%d %d is at %lld, not %lld", w,
				    i + 1, (long long)present[w][i],
				    (long long)offset);
			if (offset >= may_go && !is_superseded(w, i))
				return wrong("%d %d is lost, offset %lld", w,
				    i + 1, (long long)offset);
		}
	for (int w = 1; w < WRITERS; w++)
		for (int i = 0; i < EVENTS && is_gone > 0; i++)
			if (present[w][i] >= 0 && present[w][i] < is_gone)
				return wrong("offset %lld is back",
				    (long long)present[w][i]);
	return true;
}

/* The first record of the batch at or behind an offset. */
static int64_t
first_behind(const uint8_t *data, const struct batch *b, int64_t offset)
{
	struct batch_records it;
	struct record r;
	struct buf scratch;
	int64_t found = -1;

	buf_init(&scratch, STATE_BYTES_MAX);
	if (batch_records_init(&it, data, b, &scratch) == 0)
		while (found < 0 && batch_records_next(&it, &r) == 0)
			if (r.offset >= offset)
				found = r.offset;
	buf_release(&scratch);
	return found;
}

/* Going to an offset, by whatever indexes there are. */
static bool
judge_seek(struct reader *r, int64_t offset, struct fault *f)
{
	int64_t start = reader_offsets(r)->log_start;
	int64_t want = -1, got = -1;
	const uint8_t *data;
	struct batch b;
	int rc;

	if (offset < start)
		offset = start;
	for (int w = 1; w < WRITERS; w++)
		for (int i = 0; i < EVENTS; i++)
			if (present[w][i] >= offset &&
			    (want < 0 || present[w][i] < want))
				want = present[w][i];
	rc = reader_seek(r, offset, NULL, f);
	while (rc == 0 && got < 0 && (rc = reader_next(r, &b, &data, f)) == 0)
		got = first_behind(data, &b, offset);
	/* Of the judge's own events only the last one is known. */
	if (want != got && (rc == 0 || want >= 0) &&
	    (got < 0 || got <= last_sent))
		return wrong("from %lld on the first is %lld, not %lld: %s",
		    (long long)offset, (long long)got, (long long)want,
		    rc == 0 ? "" : status_text(rc));
	return true;
}

static bool
judge_reading(const char *path)
{
	struct fault f = {.what = NULL};
	struct partition *p = NULL;
	struct reader *r = NULL;
	const uint8_t *data;
	int64_t next = -1;
	struct batch b;
	bool ok = true;
	int rc;

	memset(present, 0xff, sizeof(present));
	last_sent = -1;
	rc = partition_open(path, PARTITION_READ, &partition_defaults, &p, &f);
	if (rc == 0)
		rc = reader_open(p, 0, 0, &r, &f);
	while (ok && rc == 0 && (rc = reader_next(r, &b, &data, &f)) == 0)
		ok = see_batch(data, &b, reader_offsets(r)->log_start, &next);
	if (ok && rc != STATUS_END)
		ok = wrong("reading: %s, %s at %lld, offset %lld: %s",
		    status_text(rc), f.file, (long long)f.pos,
		    (long long)f.offset, f.what == NULL ? "" : f.what);
	for (int k = 0; ok && k < 3 && next > 0; k++)
		ok = judge_seek(r, (int64_t)below((size_t)next), &f);
	reader_close(r);
	partition_close(p);
	return ok && judge_events();
}

/* A copy is one no more: what failover makes of it. */
static int
promote(struct partition *p, struct fault *f)
{
	enum state_role role;
	int rc = partition_role(p, &role);

	return rc == 0 && role == STATE_ROLE_REPLICA
	    ? partition_set_role(p, STATE_ROLE_OPEN, f)
	    : rc;
}

static bool
judge_append(const char *path)
{
	struct record rec = {.timestamp = 1};
	struct partition_append a = {.expect = -1};
	struct fault f = {.what = NULL};
	struct partition *p = NULL;
	struct batch_builder bb;
	const uint8_t *data = NULL;
	size_t len = 0;
	int rc;

	rec.key = bytes_of("k0");
	rec.value = bytes_of("63 1 appended");
	batch_builder_init(&bb, CODEC_NONE, 0, 4096);
	rc = batch_builder_add(&bb, &rec);
	if (rc == 0)
		rc = batch_builder_finish(&bb, &data, &len);
	a.data = (uint8_t *)(uintptr_t)data;
	a.len = len;
	if (rc == 0)
		rc = partition_open(path, PARTITION_WRITE, &partition_defaults,
		    &p, &f);
	if (rc == 0)
		rc = promote(p, &f);
	if (rc == 0)
		rc = partition_append(p, &a, &f);
	if (rc == 0)
		rc = partition_sync(p, &f);
	partition_close(p);
	batch_builder_release(&bb);
	if (rc != 0)
		return wrong("appending: %s, %s at %lld: %s", status_text(rc),
		    f.file, (long long)f.pos, f.what == NULL ? "" : f.what);
	return true;
}

static bool
judge_check(const char *path)
{
	struct fault f = {.what = NULL};
	struct partition *p = NULL;
	struct check c;
	char name[CHECK_NAME_LEN];
	bool ok = true;
	int rc;

	check_init(&c);
	rc = partition_open(path, PARTITION_READ, &partition_defaults, &p, &f);
	if (rc == 0)
		rc = check_run(p, true, &c, &f);
	if (rc != 0)
		ok = wrong("checking: %s", status_text(rc));
	else if (c.count > 0) {
		check_name(&c.findings[0], name);
		ok = wrong("check: %s at %lld: %s", name,
		    (long long)c.findings[0].pos, c.findings[0].what);
	}
	partition_close(p);
	check_release(&c);
	return ok;
}

/* The group's position, as who reads or who writes finds it. */
static bool
judge_position(const char *path, const struct topic *t, bool write,
    int64_t least, int64_t most)
{
	struct groups_entry next = {"g", 0, COMMITTED_MAX + 1, -1, 0,
	    BYTES_NULL};
	const struct groups_entry *e;
	struct groups *g = NULL;
	struct fault f = {.what = NULL};
	int rc = groups_open(path, t, write, &g, &f);
	int64_t offset;

	if (rc != 0)
		return wrong("groups: %s, %s", status_text(rc), f.file);
	e = groups_find(g, "g", 0);
	offset = e == NULL ? 0 : e->offset;
	if (write)
		rc = groups_commit(g, "g", &next, 1, &f);
	groups_close(g);
	if (rc != 0)
		return wrong("committing: %s, %s", status_text(rc), f.file);
	return (offset >= least && offset <= most) ||
	    wrong("position %lld, committed %lld", (long long)offset,
		(long long)least);
}

static bool
judge_groups(const char *topic, const struct topic *t)
{
	const int64_t next = COMMITTED_MAX + 1;

	return judge_position(topic, t, false, committed, COMMITTED_MAX) &&
	    judge_position(topic, t, true, committed, COMMITTED_MAX) &&
	    judge_position(topic, t, false, next, next) &&
	    judge_check(path_in(topic, GROUPS_DIR));
}

static bool
judge(const char *path)
{
	char topic[PATH_MAX], partition[PATH_MAX];
	struct topic t;
	struct fault f;
	bool ok = true;
	int rc;

	strcpy(topic, path_in(path, "t"));
	strcpy(partition, path_in(topic, "0"));
	rc = topic_open(topic, &t, &f);
	if (rc != 0)
		return !created || wrong("topic: %s", status_text(rc));
	if (strcmp(current->name, "group") == 0)
		ok = judge_groups(topic, &t);
	topic_close(&t);
	return ok && judge_reading(partition) && judge_append(partition) &&
	    judge_reading(partition) && judge_append(partition) &&
	    judge_reading(partition) && (damaged || judge_check(partition));
}

/* --- running it all -------------------------------------------------------- */

static bool
record(const struct workload *w)
{
	char command[PATH_MAX + 64];
	FILE *f = fopen(path_in(work, "script"), "we");
	int status;

	if (f == NULL)
		return false;
	(void)fprintf(f, "%s%s", prologue, w->script);
	if (fclose(f) != 0)
		return false;
	(void)snprintf(command, sizeof(command),
	    "cd '%s/run' && bash ../script >../output 2>&1", work);
	status = system(command);
	if (status != 0) {
		(void)snprintf(command, sizeof(command), "cat '%s/output' >&2",
		    work);
		(void)!system(command);
	}
	return status == 0;
}

static bool
load(void)
{
	const char *path = path_in(work, "trace");
	struct buf b;
	size_t at = 0;

	buf_init(&b, (size_t)1 << 30);
	if (io_read_file(AT_FDCWD, path, (size_t)1 << 30, &b) != 0)
		return false;
	/* Entries are read where they lie; give each a place of its own. */
	trace = grown(NULL, 2 * b.len + 64);
	entries = grown(NULL,
	    (b.len / sizeof(struct trace_entry) + 1) * sizeof(*entries));
	trace_len = entry_count = 0;
	while (at + sizeof(struct trace_entry) <= b.len) {
		struct trace_entry e;
		size_t len;

		memcpy(&e, b.data + at, sizeof(e));
		len = sizeof(e) + e.name_len + e.data_len;
		memcpy(trace + trace_len, b.data + at, len);
		entries[entry_count++] = trace_len;
		trace_len += (len + 7) / 8 * 8;
		at += len;
	}
	buf_release(&b);
	entry_ids = grown(NULL, entry_count * sizeof(*entry_ids));
	memset(entry_ids, 0, entry_count * sizeof(*entry_ids));
	entry_settled = grown(NULL, entry_count);
	memset(entry_settled, 0, entry_count);
	return at > 0;
}

/* The disk before the first entry: all of it is on the device. */
static struct node *
load_dir(const char *now, const char *start)
{
	char a[PATH_MAX], b[PATH_MAX];
	struct stat st;
	struct node *dir, *n;
	struct dirent *d;
	struct buf data;
	DIR *it;

	if (stat(now, &st) != 0)
		abort();
	dir = add_node(st.st_ino, true);
	it = opendir(start);
	while (it != NULL && (d = readdir(it)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (snprintf(a, sizeof(a), "%s/%s", now, d->d_name) >=
			PATH_MAX ||
		    snprintf(b, sizeof(b), "%s/%s", start, d->d_name) >=
			PATH_MAX ||
		    stat(b, &st) != 0)
			abort();
		if (S_ISDIR(st.st_mode)) {
			n = load_dir(a, b);
		} else {
			buf_init(&data, STATE_BYTES_MAX);
			n = add_node(0, false);
			if (io_read_file(AT_FDCWD, b, STATE_BYTES_MAX - 1,
				&data) != 0)
				abort();
			put_bytes(&n->data, &n->len, 0,
			    data.data == NULL ? (uint8_t *)"" : data.data,
			    data.len);
			buf_release(&data);
		}
		set_name(&dir->names, &dir->name_count, d->d_name,
		    strlen(d->d_name), id_of(n));
	}
	if (it != NULL)
		closedir(it);
	return dir;
}

/* The inodes that files had when the copy was made, of "ls -iR". */
static void
load_inodes(void)
{
	FILE *f = fopen(path_in(work, "trace.inodes"), "re");
	char line[PATH_MAX], name[256];
	unsigned long long inode;

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%llu %255s", &inode, name) != 2)
			continue;
		for (size_t i = 0; i < node_count; i++)
			for (size_t k = 0; k < nodes[i]->name_count; k++) {
				struct name *at = &nodes[i]->names[k];

				if (strcmp(at->text, name) == 0)
					nodes[at->inode - 1]->inode = inode;
			}
	}
	fclose(f);
}

/* What was done last, for who has to find out why. */
static void
tell_calls(size_t at)
{
	static const char *const kinds[] = {"", "create", "mkdir", "write",
	    "truncate", "rename", "unlink", "sync", "synced", "output", ""};

	for (size_t i = at < 15 ? 0 : at - 15; i <= at; i++) {
		const struct trace_entry *e = entry(i);
		bool has_text =
		    e->kind == TRACE_RENAME || e->kind == TRACE_OUTPUT;

		fprintf(stderr,
		    "# %zu: writer %u: %s %.*s%s%.*s inode %llu, %u at %lld\n",
		    i, e->writer, kinds[e->kind], (int)e->name_len,
		    entry_name(e), has_text ? " " : "",
		    has_text ? (int)e->data_len : 0,
		    (const char *)entry_data(e), (unsigned long long)e->inode,
		    e->data_len, (long long)e->pos);
	}
}

static bool
try_state(size_t at)
{
	struct choice c = choose(at);
	const char *path = path_in(work, "state");
	bool ok;

	if (!make_dir(nodes[0], path, &c)) {
		fprintf(stderr, "# cannot make %s: %s\n", path,
		    strerror(errno));
		exit(1);
	}
	ok = judge(path);
	if (!ok) {
		fprintf(stderr,
		    "# %s, after entry %zu of %zu: %s\n"
		    "# data %d%%, names %d%%%s, pieces of %zu%s%s\n",
		    current->name, at, entry_count, why, c.data, c.names,
		    c.in_order ? " in order" : "", c.piece,
		    c.junk ? ", junk" : "", c.copied ? ", copied" : "");
		if (getenv("POWER_KEEP") != NULL) {
			tell_calls(at);
			fprintf(stderr, "# it is %s\n", path);
			exit(1);
		}
	}
	(void)io_remove_tree(AT_FDCWD, path);
	return ok;
}

static void
forget_events(void)
{
	memset(acked_count, 0, sizeof(acked_count));
	created = compacting = damaged = false;
	may_go = is_gone = committed = 0;
}

static void
run(const struct workload *w, size_t states)
{
	size_t made = 0, failed = 0, events = 0;
	struct stat st;

	current = w;
	(void)io_remove_tree(AT_FDCWD, work);
	if (mkdir(work, 0755) != 0 || mkdir(path_in(work, "run"), 0755) != 0 ||
	    stat(path_in(work, "run"), &st) != 0)
		abort();
	if (!tap(record(w) && load(), "%s: recorded", w->name))
		return;
	forget_events();
	add_node(st.st_ino, true);
	if (access(path_in(work, "trace.start"), F_OK) == 0) {
		set_name(&nodes[0]->names, &nodes[0]->name_count, "t", 1,
		    id_of(load_dir(path_in(work, "run/t"),
			path_in(work, "trace.start"))));
		load_inodes();
		damaged = strstr(w->script, "damaged") != NULL;
	}
	for (size_t i = 0; i < entry_count; i++) {
		size_t want = states * (i + 1) / entry_count;

		advance(i);
		for (; made < want && failed < 5; made++)
			failed += !try_state(i);
	}
	for (int k = 0; k < RELAXED; k++)
		events += (size_t)acked_count[k];
	tap(events > 5, "%s: %zu events acknowledged", w->name, events);
	tap(failed == 0 && made == states,
	    "%s: %zu states after %zu calls, %zu wrong", w->name, made,
	    entry_count, failed);
	forget_all();
	free(trace);
	free(entries);
	free(entry_ids);
	free(entry_settled);
}

static void
clean_up(void)
{
	if (getenv("POWER_KEEP") == NULL)
		(void)io_remove_tree(AT_FDCWD, work);
}

int
main(int argc, char **argv)
{
	const char *only = getenv("POWER_ONLY"), *s = getenv("POWER_STATES");
	size_t count = sizeof(workloads) / sizeof(workloads[0]);
	size_t states = s == NULL ? 20000 : strtoull(s, NULL, 10);
	char path[PATH_MAX + 64], here[PATH_MAX],
	    *slash = strrchr(argv[0], '/');

	(void)argc;
	/* In memory, where it is there: it is made and removed all the time. */
	(void)snprintf(work, sizeof(work), "%s",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm/power.XXXXXX"
					  : "/tmp/power.XXXXXX");
	if (mkdtemp(work) == NULL || atexit(clean_up) != 0)
		abort();
	if (getcwd(here, sizeof(here)) == NULL)
		abort();
	(void)snprintf(path, sizeof(path), "%s/bin:%s",
	    getenv("LOGKIT_BIN") == NULL ? here : getenv("LOGKIT_BIN"),
	    getenv("PATH"));
	if (getenv("LOGKIT_BIN") != NULL)
		(void)snprintf(path, sizeof(path), "%s:%s",
		    getenv("LOGKIT_BIN"), getenv("PATH"));
	(void)setenv("PATH", path, 1);
	/* It lies beside this program. */
	(void)snprintf(path, sizeof(path), "%s/%.*s/record_preload.so",
	    *argv[0] == '/' ? "" : here,
	    slash == NULL ? 0 : (int)(slash - argv[0]), argv[0]);
	if (getenv("RECORD") == NULL)
		(void)setenv("RECORD", path, 1);
	(void)snprintf(path, sizeof(path), "%s/trace", work);
	(void)setenv("TRACE", path, 1);
	for (size_t i = 0; i < count; i++)
		if (only == NULL || strcmp(only, workloads[i].name) == 0)
			run(&workloads[i],
			    only == NULL ? states / count : states);
	return tap_done();
}
