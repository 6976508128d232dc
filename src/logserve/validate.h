#ifndef LOGSERVE_VALIDATE_H
#define LOGSERVE_VALIDATE_H

/*
 * Is what a producer sent fit to be stored?  Every batch is: whole, alone, of
 * version 2, with the right CRC, with records that can be taken apart and that
 * are as many as it says, with times that the topic allows.  So no consumer
 * will ever meet one that it cannot read.
 *
 * One thing is put right, as Kafka does: the largest time that the header
 * claims, by which times are found and segments grow old.  Some clients get it
 * wrong (kafkajs 2.2.4 sorts times as text).
 */

#include <stdint.h>

#include "store/batch.h"

struct buf;
struct properties;

/*
 * KAFKA_NONE, or the error code for the producer and a constant phrase that
 * says why.  scratch is for unpacking; what is larger than its bound is
 * unpacked elsewhere, up to RECORDS_BYTES_MAX.
 */
int validate_batch(uint8_t *data, int64_t len,
    const struct properties *settings, struct buf *scratch, struct batch *b,
    const char **why);

#endif
