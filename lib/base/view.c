#include "base/view.h"

#include "base/buf.h"
#include "base/status.h"

int
view_get(struct view *v, size_t len, struct view *out)
{
	if (v->len < len)
		return STATUS_SHORT;
	*out = (struct view){v->data, len};
	v->data += len;
	v->len -= len;
	return 0;
}

int
view_get_8(struct view *v, uint8_t *out)
{
	struct view w;
	int rc = view_get(v, 1, &w);

	if (rc == 0)
		*out = w.data[0];
	return rc;
}

int
view_get_16(struct view *v, uint16_t *out)
{
	struct view w;
	int rc = view_get(v, 2, &w);

	if (rc == 0)
		*out = buf_get_16(w.data);
	return rc;
}

int
view_get_32(struct view *v, uint32_t *out)
{
	struct view w;
	int rc = view_get(v, 4, &w);

	if (rc == 0)
		*out = buf_get_32(w.data);
	return rc;
}

int
view_get_64(struct view *v, uint64_t *out)
{
	struct view w;
	int rc = view_get(v, 8, &w);

	if (rc == 0)
		*out = buf_get_64(w.data);
	return rc;
}
