#include "client/cluster.h"

#include <string.h>

#include "base/status.h"

#include "tap.h"

/* What brokers say in their own words is one line, and no terminal obeys it. */
static void
test_words(void)
{
	struct cluster c = {.name = "kafka://h/t"};
	struct fault f = {.file = ""};
	int rc = cluster_fail(&c, RD_KAFKA_RESP_ERR_INVALID_CONFIG,
	    "no:\n\033]0;x\a \xc2\x9b"
	    "2J \xe2\x80\xae.",
	    &f);

	tap_int(rc, STATUS_CLUSTER, "it is the cluster's");
	tap_str(f.what, "no: ?]0;x? ??2J ???.");
	tap_str(f.file, "kafka://h/t");
	rc = cluster_fail(&c, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "?", &f);
	tap_int(rc, STATUS_NO_TOPIC, "no such topic");
	strlcpy(c.why, "h:1\r\ngone", sizeof(c.why));
	rc = cluster_fail(&c, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, &f);
	tap_int(rc, STATUS_CLUSTER, "no answer");
	tap_str(f.what, "no answer within 0 ms: h:1? gone");
}

int
main(void)
{
	test_words();
	return tap_done();
}
