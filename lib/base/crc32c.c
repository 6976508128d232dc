#include "base/crc32c.h"

#include <isa-l/crc.h>

uint32_t
crc32c(const void *data, size_t len)
{
	return crc32c_update(0, data, len);
}

/* The library takes an int for the length, so large input goes in parts. */
uint32_t
crc32c_update(uint32_t crc, const void *data, size_t len)
{
	unsigned char *p = (unsigned char *)(uintptr_t)data;
	const size_t part_max = 1 << 30;

	crc = ~crc;
	while (len > 0) {
		size_t part = len < part_max ? len : part_max;

		crc = crc32_iscsi(p, (int)part, crc);
		p += part;
		len -= part;
	}
	return ~crc;
}
