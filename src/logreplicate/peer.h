#ifndef LOGREPLICATE_PEER_H
#define LOGREPLICATE_PEER_H

/*
 * The other logreplicate: a child of ours that serves on a pair of pipes, or
 * one on another host at the other end of ssh.
 */

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { PEER_HOST_LEN = 320, PEER_LINE_LEN = 512 };

/* Where SRC or DST is. */
struct peer_place {
	bool remote;
	char host[PEER_HOST_LEN];	/* [USER@]HOST */
	char port[8];			/* "" ssh's own */
	char path[PATH_MAX];
};

/*
 * PATH, HOST:PATH, USER@HOST:PATH, ssh://[USER@]HOST[:PORT]/PATH.  What has a :
 * before its first / is remote.  False: it is none of these; *why.
 */
bool peer_parse(const char *s, struct peer_place *out, const char **why);

struct peer {
	pid_t pid;
	int in;			/* from it; passes to the session */
	int out;		/* to it; the same */
	int err;		/* its stderr; -1: ours */
	bool relay;		/* what it says there goes to our stderr */
	const char *host;	/* NULL: local */
	char line[PEER_LINE_LEN]; /* the last it has said there */
	char part[PEER_LINE_LEN]; /* of a line that is not whole */
	size_t part_len;
};

/* A child that runs serve() on the pipes. */
int peer_fork(struct peer *p, int (*serve)(int in, int out));
/*
 * The same, as another host's: what it says on stderr is kept.  It does not
 * outlive us: what is under way to a server is of no use then.
 */
int peer_fork_host(struct peer *p, const char *host,
    int (*serve)(int in, int out));
/*
 * rsh: the command and its options, apart by blanks.  program: what runs over
 * there, with --server behind it.  ENOENT: no such command here.
 */
int peer_ssh(struct peer *p, const struct peer_place *place, const char *rsh,
    const char *program);
/* Take what it has said on stderr, without waiting. */
void peer_listen(struct peer *p);
/*
 * Wait for its end, and after so long end it; its exit status, or 128 and the
 * signal.  (Without a link to where it goes ssh waits for many minutes.)
 */
int peer_end(struct peer *p, int64_t patience_ms);

#endif
