/*
 * Records as text: lines with delimiters and separators, format strings,
 * envelopes.  Whether the input comes at once or in pieces, what is read of it
 * is the same.
 *
 * The input: a byte (kind of form, what is set), a byte that chooses the
 * pieces, two strings with a NUL behind each, and the text.
 */

#include "text/form.h"

#include <string.h>

#include "base/status.h"
#include "fuzz.h"

enum { RECORD_MAX = 300, TOPIC_PARTITION = 4 };

static bool
set_up(struct form *f, uint8_t how, struct fuzz_input *in)
{
	static char one[256], two[256];
	const char *why = NULL;

	form_init(f);
	f->record_max = RECORD_MAX;
	strncpy(one, fuzz_string(in), sizeof(one) - 1);
	strncpy(two, fuzz_string(in), sizeof(two) - 1);
	f->kind = (enum form_kind)(how % 3);
	if (f->kind == FORM_FORMAT) {
		f->format.null_in = how & 16 ? two : NULL;
		f->format.null_out = how & 32 ? two : NULL;
		return format_compile(&f->format, one, true, &why) == 0;
	}
	if (how & 4 && line_set_delimiter(&f->line, one) != 0)
		return false;
	if (how & 8 && line_set_separator(&f->line, two) != 0)
		return false;
	f->line.null_in = how & 16 ? "" : NULL;
	f->line.null_out = how & 32 ? two : NULL;
	f->line.is_delete = (how & 64) != 0;
	return true;
}

/* What a call of form_read() said, as text. */
static void
note(struct buf *log, int rc, const struct form_record *r)
{
	fuzz_must(buf_addf(log, "%d;", rc) == 0);
	if (rc != 0)
		return;
	fuzz_must(buf_addf(log, "%d %d %d %d %d:", (int)r->rec.key.len,
		      (int)r->rec.value.len, r->rec.header_count,
		      (int)r->partition, r->has_timestamp) == 0);
	if (r->rec.key.len > 0)
		fuzz_must(
		    buf_add(log, r->rec.key.data, (size_t)r->rec.key.len) == 0);
	if (r->rec.value.len > 0)
		fuzz_must(buf_add(log, r->rec.value.data,
			      (size_t)r->rec.value.len) == 0);
	if (r->has_timestamp)
		fuzz_must(
		    buf_addf(log, "@%lld", (long long)r->rec.timestamp) == 0);
}

/* Read all of it, in pieces of so many bytes. */
static void
read_all(struct form *f, struct fuzz_input in, size_t piece, struct buf *log)
{
	size_t there = 0, used;
	struct form_record r;
	const char *why = NULL;
	struct buf text;
	int rc = 0;

	buf_init(&text, 1 << 24);
	while (rc != STATUS_END) {
		bool eof = there >= in.len;

		used = 0;
		rc = form_read(f, in.data, there, eof, &r, &used, &why);
		fuzz_must(used <= there);
		if (rc == STATUS_SHORT) {
			fuzz_must(!eof);
			in.data += used;
			in.len -= used;
			there -= used;
			there += piece;
			if (there > in.len)
				there = in.len;
			continue;
		}
		if (rc != STATUS_END)
			note(log, rc, &r);
		if (rc == 0) {
			r.rec.offset = 1;
			text.len = 0;
			fuzz_must(form_write(f, "t", TOPIC_PARTITION, &r.rec,
				      &text) == 0 ||
			    f->kind == FORM_ENVELOPE);
		}
		/* At the end of the input each call leads on. */
		fuzz_must(rc == STATUS_END || used > 0 || !eof ||
		    f->kind == FORM_FORMAT);
		in.data += used;
		in.len -= used;
		there -= used;
		if (log->len > 1 << 20)
			break;
	}
	buf_release(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size}, rest;
	uint8_t how = fuzz_byte(&in), piece = fuzz_byte(&in);
	struct form one, two;
	struct buf a, b;

	rest = in;
	buf_init(&a, 1 << 24);
	buf_init(&b, 1 << 24);
	if (set_up(&one, how, &in) && set_up(&two, how, &rest)) {
		read_all(&one, in, in.len + 1, &a);
		read_all(&two, rest, 1 + piece % 16, &b);
		fuzz_must(a.len == b.len &&
		    (a.len == 0 || memcmp(a.data, b.data, a.len) == 0));
	} else {
		form_init(&two);
	}
	form_release(&one);
	form_release(&two);
	buf_release(&a);
	buf_release(&b);
	return 0;
}
