/*
 * takeover TOPIC COUNT: how long after kill -9 of a member of a group does
 * another print what the dead one had left.  Two members of one group, one
 * partition: the one that reads is stopped, an event is appended, the reader is
 * killed; the time runs from the kill to reading the event at the other end of
 * the other's pipe.  Prints median and 99th percentile in ms.
 */

#include <fcntl.h>
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

/* A member, given time to join. */
static pid_t
join(char *topic, int *out)
{
	char *argv[] = {"logtail", "-f", "-g", "bench", topic, NULL};
	pid_t pid = spawn(argv, NULL, out);

	usleep(50000);
	return pid;
}

int
main(int argc, char **argv)
{
	char *append[] = {"logappend", "--report", argc > 1 ? argv[1] : NULL,
	    NULL};
	int in, report, out[2], count = argc > 2 ? atoi(argv[2]) : 0;
	double *ms = calloc((size_t)count + 1, sizeof(*ms));
	pid_t append_pid, member[2];

	if (argc != 3 || count < 1 || ms == NULL)
		return 2;
	append_pid = spawn(append, &in, &report);
	member[0] = join(argv[1], &out[0]);
	for (int i = 0; i < count; i++) {
		double killed;

		member[1] = join(argv[1], &out[1]);
		alarm(EVENT_SECONDS_MAX);
		if (kill(member[0], SIGSTOP) != 0 ||
		    write(in, "an event\n", 9) != 9)
			return 1;
		(void)read_line(report);
		killed = now_ms();
		kill(member[0], SIGKILL);
		ms[i] = read_line(out[1]) - killed;
		waitpid(member[0], NULL, 0);
		close(out[0]);
		/* What it read is committed before it dies itself. */
		usleep(1100000);
		member[0] = member[1];
		out[0] = out[1];
	}
	close(in);
	kill(member[0], SIGTERM);
	waitpid(member[0], NULL, 0);
	waitpid(append_pid, NULL, 0);
	qsort(ms, (size_t)count, sizeof(*ms), compare);
	printf("%.3f %.3f\n", ms[count / 2], ms[count * 99 / 100]);
	return 0;
}
