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
/*
 * The checksum of two messages, one behind the other, from that of each and the
 * length of the second: without looking at them.
 */
uint32_t crc32c_append(uint32_t first, uint32_t second, uint64_t second_len);

/*
 * By what (xor) does the checksum of a message change when one of its bits
 * does, with that many bits behind it?  The bits of a byte follow each other
 * from 0x01 to 0x80.  crc32c_before() has the same of the bit before.
 */
uint32_t crc32c_change(uint64_t behind);
uint32_t crc32c_before(uint32_t change);

/* Tests only: do without the processor's instruction, or with it again. */
void crc32c_portable(bool only);

#endif
