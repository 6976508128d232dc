/*
 * takeover TOPIC COUNT: how long after kill -9 of a member of a group does
 * another print what the dead one had left.  Two members of one group, one
 * partition: the one that reads is stopped, an event is appended, the reader is
 * killed; the time runs from the kill to reading the event at the other end of
 * the other's pipe.  Prints median and 99th percentile in ms.
 */

#include "pipes.h"

#include <stdio.h>
#include <sys/wait.h>

#define EVENT_SECONDS_MAX 10

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
	qsort(ms, (size_t)count, sizeof(*ms), compare_ms);
	printf("%.3f %.3f\n", ms[count / 2], ms[count * 99 / 100]);
	return 0;
}
