#include <stdlib.h>
#include <time.h>

#include "base/now.h"
#include "direct/chart.h"
#include "kafka/error.h"

/* Between tries: doubled, up to the second. */
enum { PAUSE_MS = 100, PAUSE_MAX_MS = 1000 };

bool
chart_is_passing(int error)
{
	switch (error) {
	case KAFKA_LEADER_NOT_AVAILABLE:
	case KAFKA_NOT_LEADER_OR_FOLLOWER:
	case KAFKA_REQUEST_TIMED_OUT:
	case KAFKA_REPLICA_NOT_AVAILABLE:
	case KAFKA_NETWORK_EXCEPTION:
	case KAFKA_COORDINATOR_LOAD_IN_PROGRESS:
	case KAFKA_COORDINATOR_NOT_AVAILABLE:
	case KAFKA_NOT_COORDINATOR:
	case KAFKA_NOT_CONTROLLER:
	case KAFKA_STORAGE_ERROR:
	case KAFKA_LISTENER_NOT_FOUND:
	case KAFKA_FENCED_LEADER_EPOCH:
	case KAFKA_UNKNOWN_LEADER_EPOCH:
	case KAFKA_OFFSET_NOT_AVAILABLE:
	case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
	case KAFKA_UNKNOWN_TOPIC_ID:
	case KAFKA_INCONSISTENT_TOPIC_ID:
	case KAFKA_FETCH_SESSION_ID_NOT_FOUND:
	case KAFKA_INVALID_FETCH_SESSION_EPOCH:
	case KAFKA_FETCH_SESSION_TOPIC_ID_ERROR:
	case KAFKA_UNSTABLE_OFFSET_COMMIT:
	case KAFKA_THROTTLING_QUOTA_EXCEEDED:
		return true;
	default:
		return false;
	}
}

int64_t
chart_pause_ms(int tries)
{
	int64_t ms = tries < 4 ? PAUSE_MS << tries : PAUSE_MAX_MS;

	return ms / 2 + (int64_t)arc4random_uniform((uint32_t)(ms / 2 + 1));
}

void
chart_pause(int tries, int64_t until_ms)
{
	int64_t ms = chart_pause_ms(tries), left = until_ms - now_mono_ms();
	struct timespec ts;

	if (ms > left)
		ms = left;
	if (ms <= 0)
		return;
	ts = (struct timespec){ms / 1000, ms % 1000 * 1000000};
	(void)nanosleep(&ts, NULL);
}
