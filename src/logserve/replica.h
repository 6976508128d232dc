#ifndef LOGSERVE_REPLICA_H
#define LOGSERVE_REPLICA_H

/*
 * A client that copies logs to this server (Replicate, on_replicate.c): who it
 * has proven to be, and the receiving end of its stream.  It is made by its
 * first request, and goes with the client; requests of one client come one
 * after the other.
 *
 *	step 0	nonce, nonce		NEW -> GREETED
 *	step 1	proof, proof		GREETED -> PROVEN
 *	step 2	frames, frames		PROVEN
 *
 * as lib/replicate/trust.h tells.  What is out of turn, or wrong, is answered
 * with an error, and the next request closes the connection.
 */

struct client;

/* What the client has, if it is one; may wait for the disk. */
void replica_free(struct client *c);

#endif
