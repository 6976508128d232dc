#include "store/handful.h"

#include "base/status.h"

int
handful_take(struct handful *h, struct batch_records *it,
    const struct keymap *m, struct bytes drop)
{
	struct record rec;
	int rc = 0;

	for (h->count = 0; h->count < HANDFUL_MAX; h->count++) {
		rc = batch_records_next(it, &rec);
		if (rc != 0)
			break;
		h->items[h->count].offset = rec.offset;
		h->items[h->count].timestamp = rec.timestamp;
		h->items[h->count].has_key = !bytes_is_null(rec.key);
		h->items[h->count].has_value = !bytes_is_null(rec.value);
		h->items[h->count].is_drop =
		    !bytes_is_null(drop) && bytes_equal(rec.key, drop);
		if (m != NULL && !bytes_is_null(rec.key))
			h->items[h->count].key = keymap_key_of(m, rec.key);
	}
	return rc == STATUS_END ? 0 : rc;
}
