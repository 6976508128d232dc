#include "store/codec_impl.h"

/* Room that a streaming decoder is given at least. */
enum { ROOM_MIN = 64 << 10 };

int
codec_room_open(struct buf *out, size_t want, struct codec_room *r)
{
	size_t left = out->max - out->len;
	int rc;

	if (left == 0) {
		r->data = &r->spare;
		r->len = 1;
		r->beyond = true;
		return 0;
	}
	if (want < ROOM_MIN)
		want = ROOM_MIN;
	rc = buf_reserve(out, want < left ? want : left);
	if (rc != 0)
		return rc;
	r->data = out->data + out->len;
	r->len = out->cap - out->len;
	if (r->len > CODEC_LEN_MAX)
		r->len = CODEC_LEN_MAX;
	r->beyond = false;
	return 0;
}

/* Count what was written to the room. */
int
codec_room_close(struct buf *out, struct codec_room *r, size_t used)
{
	if (used > 0 && r->beyond)
		return STATUS_TOO_BIG;
	if (!r->beyond)
		out->len += used;
	return 0;
}

/* The first guess at how much comes out of len bytes. */
size_t
codec_room_guess(size_t len)
{
	return 4 * len;
}

/*
 * Room for an encoder that stops by itself where the room ends: bound, or all
 * that out may take.
 */
int
codec_room_encode(struct buf *out, size_t bound, size_t *len)
{
	size_t left = out->max - out->len;
	int rc;

	if (bound > left)
		bound = left;
	if (bound == 0)
		return STATUS_TOO_BIG;
	rc = buf_reserve(out, bound);
	if (rc == 0)
		*len = bound;
	return rc;
}
