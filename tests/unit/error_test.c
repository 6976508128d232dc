/*
 * Kafka's error codes: each number of the table has words of its own, and no
 * other number has.
 */

#include "kafka/error.h"

#include "tap.h"

/* Numbers below the last that have no code here. */
static const int unused[] = {8, 11, 61, 62, 63, 64, 65, 66, 67, 77, 94, 97, 98,
    99, 101, 102, 104, 107, 108, 116, 119, 125, 126, 127};

static bool
is_unused(int code)
{
	for (size_t i = 0; i < sizeof(unused) / sizeof(unused[0]); i++)
		if (unused[i] == code)
			return true;
	return code < -1 || code > 133;
}

int
main(void)
{
	int wrong = 0, twice = 0;

	for (int code = -3; code <= 140; code++) {
		bool known = strcmp(error_text(code), "unknown error") != 0;

		wrong += known == is_unused(code);
		for (int other = -3; known && other < code; other++)
			twice +=
			    strcmp(error_text(code), error_text(other)) == 0;
	}
	tap_int(wrong, 0, "words for the codes, and for no other number");
	tap_int(twice, 0, "of its own");
	tap_str(error_text(KAFKA_NONE), "no error");
	tap_int(KAFKA_UNKNOWN_SERVER_ERROR, -1, "the first");
	tap_int(KAFKA_STORAGE_ERROR, 56, "one in the middle");
	tap_int(KAFKA_SHARE_SESSION_LIMIT_REACHED, 133, "the last");
	return tap_done();
}
