/*
 * logappend with each of its calls failing in turn: to a fresh partition, to
 * one whose log has to be recovered, with rolls.
 */

#include "fault.h"

static const struct scenario scenarios[] = {
	{"fresh", "logcreate t", NULL, "logappend --report t", JUDGE_APPEND, 2,
	    0, false},
	{"old", "logcreate t; seq 5 | logappend t",
	    "echo old | logappend t", "logappend --report t", JUDGE_APPEND, 3,
	    0, false},
	/* Without settling: the copy has to be adopted. */
	{"copy", "logcreate t; seq 500 | logappend --batch-bytes 300 t",
	    NULL, "logappend --report t", JUDGE_APPEND, 1, 0, false},
	{"tail", "logcreate t; seq 5 | logappend t",
	    "seq 3 | logappend t; printf '12345678901234567890' "
	    ">>t/0/00000000000000000000.log",
	    "logappend -q --report t", JUDGE_APPEND, 2, 0, false},
	{"roll", "logcreate -X segment.bytes=150 t; seq 2 | logappend t",
	    "echo old | logappend t", "logappend --report t", JUDGE_APPEND, 4,
	    0, false},
	{"relaxed", "logcreate t; echo old | logappend t",
	    "echo old | logappend t", "logappend --fsync none --report t",
	    JUDGE_APPEND, 2, 0, false},
};

static const char *const ways[][2] = {
	{"open", "EIO"}, {"open", "EMFILE+"}, {"open", "ENOSPC"},
	{"read", "EIO"}, {"read", "EIO+"}, {"read", "half"}, {"read", "EINTR"},
	{"write", "EIO"}, {"write", "EIO+"}, {"write", "ENOSPC"},
	{"write", "ENOSPC+"}, {"write", "half"}, {"write", "EINTR"},
	{"write", "half-EIO"}, {"write", "half-ENOSPC+"},
	{"sync", "EIO"}, {"sync", "EIO+"}, {"sync", "ENOSPC"},
	{"sync", "EINTR"}, {"truncate", "EIO"}, {"truncate", "EIO+"},
	{"rename", "EIO"}, {"rename", "EIO+"}, {"unlink", "EIO+"},
	{"mkdir", "ENOSPC"}, {"mmap", "ENOMEM+"},
	{"alloc", "ENOMEM"}, {"alloc", "ENOMEM+"},
	{"change", "EIO+"}, {"file", "EIO+"},
	{"change", "kill-before"}, {"change", "kill-after"},
	{NULL, NULL},
};

int
main(int argc, char **argv)
{
	(void)argc;
	fault_begin(argv);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		fault_scenario(&scenarios[i], ways);
	return tap_done();
}
