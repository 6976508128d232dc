#ifndef NET_SLOT_H
#define NET_SLOT_H

/*
 * The requests of one connection that are in work, and their answers in order.
 *
 * Each request takes a slot at the end of a line.  Slots are answered in any
 * order, from any thread; answers leave at the head of the line, so in the
 * order of the requests.  The connection may go away meanwhile: slots stay
 * valid until they are answered, and the line until it has none.
 *
 *	working ---> answered, no answer, failed ---> taken, freed
 */

#include <stdbool.h>
#include <stddef.h>

struct budget;
struct evbuffer;
struct slot;
struct slot_line;
struct loop;
struct task;

/*
 * What whoever works on a request does at last, once: one of these.  The slot
 * is then no longer theirs, and the request's bytes are given back to the
 * budget.
 */
/*
 * Answer with the bytes of body, and their size before them (conn.h).  body is
 * taken; it should come from conn_buffer().  One over INT32_MAX bytes fails
 * the slot.
 */
void slot_answer(struct slot *s, struct evbuffer *body);
/* There is no answer, as the protocol says. */
void slot_no_answer(struct slot *s);
/*
 * Close the connection, after the answers before this one.  why and what (a
 * constant phrase) as for conn_close().
 */
void slot_fail(struct slot *s, int why, const char *what);
/*
 * Has the connection gone?  A hint that work may be spared; the slot is to be
 * answered all the same.
 */
bool slot_is_dead(struct slot *s);
/* The connection's loop. */
struct loop *slot_loop(const struct slot *s);

/*
 * What the connection does (session.h).
 *
 * Start a line.  When the slot at its head is done, the loop is given that
 * task, until slot_line_close().  The budget (or NULL) is that of the requests.
 */
int slot_line_open(struct loop *l, struct task *done, struct budget *budget,
    struct slot_line **out);
/*
 * The connection has gone: drop what is done, give no more tasks.  The line is
 * freed with its last slot.
 */
void slot_line_close(struct slot_line *line);

/*
 * A slot for a request of len bytes, which have been taken from the budget;
 * NULL without memory.
 */
struct slot *slot_begin(struct slot_line *line, size_t len);
/*
 * Take what is done off the head of the line; answers go to the end of out.
 * *why is 0, or what a failed slot says, where the line then stays, and *what.
 * ENOMEM: out may end in part of an answer.
 */
int slot_take(struct slot_line *line, struct evbuffer *out, int *why,
    const char **what);

struct slot_load {
	size_t requests;	/* slots in the line */
	size_t request_bytes;	/* of those */
	size_t answer_bytes;	/* done, but waiting for one before them */
};

void slot_line_load(struct slot_line *line, struct slot_load *out);

#endif
