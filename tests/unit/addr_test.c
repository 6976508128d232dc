#include "net/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/status.h"
#include "tap.h"

static void
parse_ok(const char *text, const char *host, int port, bool is_unix)
{
	struct addr_name n;
	const char *what;

	tap(addr_parse(text, -1, &n, &what) == 0 && strcmp(n.host, host) == 0 &&
		n.port == port && n.is_unix == is_unix,
	    "%s", text);
}

static void
parse_bad(const char *text, const char *phrase)
{
	struct addr_name n;
	const char *what = "nothing";

	tap(addr_parse(text, -1, &n, &what) == STATUS_SYNTAX &&
		strcmp(what, phrase) == 0,
	    "'%.40s': %s", text, phrase);
}

static void
test_parse(void)
{
	struct addr_name n;
	const char *what;
	char text[400];

	parse_ok("localhost:9092", "localhost", 9092, false);
	parse_ok("127.0.0.1:0", "127.0.0.1", 0, false);
	parse_ok("[::1]:65535", "::1", 65535, false);
	parse_ok("[fe80::1%lo]:1", "fe80::1%lo", 1, false);
	parse_ok(":9092", "", 9092, false);
	parse_ok("*:9092", "", 9092, false);
	parse_ok("unix:/run/log.sock", "/run/log.sock", 0, true);
	parse_ok("unix:a:b", "a:b", 0, true);
	parse_bad("", "no port");
	parse_bad("localhost", "no port");
	parse_bad("[::1]", "no port");
	parse_bad("localhost:", "port is not a number to 65535");
	parse_bad("localhost:x", "port is not a number to 65535");
	parse_bad("localhost:-1", "port is not a number to 65535");
	parse_bad("localhost:65536", "port is not a number to 65535");
	parse_bad("localhost: 1", "port is not a number to 65535");
	parse_bad("::1:9092", "an IPv6 address needs brackets");
	parse_bad("[::1:9092", "no closing bracket");
	parse_bad("[localhost]:1", "brackets are for IPv6 addresses");
	parse_bad("[::1]x:1", "something follows the bracket");
	parse_bad("a b:1", "blank or control character in a host name");
	parse_bad("a\t:1", "blank or control character in a host name");
	parse_bad("a\x7f:1", "blank or control character in a host name");
	parse_bad("unix:", "no path after unix:");

	memset(text, 'h', sizeof(text));
	memcpy(text + ADDR_HOST_MAX, ":1", 3);
	tap(addr_parse(text, -1, &n, &what) == 0, "the longest host");
	memcpy(text + ADDR_HOST_MAX, "h:1", 4);
	parse_bad(text, "host name too long");
	memcpy(text, "unix:", 5);
	text[5 + ADDR_PATH_MAX] = '\0';
	tap(addr_parse(text, -1, &n, &what) == 0, "the longest path");
	memcpy(text + 5 + ADDR_PATH_MAX, "h", 2);
	parse_bad(text, "path too long for a socket");

	tap(addr_parse("host", 9092, &n, &what) == 0 && n.port == 9092,
	    "the default port of a host");
	tap(addr_parse("[::1]", 9092, &n, &what) == 0 && n.port == 9092,
	    "the default port of an address");
	tap(addr_parse("", 9092, &n, &what) == STATUS_SYNTAX,
	    "nothing is not every address");
}

/* From text to address to text. */
static void
round_trip(const char *text)
{
	struct addr list[ADDR_LIST_MAX];
	struct addr_name n;
	const char *what = NULL;
	char got[ADDR_TEXT_MAX] = "";
	size_t count = 0;

	tap(addr_parse(text, -1, &n, &what) == 0 &&
		addr_resolve(&n, list, &count, &what) == 0 && count == 1,
	    "%s is one address", text);
	addr_text(&list[0], got);
	tap_str(got, text);
}

static void
test_resolve(void)
{
	struct addr list[ADDR_LIST_MAX];
	struct addr_name n;
	const char *what = NULL;
	char longest[5 + ADDR_PATH_MAX + 1] = "unix:";
	size_t count;

	round_trip("127.0.0.1:9092");
	round_trip("[::1]:9092");
	round_trip("unix:/tmp/x");
	memset(longest + 5, 'p', ADDR_PATH_MAX);
	round_trip(longest);
	if (addr_parse("no..such..name:1", -1, &n, &what) != 0)
		abort();
	tap(addr_resolve(&n, list, &count, &what) == EADDRNOTAVAIL &&
		what != NULL,
	    "a name that cannot be");
	if (addr_parse(":7", -1, &n, &what) != 0)
		abort();
	tap(addr_resolve(&n, list, &count, &what) == 0 && count >= 1 &&
		addr_port(&list[0]) == 7,
	    "every address");
}

static void
test_sockets(void)
{
	struct addr a;
	char text[ADDR_TEXT_MAX];
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		abort();
	tap(addr_of_peer(fds[0], &a) == 0 && addr_port(&a) == -1,
	    "a unix socket has no port");
	addr_text(&a, text);
	tap_str(text, "unix:");
	addr_set_port(&a, 7);
	tap(addr_port(&a) == -1, "and gets none");
	close(fds[0]);
	close(fds[1]);
	tap(addr_of_socket(fds[0], &a) == EBADF, "no socket");
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	tap(addr_of_peer(fds[0], &a) == ENOTCONN, "no peer");
	tap(addr_of_socket(fds[0], &a) == 0, "an unbound socket");
	addr_set_port(&a, 80);
	addr_text(&a, text);
	tap_str(text, "0.0.0.0:80");
	close(fds[0]);
}

int
main(void)
{
	test_parse();
	test_resolve();
	test_sockets();
	return tap_done();
}
