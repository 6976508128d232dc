/*
 * latency TOPIC COUNT: how long after logappend has said that an event is
 * durable does "logtail -f" print it.  One logappend and one logtail run all
 * the time; events go one by one, each after the one before was seen.  What is
 * measured is from reading the end of --report's line to reading the event
 * at the other end of logtail's pipe (0 if it was there first).  Prints median
 * and 99th percentile in ms.  It fails if an event does not come.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EVENT_SECONDS_MAX 10

static double
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Run argv with stdin (if in is not NULL) and stdout as pipes. */
static pid_t
spawn(char *const argv[], int *in, int *out)
{
	int to[2], from[2];
	pid_t pid;

	if (pipe(to) != 0 || pipe(from) != 0 || (pid = fork()) < 0)
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
static double
read_line(int fd)
{
	char c;

	do
		if (read(fd, &c, 1) != 1)
			exit(1);
	while (c != '\n');
	return now_ms();
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	char *append[] = {"logappend", "--report", argc > 1 ? argv[1] : NULL,
	    NULL};
	char *tail[] = {"logtail", "-n", "0", "-f", argc > 1 ? argv[1] : NULL,
	    NULL};
	int in, report, seen, count = argc > 2 ? atoi(argv[2]) : 0;
	double *ms = calloc((size_t)count + 1, sizeof(*ms));
	pid_t tail_pid, append_pid;

	if (argc != 3 || count < 1 || ms == NULL)
		return 2;
	tail_pid = spawn(tail, NULL, &seen);
	append_pid = spawn(append, &in, &report);
	usleep(200000);
	for (int i = 0; i < count; i++) {
		double acked, shown;

		alarm(EVENT_SECONDS_MAX);
		if (write(in, "an event\n", 9) != 9)
			return 1;
		acked = read_line(report);
		shown = read_line(seen);
		ms[i] = shown > acked ? shown - acked : 0;
		usleep(2000);
	}
	close(in);
	kill(tail_pid, SIGTERM);
	waitpid(tail_pid, NULL, 0);
	waitpid(append_pid, NULL, 0);
	qsort(ms, (size_t)count, sizeof(*ms), compare);
	printf("%.3f %.3f\n", ms[count / 2], ms[count * 99 / 100]);
	return 0;
}
