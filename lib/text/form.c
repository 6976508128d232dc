#include "text/form.h"

#include "base/bounds.h"
#include "base/status.h"

void
form_init(struct form *f)
{
	f->kind = FORM_LINE;
	line_init(&f->line);
	format_init(&f->format);
	f->value_mode = ENVELOPE_VALUE_AUTO;
	f->record_max = MESSAGE_BYTES_DEFAULT;
	envelope_reader_init(&f->envelope);
	f->blank_lines = 0;
}

void
form_release(struct form *f)
{
	format_release(&f->format);
	envelope_reader_release(&f->envelope);
}

static bool
is_blank(struct bytes b)
{
	for (int32_t i = 0; i < b.len; i++)
		if (b.data[i] != ' ' && b.data[i] != '\t' && b.data[i] != '\r')
			return false;
	return true;
}

/* A line, and in it an envelope; blank lines are nothing. */
static int
read_envelope(struct form *f, const uint8_t *in, size_t len, bool eof,
    struct form_record *out, size_t *used, const char **why)
{
	struct envelope_record e;
	struct record text;
	const char *null_in = f->line.null_in;
	size_t done = 0, n;
	int rc;

	/* The string for null is of no meaning here. */
	f->line.null_in = NULL;
	/* An envelope is longer than its record: base64, escapes. */
	for (;;) {
		rc = line_read(&f->line, in + done, len - done, eof,
		    f->record_max * 6 + 65536, &text, &n, why);
		done += n;
		if (rc != 0 || !is_blank(text.value))
			break;
		f->blank_lines++;
	}
	f->line.null_in = null_in;
	*used = done;
	if (rc != 0)
		return rc;
	rc = envelope_read(&f->envelope, text.value.data,
	    (size_t)text.value.len, &e, why);
	if (rc != 0)
		return rc;
	*out = (struct form_record){e.rec, e.partition, e.has_timestamp};
	return 0;
}

int
form_read(struct form *f, const uint8_t *in, size_t len, bool eof,
    struct form_record *out, size_t *used, const char **why)
{
	*why = NULL;
	f->blank_lines = 0;
	switch (f->kind) {
	case FORM_LINE:
		out->partition = -1;
		out->has_timestamp = false;
		return line_read(&f->line, in, len, eof, f->record_max,
		    &out->rec, used, why);
	case FORM_ENVELOPE:
		return read_envelope(f, in, len, eof, out, used, why);
	case FORM_FORMAT:
		out->partition = -1;
		return format_read(&f->format, in, len, eof, f->record_max,
		    &out->rec, &out->has_timestamp, used, why);
	}
	return STATUS_SYNTAX;
}

int
form_write(const struct form *f, const char *topic, int32_t partition,
    const struct record *rec, struct buf *out)
{
	switch (f->kind) {
	case FORM_LINE:
		return line_write(&f->line, rec, out);
	case FORM_ENVELOPE:
		return envelope_write(out, f->value_mode, topic, partition,
		    rec);
	case FORM_FORMAT:
		return format_write(&f->format, topic, partition, rec, out);
	}
	return STATUS_SYNTAX;
}
