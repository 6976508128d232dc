#ifndef BENCH_PIPES_H
#define BENCH_PIPES_H

/*
 * Programs that run behind pipes, and when a line of theirs was there.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static inline double
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Run argv with stdout, and stdin if in is not NULL, as pipes, until we end. */
static inline pid_t
spawn(char *const argv[], int *in, int *out)
{
	int to[2], from[2];
	pid_t pid;

	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 ||
	    (pid = fork()) < 0)
		exit(1);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		close(to[1]);
		close(from[0]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	if (in != NULL)
		*in = to[1];
	else
		close(to[1]);
	*out = from[0];
	return pid;
}

/* Read up to a newline; the time at which it was there. */
static inline double
read_line(int fd)
{
	char c;

	do
		if (read(fd, &c, 1) != 1)
			exit(1);
	while (c != '\n');
	return now_ms();
}

static inline int
compare_ms(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

#endif
