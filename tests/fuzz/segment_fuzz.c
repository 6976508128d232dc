/*
 * A segment: walked over batch by batch, past damage, and salvaged.  The CRCs
 * of what looks like batches are put right, if the first byte says so.
 */

#include "store/segment.h"

#include "base/status.h"
#include "fuzz.h"
#include "store/salvage.h"

enum { BASE = 0, END = 1 << 20 };

static struct buf copy;

static void
walk(int fd, size_t block, int64_t size)
{
	struct segment_scan s;
	const uint8_t *data;
	struct batch b;
	int64_t pos = 0;
	int rc;

	segment_scan_init(&s, block);
	segment_scan_start(&s, fd, 0, -1);
	for (;;) {
		rc = segment_scan_next(&s, &b, &data);
		if (rc == 0) {
			fuzz_must(s.pos == pos + (int64_t)b.size);
			fuzz_must(batch_verify(data, &b) == 0);
			pos = s.pos;
			continue;
		}
		fuzz_must(s.pos == pos && pos <= size);
		if (rc == STATUS_END)
			break;
		if (segment_scan_resync(&s, BASE, END) != 0)
			break;
		fuzz_must(s.pos > pos);
		pos = s.pos;
	}
	segment_scan_release(&s);
}

static void
salvage(int fd, int64_t size, bool dense)
{
	struct salvage_range range = {.size = size,
	    .first = BASE,
	    .end = END,
	    .dense = dense};
	int64_t next = BASE;
	struct salvage out;
	int64_t pieces = 0;

	fuzz_must(salvage_segment(fd, &range, &out) == 0);
	for (size_t i = 0; i < out.piece_count; i++) {
		const struct salvage_piece *p = &out.pieces[i];

		fuzz_must(p->base >= next && p->last >= p->base);
		fuzz_must(p->pos >= 0 && p->pos + p->len <= size);
		next = p->last + 1;
		pieces += p->len;
	}
	fuzz_must(next <= END && pieces <= size);
	/* Each byte is in a piece, or told. */
	for (size_t i = 0; i < out.flaw_count; i++) {
		fuzz_must(out.flaws[i].offset <= out.flaws[i].offset_end ||
		    out.flaws[i].offset_end < 0);
		if (out.flaws[i].lost)
			pieces += out.flaws[i].len;
	}
	fuzz_must(pieces == size);
	salvage_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint8_t how = fuzz_byte(&in);
	int fd;

	if (copy.max == 0)
		buf_init(&copy, 1 << 24);
	copy.len = 0;
	fuzz_must(buf_add(&copy, in.data, in.len) == 0);
	if (how & 1)
		fuzz_sign(copy.data, copy.len);
	fd = fuzz_file(copy.data, copy.len);
	walk(fd, how & 2 ? 64 : 65536, (int64_t)copy.len);
	salvage(fd, (int64_t)copy.len, (how & 4) != 0);
	return 0;
}
