/*
 * logreplicate: the same log somewhere else.
 *
 * Two of these work together, one at each end: this one, and a child of it or,
 * on another host, one that ssh runs (serve.c).  One sends, one receives.
 */

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/now.h"
#include "conversation.h"
#include "options.h"
#include "serve.h"
#include "telling.h"

static volatile sig_atomic_t stopped; /* the signal */

/* Half to all of a time that doubles up to half a minute. */
static void
pause_before_retry(int tries)
{
	int64_t ms = 500 << (tries < 6 ? tries : 6);
	int64_t until;

	if (ms > 30000)
		ms = 30000;
	ms = ms / 2 + (int64_t)arc4random_uniform((uint32_t)(ms / 2 + 1));
	telling_lost(ms);
	until = now_mono_ms() + ms;
	while (stopped == 0 && (ms = until - now_mono_ms()) > 0) {
		struct timespec ts = {0, 0};

		telling_alive();
		ts.tv_nsec = (ms < 500 ? ms : 500) * 1000000;
		(void)nanosleep(&ts, NULL);
	}
}

static int
run(void)
{
	struct conversation last;
	int status;

	for (int tries = 0;; tries++) {
		status = conversation_hold(&stopped, &last);
		if (!opt.request.follow || !last.lost || stopped != 0)
			return status;
		if (last.worked)
			tries = 0;
		pause_before_retry(tries);
	}
}

/* End cleanly; a second one does not wait for that. */
static void
on_signal(int signo)
{
	stopped = signo;
}

static void
catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction act = {.sa_handler = on_signal}, was;

	act.sa_flags = (int)SA_RESETHAND;
	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		(void)sigaction(signals[i], NULL, &was);
		if (was.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &act, NULL);
	}
}

/* As if there had been nobody to catch it. */
static void
die_by_signal(void)
{
	telling_stop();
	cli_close_stdout();
	(void)signal(stopped, SIG_DFL);
	(void)raise(stopped);
}

static void
begin_telling(bool ignores_pipe)
{
	const struct peer_place *there = opt.src.remote ? &opt.src : &opt.dst;
	bool away = there->remote || opt.is_to_cluster;

	telling_begin(&(struct telling_options){.name = opt.name,
	    .other = {there->path, opt.other, away ? there->host : NULL},
	    .dry_run = opt.request.dry_run,
	    .itemize = opt.itemize,
	    .follow = opt.request.follow,
	    .ignores_pipe = ignores_pipe});
}

int
main(int argc, char **argv)
{
	int status;

	cli_start(argv);
	options_parse(argc, argv);
	if (opt.server)
		return serve(STDIN_FILENO, STDOUT_FILENO, &opt.limits);
	begin_telling(signal(SIGPIPE, SIG_IGN) == SIG_IGN);
	catch_signals();
	status = run();
	options_release();
	if (stopped != 0)
		die_by_signal();
	cli_close_stdout();
	return status;
}
