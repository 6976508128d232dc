#include "net/slot.h"

#include <sys/queue.h>

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/status.h"
#include "net/budget.h"
#include "net/loop.h"

enum slot_state {
	SLOT_WORKING,
	SLOT_ANSWERED,
	SLOT_NO_ANSWER,
	SLOT_FAILED,
};

/* All under the line's mutex. */
struct slot {
	struct slot_line *line;
	TAILQ_ENTRY(slot) entry;
	enum slot_state state;
	size_t request_len;
	struct evbuffer *answer;	/* ANSWERED: owned */
	int why;			/* FAILED */
	const char *what;
};

struct slot_line {
	struct loop *loop;
	struct task *done;
	struct budget *budget;
	pthread_mutex_t mutex;
	/* Under it. */
	TAILQ_HEAD(, slot) slots;
	struct slot_load load;
	bool is_closed;
};

static size_t
answer_len(const struct slot *s)
{
	return s->answer != NULL ? evbuffer_get_length(s->answer) : 0;
}

/* Take a slot out of its line; under the mutex. */
static void
unlink_slot(struct slot *s)
{
	struct slot_line *line = s->line;

	TAILQ_REMOVE(&line->slots, s, entry);
	line->load.requests--;
	line->load.request_bytes -= s->request_len;
	if (s->state != SLOT_WORKING)
		line->load.answer_bytes -= answer_len(s);
}

static void
free_slot(struct slot *s)
{
	if (s->answer != NULL)
		evbuffer_free(s->answer);
	free(s);
}

static void
free_line(struct slot_line *line)
{
	pthread_mutex_destroy(&line->mutex);
	free(line);
}

/* The slot is done, and what it is done with is set but for the state. */
static void
finish(struct slot *s, enum slot_state state)
{
	struct slot_line *line = s->line;
	struct loop *loop = line->loop;
	bool is_last, is_to_wake;

	if (line->budget != NULL)
		budget_give(line->budget, s->request_len);
	pthread_mutex_lock(&line->mutex);
	assert(s->state == SLOT_WORKING);
	if (!line->is_closed) {
		s->state = state;
		line->load.answer_bytes += answer_len(s);
		is_to_wake = s == TAILQ_FIRST(&line->slots) &&
		    loop_queue(loop, line->done);
		pthread_mutex_unlock(&line->mutex);
		if (is_to_wake)
			loop_wake(loop);
		return;
	}
	unlink_slot(s);
	is_last = TAILQ_EMPTY(&line->slots);
	pthread_mutex_unlock(&line->mutex);
	free_slot(s);
	if (is_last)
		free_line(line);
}

void
slot_answer(struct slot *s, struct evbuffer *body)
{
	if (evbuffer_get_length(body) > INT32_MAX) {
		evbuffer_free(body);
		slot_fail(s, STATUS_TOO_BIG, "answer too large");
		return;
	}
	s->answer = body;
	finish(s, SLOT_ANSWERED);
}

void
slot_no_answer(struct slot *s)
{
	finish(s, SLOT_NO_ANSWER);
}

void
slot_fail(struct slot *s, int why, const char *what)
{
	assert(why != 0);
	s->why = why;
	s->what = what;
	finish(s, SLOT_FAILED);
}

bool
slot_is_dead(struct slot *s)
{
	bool is_dead;

	pthread_mutex_lock(&s->line->mutex);
	is_dead = s->line->is_closed;
	pthread_mutex_unlock(&s->line->mutex);
	return is_dead;
}

struct loop *
slot_loop(const struct slot *s)
{
	return s->line->loop;
}

int
slot_line_open(struct loop *l, struct task *done, struct budget *budget,
    struct slot_line **out)
{
	struct slot_line *line = calloc(1, sizeof(*line));

	if (line == NULL)
		return ENOMEM;
	line->loop = l;
	line->done = done;
	line->budget = budget;
	pthread_mutex_init(&line->mutex, NULL);
	TAILQ_INIT(&line->slots);
	*out = line;
	return 0;
}

void
slot_line_close(struct slot_line *line)
{
	struct slot *s, *next;
	bool is_empty;

	if (line == NULL)
		return;
	pthread_mutex_lock(&line->mutex);
	line->is_closed = true;
	for (s = TAILQ_FIRST(&line->slots); s != NULL; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (s->state == SLOT_WORKING)
			continue;
		unlink_slot(s);
		free_slot(s);
	}
	is_empty = TAILQ_EMPTY(&line->slots);
	pthread_mutex_unlock(&line->mutex);
	if (is_empty)
		free_line(line);
}

struct slot *
slot_begin(struct slot_line *line, size_t len)
{
	struct slot *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->line = line;
	s->request_len = len;
	pthread_mutex_lock(&line->mutex);
	TAILQ_INSERT_TAIL(&line->slots, s, entry);
	line->load.requests++;
	line->load.request_bytes += len;
	pthread_mutex_unlock(&line->mutex);
	return s;
}

/* The head of the line, taken out if it is done and has not failed. */
static struct slot *
next_done(struct slot_line *line, int *why, const char **what)
{
	struct slot *s;

	pthread_mutex_lock(&line->mutex);
	s = TAILQ_FIRST(&line->slots);
	if (s != NULL && s->state == SLOT_FAILED) {
		*why = s->why;
		*what = s->what;
	}
	if (s != NULL && (s->state == SLOT_WORKING || s->state == SLOT_FAILED))
		s = NULL;
	if (s != NULL)
		unlink_slot(s);
	pthread_mutex_unlock(&line->mutex);
	return s;
}

static int
add_answer(struct evbuffer *out, struct evbuffer *body)
{
	uint8_t header[4];

	buf_put_32(header, (uint32_t)evbuffer_get_length(body));
	if (evbuffer_add(out, header, sizeof(header)) != 0)
		return ENOMEM;
	return evbuffer_add_buffer(out, body) == 0 ? 0 : ENOMEM;
}

int
slot_take(struct slot_line *line, struct evbuffer *out, int *why,
    const char **what)
{
	struct slot *s;
	int rc = 0;

	*why = 0;
	while (rc == 0 && (s = next_done(line, why, what)) != NULL) {
		if (s->state == SLOT_ANSWERED)
			rc = add_answer(out, s->answer);
		free_slot(s);
	}
	return rc;
}

void
slot_line_load(struct slot_line *line, struct slot_load *out)
{
	pthread_mutex_lock(&line->mutex);
	*out = line->load;
	pthread_mutex_unlock(&line->mutex);
}
