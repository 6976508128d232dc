/*
 * latency TOPIC COUNT: how long after logappend has said that an event is
 * durable does "logtail -f" print it.  One logappend and one logtail run all
 * the time; events go one by one, each after the one before was seen.  What is
 * measured is from reading the end of --report's line to reading the event
 * at the other end of logtail's pipe (0 if it was there first).  Prints median
 * and 99th percentile in ms.  It fails if an event does not come.
 */

#include "pipes.h"

#include <stdio.h>
#include <sys/wait.h>

#define EVENT_SECONDS_MAX 10

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
	qsort(ms, (size_t)count, sizeof(*ms), compare_ms);
	printf("%.3f %.3f\n", ms[count / 2], ms[count * 99 / 100]);
	return 0;
}
