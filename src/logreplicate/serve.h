#ifndef LOGREPLICATE_SERVE_H
#define LOGREPLICATE_SERVE_H

/*
 * The other end of what the user has asked for: logreplicate --server, or a
 * child of the one that the user runs.
 */

/* What the one who asks may have: for a key in authorized_keys. */
struct serve_limits {
	const char *only;	/* "send", "receive"; NULL: both */
	const char *under;	/* paths are below this directory; NULL: any */
};

/* Serve one connection; the exit status. */
int serve(int in, int out, const struct serve_limits *limits);

#endif
