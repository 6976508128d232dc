#include "client/place.h"

#include "base/status.h"
#include "tap.h"

static void
check(const char *text, const char *brokers, bool tls, const char *topic,
    int32_t partition)
{
	struct place p;

	tap(place_is_remote(text), "%s is remote", text);
	tap_int(place_parse(text, &p, NULL), 0, "%s", text);
	tap_str(p.brokers, brokers);
	tap_int(p.tls, tls, "%s", text);
	tap_str(p.topic, topic);
	tap_int(p.partition, partition, "%s", text);
}

static void
refuse(const char *text)
{
	struct place p;
	const char *why = NULL;

	tap_int(place_parse(text, &p, &why), STATUS_SYNTAX, "%.40s", text);
	tap(why != NULL, "%.40s", text);
}

int
main(void)
{
	char text[5000] = "kafka://";

	check("kafka://h/t", "h", false, "t", -1);
	check("kafka://h:9093/t/", "h:9093", false, "t", -1);
	check("kafka+tls://h1,h2:1,10.0.0.1:65535/a.b-c_d/17",
	    "h1,h2:1,10.0.0.1:65535", true, "a.b-c_d", 17);
	check("kafka://[::1]:9092,[fe80::1%25]/t/0", "[::1]:9092,[fe80::1%25]",
	    false, "t", 0);
	check("kafka://h", "h", false, "", -1);
	check("kafka://h/", "h", false, "", -1);

	refuse("");
	refuse("t");
	refuse("kafka:/h/t");
	refuse("kafka://");
	refuse("kafka:///t");
	refuse("kafka://h:/t");
	refuse("kafka://h:0/t");
	refuse("kafka://h:65536/t");
	refuse("kafka://h,/t");
	refuse("kafka://h/t/-1");
	refuse("kafka://h/t/100000");
	refuse("kafka://h/t/0/");
	refuse("kafka://h//");
	refuse("kafka://h/.");
	refuse("kafka://h/t t");
	refuse("kafka://[]/t");
	refuse("kafka://[::1/t");
	refuse("kafka://user@h/t");
	tap(!place_is_remote("kafka"), "a directory may be called that");
	tap(!place_is_remote("./kafka://h/t"), "and that");

	/* As long as there is room, and one more. */
	memset(text + 8, 'h', PLACE_BROKERS_MAX - 1);
	memcpy(text + 8 + PLACE_BROKERS_MAX - 1, "/t", 3);
	tap_int(place_parse(text, &(struct place){.partition = 0}, NULL), 0,
	    "as many brokers as there is room for");
	memset(text + 8, 'h', PLACE_BROKERS_MAX);
	memcpy(text + 8 + PLACE_BROKERS_MAX, "/t", 3);
	refuse(text);
	return tap_done();
}
