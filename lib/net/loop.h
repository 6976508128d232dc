#ifndef NET_LOOP_H
#define NET_LOOP_H

/*
 * A thread with an event loop (libevent's) in it.  What belongs to a loop is
 * only ever touched by its thread, without locks; other threads hand it tasks.
 * Nothing that may block (a disk, a lock held for long) runs there.
 *
 * libevent is used without its own locks: an event_base, an event or an
 * evbuffer has one thread at a time.
 *
 * All signals are blocked in the thread, SIGPIPE too, so that writing to a
 * socket whose other end has gone is an error and nothing more.
 */

#include <stdbool.h>
#include <stdint.h>

#include "net/task.h"

struct event_base;
struct loop;
struct loop_timer;

/* Start one.  ENOMEM, EAGAIN, EMFILE. */
int loop_open(struct loop **out);
/*
 * Run what was handed over and what that hands over, end the thread, free all.
 * Connections and timers are to be closed before.  From another thread; NULL
 * is nothing.
 */
void loop_close(struct loop *l);

/*
 * Run the task on the loop, soon, after those handed over before it; from any
 * thread.  One that waits already is not queued twice.
 */
void loop_post(struct loop *l, struct task *t);
/*
 * The same in two steps, for who holds a lock that the task will take: true,
 * loop_wake() is to follow when that is free.
 */
bool loop_queue(struct loop *l, struct task *t);
void loop_wake(struct loop *l);
/* Forget it if it still waits; on the loop. */
void loop_cancel(struct loop *l, struct task *t);
/* Run call on the loop and wait until it has returned; from any thread. */
void loop_call(struct loop *l, void (*call)(void *arg), void *arg);
/* Is this the loop's thread? */
bool loop_is_here(const struct loop *l);

/* For events of one's own; on the loop. */
struct event_base *loop_base(struct loop *l);

/*
 * Timers; all on the loop.  A new one is not set; call runs once each time it
 * was set and has run out, and may set or close the timer.  A few ms late is
 * normal, and so is one or two early.
 */
int loop_timer_open(struct loop *l, void (*call)(void *arg), void *arg,
    struct loop_timer **out);
void loop_timer_close(struct loop_timer *t);
/* In ms from now (>= 0), whatever it was set to before. */
void loop_timer_set(struct loop_timer *t, int64_t ms);
void loop_timer_clear(struct loop_timer *t);

#endif
