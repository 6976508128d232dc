#ifndef BASE_FIND_H
#define BASE_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Do the bytes of needle occur in data?  Like memmem(3), several times as
 * fast where they are not there: 64 places at a time are ruled out by
 * three bytes of the needle.
 */
bool find_bytes(const uint8_t *data, size_t len, const uint8_t *needle,
    size_t needle_len);

#endif
