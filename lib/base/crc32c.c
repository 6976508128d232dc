/*
 * Short input goes through the processor's CRC instruction (or a table), so
 * that a one-shot program loads no library for it.  Long input goes to
 * libisal, which works on several lanes at once; it is loaded when first
 * needed, and done without if it is not there.
 */

#include "base/crc32c.h"

#include <dlfcn.h>
#include <isa-l/crc.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { LONG_INPUT = 8192 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t table[256];
static bool has_instruction;
static pthread_once_t isal_once = PTHREAD_ONCE_INIT;
static __typeof__(crc32_iscsi) *isal_crc;

static void
init(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	has_instruction = __builtin_cpu_supports("sse4.2");
	if (has_instruction)
		return;
#endif
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0x82F63B78U : c >> 1;
		table[i] = c;
	}
}

static void
load_isal(void)
{
	void *lib = dlopen("libisal.so.2", RTLD_NOW | RTLD_LOCAL);

	if (lib != NULL)
		isal_crc = (__typeof__(isal_crc))dlsym(lib, "crc32_iscsi");
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
update_short(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t c = crc, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		c = __builtin_ia32_crc32di(c, word);
	}
	crc = (uint32_t)c;
	for (; len > 0; p++, len--)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}
#else
static uint32_t
update_short(uint32_t crc, const uint8_t *p, size_t len)
{
	(void)p;
	(void)len;
	return crc;
}
#endif

static uint32_t
update_table(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len > 0; p++, len--)
		crc = table[(crc ^ *p) & 0xff] ^ crc >> 8;
	return crc;
}

uint32_t
crc32c(const void *data, size_t len)
{
	return crc32c_update(0, data, len);
}

uint32_t
crc32c_update(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	/* The library takes an int, so very large input goes in parts. */
	const size_t part_max = 1 << 30;

	pthread_once(&once, init);
	crc = ~crc;
	if (len >= LONG_INPUT)
		pthread_once(&isal_once, load_isal);
	while (len >= LONG_INPUT && isal_crc != NULL) {
		size_t part = len < part_max ? len : part_max;

		crc = isal_crc((unsigned char *)(uintptr_t)p, (int)part, crc);
		p += part;
		len -= part;
	}
	if (has_instruction)
		return ~update_short(crc, p, len);
	return ~update_table(crc, p, len);
}
