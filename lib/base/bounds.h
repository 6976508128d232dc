#ifndef BASE_BOUNDS_H
#define BASE_BOUNDS_H

/*
 * Every maximum in one place.  A size or count read from a file, a socket or
 * a user is checked against one of these before it is used.  Units last.
 */

enum {
	/* Kafka's max.message.bytes: 1 MiB plus the 12 bytes of log overhead */
	MESSAGE_BYTES_DEFAULT = 1048588,
	/* The largest record batch read or written, header included. */
	BATCH_BYTES_MAX = 128 << 20,
	/* The largest decompressed records area of one batch. */
	RECORDS_BYTES_MAX = 256 << 20,
	/* One record's headers; Kafka has no limit of its own. */
	RECORD_HEADERS_MAX = 65536,
	/* A topic.properties or other small text file. */
	TEXT_FILE_BYTES_MAX = 1 << 20,
	/* Topic name (Kafka: 249). */
	TOPIC_NAME_MAX = 249,
	/* Partitions of one topic. */
	PARTITIONS_MAX = 100000,
	/* Segments of one partition that a listing takes in. */
	SEGMENTS_MAX = 4000000,
	/* Epochs in a leader-epoch-checkpoint. */
	EPOCHS_MAX = 1000000,
	/* Producers in one partition's state. */
	PRODUCERS_MAX = 1000000,
	/* Aborted transactions of one range being read. */
	ABORTED_MAX = 10000000,
	/* Depth of nested JSON. */
	JSON_DEPTH_MAX = 128,
	/* Topics and files named on one command line. */
	OPERANDS_MAX = 65536,
};

/* Smallest legal segment: a roll must always make progress. */
#define SEGMENT_BYTES_MIN 14
/* Positions in a segment are int32 in the offset index. */
#define SEGMENT_BYTES_MAX 2147483647

#endif
