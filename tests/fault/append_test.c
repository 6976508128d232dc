/*
 * logappend with each of its calls failing in turn: to a fresh partition, to
 * one whose log has to be recovered, with rolls.
 */

#include "fault.h"

static const struct scenario scenarios[] = {
    {"fresh", "logcreate t", NULL, "logappend --report t", JUDGE_APPEND, 2, 0,
	false},
    {"old", "logcreate t; seq 5 | logappend t", "echo old | logappend t",
	"logappend --report t", JUDGE_APPEND, 3, 0, false},
    /* Without settling: the copy has to be adopted. */
    {"copy", "logcreate t; seq 500 | logappend --batch-bytes 300 t", NULL,
	"logappend --report t", JUDGE_APPEND, 1, 0, false},
	{"tail", "logcreate t; seq 5 | logappend t",
	"seq 3 | logappend t; printf '12345678901234567890' "
	">>t/0/00000000000000000000.log",
	"logappend -q --report t", JUDGE_APPEND, 2, 0, false},
	{"roll", "logcreate -X segment.bytes=150 t; seq 2 | logappend t",
	"echo old | logappend t", "logappend --report t", JUDGE_APPEND, 4, 0,
	false},
    {"relaxed", "logcreate t; echo old | logappend t", "echo old | logappend t",
	"logappend --fsync none --report t", JUDGE_APPEND, 2, 0, false},
};

static const char *const ways[][2] = {
    {"open", "EIO"},
    {"open", "EMFILE+"},
    {"open", "ENOSPC"},
    {"read", "EIO"},
    {"read", "EIO+"},
    {"read", "half"},
    {"read", "EINTR"},
    {"write", "EIO"},
    {"write", "EIO+"},
    {"write", "ENOSPC"},
    {"write", "ENOSPC+"},
    {"write", "half"},
    {"write", "EINTR"},
    {"write", "half-EIO"},
    {"write", "half-ENOSPC+"},
    {"sync", "EIO"},
    {"sync", "EIO+"},
    {"sync", "ENOSPC"},
    {"sync", "EINTR"},
    {"truncate", "EIO"},
    {"truncate", "EIO+"},
    {"rename", "EIO"},
    {"rename", "EIO+"},
    {"unlink", "EIO+"},
    {"mkdir", "ENOSPC"},
    {"mmap", "ENOMEM+"},
    {"alloc", "ENOMEM"},
    {"alloc", "ENOMEM+"},
    {"change", "EIO+"},
    {"file", "EIO+"},
    {"change", "kill-before"},
    {"change", "kill-after"},
    {"write", "half-kill"},
    {"file", "kill-before"},
	{NULL, NULL},
};

/* Each acknowledged line is where it was said to be, behind *last. */
static void
check_acknowledged(const struct outcome *o, const struct text *now, long *last)
{
	for (size_t i = 0; i < o->out.count; i++) {
		long offset = atol(strrchr(o->out.line[i], '\t') + 1);
		char want[80];

		fault_expect(offset > *last, "%ld acknowledged after %ld",
		    offset, *last);
		*last = offset;
		snprintf(want, sizeof(want), "0 %ld =n-%zu", offset, i + 1);
		fault_expect(offset < (long)now->count &&
			strcmp(now->line[offset], want) == 0,
		    "acknowledged %s, got %s", want,
		    offset < (long)now->count ? now->line[offset] : "nothing");
	}
}

/* The state as of its last sync, and another boot: a power cut. */
static void
cut_power(void)
{
	int from = open("state.synced", O_RDONLY | O_CLOEXEC);
	int to = open("t/0/" STATE_FILE, O_WRONLY | O_CLOEXEC);
	char page[STATE_PAGE_LEN];

	if (read(from, page, sizeof(page)) != sizeof(page) ||
	    write(to, page, sizeof(page)) != sizeof(page))
		abort();
	close(from);
	close(to);
	setenv("FAULT_BOOT", "boot_id", 1);
}

/*
 * A sync fails, a second writer is told that all is well, then the power goes:
 * what either acknowledged is there though the state on the device is old.
 */
static void
state_not_synced(const struct scenario *s, int n)
{
	struct outcome first, second, third;
	struct text now;
	char fault[32];
	long last = -1;

	unlink("fault.log");
	unsetenv("FAULT_BOOT");
	setenv("LD_PRELOAD", fault_preload, 1);
	setenv("FAULT_STATE", "state.synced", 1);
	fault_prepare(s);
	snprintf(fault, sizeof(fault), "sync:%d:EIO", n);
	setenv("FAULT", fault, 1);
	fault_run(s->command, s->feed, &first);
	unsetenv("FAULT");
	/* One line, so that a new segment is not followed by the next. */
	fault_run(s->command, 1, &second);
	cut_power();
	fault_run(s->command, s->feed, &third);
	unsetenv("LD_PRELOAD");
	unsetenv("FAULT_STATE");
	(void)fault_records(&now);
	check_acknowledged(&first, &now, &last);
	check_acknowledged(&second, &now, &last);
	check_acknowledged(&third, &now, &last);
	fault_expect(second.status == 0 && third.status == 0,
	    "exit status %d, %d after the power cut: %s", second.status,
	    third.status, third.err.count > 0 ? third.err.line[0] : "");
	unsetenv("FAULT_BOOT");
	fault_check_fsck("after the power cut", false);
	outcome_release(&first);
	outcome_release(&second);
	outcome_release(&third);
	text_release(&now);
}

static void
states_not_synced(const struct scenario *s)
{
	static const char id[] = "01234567-89ab-cdef-0123-456789abcdef\n";
	int fd = open("boot_id", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct whole w;
	int calls;

	if (write(fd, id, sizeof(id) - 1) != sizeof(id) - 1)
		abort();
	close(fd);
	fault_bad = 0;
	fault_learn(s, &w);
	calls = fault_calls("whole.count", "sync");
	for (int n = 1; n <= calls; n++) {
		char name[80];

		snprintf(name, sizeof(name), "%s sync %d", s->name, n);
		fault_now = name;
		state_not_synced(s, n);
	}
	tap(fault_bad == 0, "%s: %d syncs fail, then the power", s->name,
	    calls);
}

int
main(int argc, char **argv)
{
	const char *only = getenv("FAULT_ONLY");

	(void)argc;
	fault_begin(argv);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		fault_scenario(&scenarios[i], ways);
	if (only == NULL || strcmp(only, "power") == 0)
		for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]);
		     i++)
			states_not_synced(&scenarios[i]);
	return tap_done();
}
