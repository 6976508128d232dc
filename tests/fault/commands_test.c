/*
 * The other commands with each of their calls failing in turn: topics made
 * and changed, compaction, retention, groups, repair.
 */

#include "fault.h"

#define SMALL "logcreate -X segment.bytes=400 t; "
#define KEYS                                                                   \
	"for i in 1 2 3 4 5 6; do "                                            \
	"printf 'a=%d\\nb=%d\\nc%d=1\\n' $i $i $i | "                          \
	"logappend -K = --batch-bytes 100 t; done"
#define SETTLE "echo z=old | logappend -K = t"

static const struct scenario scenarios[] = {
    {"create", "true", NULL, "logcreate --if-not-exists -P 2 t", JUDGE_CREATE,
	0, 0, false},
	{"compact", SMALL KEYS, SETTLE, "logcompact --policy compact t",
	JUDGE_SHRINK, 0, 0, false},
	{"active", SMALL KEYS, SETTLE,
	"logcompact --policy compact --include-active t", JUDGE_SHRINK, 0, 0,
	false},
    {"drop", SMALL KEYS, SETTLE, "logcompact --drop-key a t", JUDGE_SHRINK, 0,
	0, false},
	{"retention", SMALL KEYS, SETTLE,
	"logcompact --policy delete --retention-bytes 500 t", JUDGE_SHRINK, 0,
	0, false},
    {"before", SMALL KEYS, SETTLE, "logcompact --before 9 t", JUDGE_SHRINK, 0,
	0, false},
    {"group", SMALL KEYS, SETTLE, "logcat -g g t", JUDGE_GROUP, 0, 0, false},
	{"cursor", SMALL KEYS, SETTLE "; rm -f cursor",
	"logcat --cursor-file cursor t", JUDGE_GROUP, 0, 0, false},
    {"seek", SMALL KEYS, SETTLE, "logadmin group seek t g -o 5", JUDGE_OTHER, 0,
	0, false},
	{"set", SMALL KEYS, SETTLE, "logadmin topic set t retention.ms=1d",
	JUDGE_OTHER, 0, 0, false},
    {"grow", SMALL KEYS, SETTLE, "logcreate --grow-to 3 t", JUDGE_OTHER, 0, 0,
	false},
	{"fsck", SMALL KEYS,
	SETTLE "; printf X | dd bs=1 seek=100 conv=notrunc status=none "
	       "of=t/0/00000000000000000000.log",
	"logfsck -y t", JUDGE_SHRINK, 0, 1, true},
	{"fsck_files", SMALL KEYS,
	SETTLE "; rm t/0/*.index t/0/*.sum t/0/leader-epoch-checkpoint",
	"logfsck -y t", JUDGE_SHRINK, 0, 1, true},
	{"fsck_end", SMALL KEYS,
	SETTLE "; for f in t/0/*.log; do :; done; "
	       "printf X | dd bs=1 seek=70 conv=notrunc status=none of=$f",
	"logfsck -y t", JUDGE_SHRINK, 0, 1, true},
	{"fsck_active", SMALL KEYS,
	SETTLE "; for f in t/0/*.log; do :; done; rm $f", "logfsck -y t",
	JUDGE_SHRINK, 0, 1, true},
    {"fsck_only", "logcreate t; " KEYS, SETTLE "; rm t/0/*.log", "logfsck -y t",
	JUDGE_SHRINK, 0, 1, true},
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
    {"write", "ENOSPC+"},
    {"write", "half"},
    {"write", "EINTR"},
    {"write", "half-ENOSPC+"},
    {"sync", "EIO"},
    {"sync", "EIO+"},
    {"truncate", "EIO"},
    {"rename", "EIO"},
    {"rename", "EIO+"},
    {"unlink", "EIO"},
    {"unlink", "EIO+"},
    {"mkdir", "ENOSPC"},
    {"mmap", "ENOMEM+"},
    {"alloc", "ENOMEM"},
    {"alloc", "ENOMEM+"},
    {"change", "EIO+"},
    {"change", "kill-before"},
    {"change", "kill-after"},
    {"write", "half-kill"},
    {"file", "kill-before"},
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
