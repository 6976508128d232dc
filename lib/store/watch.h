#ifndef STORE_WATCH_H
#define STORE_WATCH_H

/*
 * Waiting for partitions to grow.
 *
 * Every append ends with a write to partition.state, which inotify(7) reports
 * to whoever watches the directory; so are new segments, a broker's appends
 * to a directory without state, and removal.  Where there is no inotify (the
 * user's instances are used up, a network file system) watch_wait() polls.
 * It returns at the latest after a second in any case, for what inotify may
 * have missed.
 */

#include <stdbool.h>
#include <stddef.h>

struct watch;

int watch_open(struct watch **out);
void watch_close(struct watch *w);
/*
 * Watch a directory (a partition's, a topic's, or one in which a topic may
 * appear).  Adding it twice is the same as once.
 */
int watch_add(struct watch *w, const char *path);
/*
 * The same; *number is that of the directory in watch_take(), -1 if it polls.
 */
int watch_add_numbered(struct watch *w, const char *path, int *number);
/*
 * In place of watch_wait(), and without waiting: the number of a directory in
 * which something has changed; -1: in any of them, for some was not told.
 * False: there is no more.
 */
bool watch_take(struct watch *w, int *number);
/* As watch_add(), and also when who could write a file there closes it. */
int watch_add_closing(struct watch *w, const char *path);
/*
 * An eventfd(2) of the watch, which somebody else may write to: then something
 * has changed.  -1: there is none to be had.
 */
int watch_wake_fd(struct watch *w);
/*
 * Wait until something may have changed since the last return, or timeout_ms
 * has passed (-1: none).  *changed: look again.
 * EPIPE: fd (-1: none) is a pipe or socket whose other end has gone.  EINTR:
 * a signal came.
 */
int watch_wait(struct watch *w, int timeout_ms, int fd, bool *changed);
/* Did the last watch_wait() end with such a close? */
bool watch_closed(const struct watch *w);
/* To be polled together with others (POLLIN: call watch_wait); -1: polling. */
int watch_fd(const struct watch *w);
/* Is it polling? */
bool watch_is_polling(const struct watch *w);

#endif
