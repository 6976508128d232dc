#include "client/place.h"

#include <stddef.h>
#include <string.h>

#include "base/parse.h"
#include "base/status.h"
#include "store/topic.h"

static const char plain[] = "kafka://";
static const char tls[] = "kafka+tls://";

static bool
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

bool
place_is_remote(const char *s)
{
	return begins(s, plain) || begins(s, tls);
}

static bool
is_port(const char *s)
{
	int64_t n;

	return parse_int(s, 1, 65535, &n) == 0;
}

/* HOST or HOST:PORT. */
static bool
is_broker(char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_";
	size_t len;

	if (*s == '[') {
		len = strspn(s + 1, "0123456789abcdefABCDEF:.%") + 1;
		if (len < 3 || s[len++] != ']')
			return false;
	} else {
		len = strspn(s, letters);
	}
	if (len == 0)
		return false;
	return s[len] == '\0' || (s[len] == ':' && is_port(s + len + 1));
}

static bool
are_brokers(const char *list)
{
	char copy[PLACE_BROKERS_MAX], *rest = copy, *broker;

	strlcpy(copy, list, sizeof(copy));
	while ((broker = strsep(&rest, ",")) != NULL)
		if (!is_broker(broker))
			return false;
	return true;
}

/* TOPIC, TOPIC/, TOPIC/PARTITION. */
static int
parse_topic(const char *s, struct place *out, const char **why)
{
	size_t len = strcspn(s, "/");
	int64_t n = -1;

	*why = "not a topic's name, or TOPIC/PARTITION";
	if (len > TOPIC_NAME_MAX)
		return STATUS_SYNTAX;
	memcpy(out->topic, s, len);
	out->topic[len] = '\0';
	if (!topic_is_name(out->topic))
		return STATUS_SYNTAX;
	s += len;
	if (*s == '/' && s[1] != '\0' &&
	    parse_int(s + 1, 0, PARTITIONS_MAX - 1, &n) != 0)
		return STATUS_SYNTAX;
	out->partition = (int32_t)n;
	return 0;
}

int
place_parse(const char *s, struct place *out, const char **why)
{
	const char *unused;
	size_t len;

	if (why == NULL)
		why = &unused;
	*why = "not kafka://HOST[:PORT][,HOST...]/TOPIC[/PARTITION]";
	if (!place_is_remote(s))
		return STATUS_SYNTAX;
	*out = (struct place){.tls = begins(s, tls), .partition = -1};
	s += strlen(out->tls ? tls : plain);
	len = strcspn(s, "/");
	if (len >= sizeof(out->brokers))
		return STATUS_SYNTAX;
	memcpy(out->brokers, s, len);
	out->brokers[len] = '\0';
	if (!are_brokers(out->brokers))
		return STATUS_SYNTAX;
	s += len;
	if (*s == '\0' || s[1] == '\0')
		return 0;
	return parse_topic(s + 1, out, why);
}
