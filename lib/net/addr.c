#include "net/addr.h"

#include <sys/un.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/status.h"

_Static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) ==
	ADDR_PATH_MAX + 1,
    "ADDR_PATH_MAX is that of the system");

static int
wrong(const char **what, const char *phrase)
{
	*what = phrase;
	return STATUS_SYNTAX;
}

static int
parse_path(const char *path, struct addr_name *out, const char **what)
{
	struct addr_name name = {.is_unix = true};
	size_t len = strlen(path);

	if (len == 0)
		return wrong(what, "no path after unix:");
	if (len > ADDR_PATH_MAX)
		return wrong(what, "path too long for a socket");
	memcpy(name.host, path, len);
	*out = name;
	return 0;
}

/*
 * Where the host is and what follows it (":PORT" or ""); the end of the host is
 * its first colon, or the bracket.
 */
static int
split(const char *text, const char **host, size_t *len, const char **rest,
    const char **what)
{
	*host = text;
	*len = strcspn(text, ":");
	*rest = text + *len;
	if (*text == '[') {
		*host = text + 1;
		*len = strcspn(*host, "]");
		if ((*host)[*len] == '\0')
			return wrong(what, "no closing bracket");
		if (memchr(*host, ':', *len) == NULL)
			return wrong(what, "brackets are for IPv6 addresses");
		*rest = *host + *len + 1;
	} else if (**rest == ':' && strchr(*rest + 1, ':') != NULL) {
		return wrong(what, "an IPv6 address needs brackets");
	}
	if (**rest != ':' && **rest != '\0')
		return wrong(what, "something follows the bracket");
	return 0;
}

static bool
is_plain(const char *host, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f)
			return false;
	return true;
}

int
addr_parse(const char *text, int default_port, struct addr_name *out,
    const char **what)
{
	struct addr_name name = {.host = ""};
	const char *host, *rest;
	size_t len;
	int64_t port = default_port;
	int rc;

	if (strncmp(text, "unix:", 5) == 0)
		return parse_path(text + 5, out, what);
	rc = split(text, &host, &len, &rest, what);
	if (rc != 0)
		return rc;
	if (*rest == ':') {
		if (parse_int(rest + 1, 0, UINT16_MAX, &port) != 0)
			return wrong(what, "port is not a number to 65535");
	} else if (len == 0 || port < 0) {
		return wrong(what, "no port");
	}
	if (len > ADDR_HOST_MAX)
		return wrong(what, "host name too long");
	if (!is_plain(host, len))
		return wrong(what, "blank or control character in a host name");
	if (len != 1 || *host != '*')
		memcpy(name.host, host, len);
	name.port = (uint16_t)port;
	*out = name;
	return 0;
}

static void
resolve_path(const struct addr_name *name, struct addr *out)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	memcpy(un.sun_path, name->host, sizeof(un.sun_path));
	memset(out, 0, sizeof(*out));
	memcpy(&out->sa, &un, sizeof(un));
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(un.sun_path) + 1);
}

int
addr_resolve(const struct addr_name *name, struct addr list[ADDR_LIST_MAX],
    size_t *count, const char **what)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found;
	char port[8];
	size_t n = 0;
	int rc;

	if (name->is_unix) {
		resolve_path(name, &list[0]);
		*count = 1;
		return 0;
	}
	snprintf(port, sizeof(port), "%u", name->port);
	rc = getaddrinfo(name->host[0] != '\0' ? name->host : NULL, port,
	    &hints, &found);
	if (rc != 0) {
		*what = rc == EAI_SYSTEM ? NULL : gai_strerror(rc);
		return rc == EAI_SYSTEM ? errno : EADDRNOTAVAIL;
	}
	for (struct addrinfo *a = found; a != NULL; a = a->ai_next) {
		if (n == ADDR_LIST_MAX)
			break;
		memset(&list[n], 0, sizeof(list[n]));
		memcpy(&list[n].sa, a->ai_addr, a->ai_addrlen);
		list[n++].len = a->ai_addrlen;
	}
	freeaddrinfo(found);
	*count = n;
	return 0;
}

int
addr_of_socket(int fd, struct addr *out)
{
	memset(out, 0, sizeof(*out));
	out->len = sizeof(out->sa);
	return getsockname(fd, (struct sockaddr *)&out->sa, &out->len) == 0
	    ? 0
	    : errno;
}

int
addr_of_peer(int fd, struct addr *out)
{
	memset(out, 0, sizeof(*out));
	out->len = sizeof(out->sa);
	return getpeername(fd, (struct sockaddr *)&out->sa, &out->len) == 0
	    ? 0
	    : errno;
}

void
addr_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char host[64];

	if (a->sa.ss_family == AF_UNIX) {
		memcpy(&un, &a->sa, a->len < sizeof(un) ? a->len : sizeof(un));
		snprintf(text, ADDR_TEXT_MAX, "unix:%.*s", ADDR_PATH_MAX,
		    un.sun_path);
		return;
	}
	if (getnameinfo((const struct sockaddr *)&a->sa, a->len, host,
		sizeof(host), NULL, 0, NI_NUMERICHOST) != 0)
		snprintf(host, sizeof(host), "?");
	snprintf(text, ADDR_TEXT_MAX,
	    a->sa.ss_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host,
	    addr_port(a));
}

int
addr_port(const struct addr *a)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (a->sa.ss_family) {
	case AF_INET:
		memcpy(&in, &a->sa, sizeof(in));
		return ntohs(in.sin_port);
	case AF_INET6:
		memcpy(&in6, &a->sa, sizeof(in6));
		return ntohs(in6.sin6_port);
	default:
		return -1;
	}
}

void
addr_set_port(struct addr *a, uint16_t port)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (a->sa.ss_family) {
	case AF_INET:
		memcpy(&in, &a->sa, sizeof(in));
		in.sin_port = htons(port);
		memcpy(&a->sa, &in, sizeof(in));
		break;
	case AF_INET6:
		memcpy(&in6, &a->sa, sizeof(in6));
		in6.sin6_port = htons(port);
		memcpy(&a->sa, &in6, sizeof(in6));
		break;
	default:
		break;
	}
}
