#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

/*
 * CRC-32C (Castagnoli; RFC 3720 B.4): reflected polynomial 0x82F63B78,
 * initial value and final xor all ones.  crc32c("123456789") is 0xE3069283.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The checksum of len bytes. */
uint32_t crc32c(const void *data, size_t len);
/* Go on from the checksum of what came before; start with crc 0. */
uint32_t crc32c_update(uint32_t crc, const void *data, size_t len);

/* Tests only: do without the processor's instruction, or with it again. */
void crc32c_portable(bool only);

#endif
