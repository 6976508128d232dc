#ifndef NET_ADDR_H
#define NET_ADDR_H

/*
 * Addresses of sockets, and their text:
 *
 *	HOST:PORT  a name or an IPv4 address
 *	[V6]:PORT  an IPv6 address
 *	:PORT      (*:PORT) every address of the machine
 *	unix:PATH  a socket in the file system
 *
 * Port 0 is one that the system chooses.
 */

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ADDR_HOST_MAX = 255,	/* of a name in the DNS */
	ADDR_PATH_MAX = 107,	/* of sun_path */
	ADDR_TEXT_MAX = 280,	/* of addr_text(), with its NUL */
	ADDR_LIST_MAX = 16,	/* that one name is resolved to */
};

/* The text in its parts; nothing is looked up yet. */
struct addr_name {
	char host[ADDR_HOST_MAX + 1];	/* "": every address; or the path */
	uint16_t port;
	bool is_unix;
};

struct addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

/*
 * Take the text apart.  STATUS_SYNTAX, and *what says what is wrong with it (a
 * constant phrase).  A host without a port gets default_port, if that is not
 * negative.
 */
int addr_parse(const char *text, int default_port, struct addr_name *out,
    const char **what);
/*
 * Look the name up (which may wait for a name server): the addresses to listen
 * on, 1 to ADDR_LIST_MAX of them.  EADDRNOTAVAIL: none; *what is the
 * resolver's word.
 */
int addr_resolve(const struct addr_name *name, struct addr list[ADDR_LIST_MAX],
    size_t *count, const char **what);

/* The address that a socket is bound to, and that of its other end. */
int addr_of_socket(int fd, struct addr *out);
int addr_of_peer(int fd, struct addr *out);

/* As above; "unix:" for a socket without a name. */
void addr_text(const struct addr *a, char text[ADDR_TEXT_MAX]);
/* The port; -1 if it has none. */
int addr_port(const struct addr *a);
/* Give it that port; nothing happens to an address without ports. */
void addr_set_port(struct addr *a, uint16_t port);

#endif
