/*
 * Programs that read, with each of their calls failing in turn: what they print
 * is right, and if they say that it is all, it is.
 */

#include "fault.h"

#define CODECS                                                                 \
	"logcreate -P 2 -X segment.bytes=2K t; "                               \
	"for z in none gzip snappy lz4 zstd; do "                              \
	"for p in 0 1; do seq -f k=$z-%g 1 12 | "                              \
	"logappend -K = -p $p -z $z --batch-bytes 200 t; done; done; "         \
	"logcat -g g -c 7 t >/dev/null"
#define SETTLE                                                                 \
	"for p in 0 1; do echo k=last | "                                      \
	"logappend -K = -p $p --timestamp 1900000000000 t; done"

static const struct scenario scenarios[] = {
    {"cat", CODECS, SETTLE, "logcat -J -p 0 t", JUDGE_READ, 0, 0, false},
    {"merge", CODECS, SETTLE, "logcat -m -J t", JUDGE_READ, 0, 0, false},
    {"back", CODECS, SETTLE, "logcat -r -p 0 -c 50 t", JUDGE_READ, 0, 0, false},
    {"latest", CODECS, SETTLE, "logcat --latest -K = t", JUDGE_READ, 0, 0,
	false},
    {"time", CODECS, SETTLE, "logcat -S -1h -U now -k k t", JUDGE_READ, 0, 0,
	false},
    {"tail", CODECS, SETTLE, "logtail -n 3 -F %p:%o:%s\\n t", JUDGE_READ, 0, 0,
	false},
    {"batches", CODECS, SETTLE, "logcat -B -p 1 t", JUDGE_READ, 0, 0, false},
    {"stat", CODECS, SETTLE, "logstat t", JUDGE_READ, 0, 0, false},
    {"lag", CODECS, SETTLE, "logadmin group describe t g", JUDGE_READ, 0, 0,
	false},
    {"check", CODECS, SETTLE, "logfsck t/0", JUDGE_READ, 0, 0, false},
};

static const char *const ways[][2] = {
    {"open", "EIO"},
    {"open", "EMFILE+"},
    {"read", "EIO"},
    {"read", "EIO+"},
    {"read", "half"},
    {"read", "EINTR"},
    {"write", "EIO"},
    {"write", "ENOSPC+"},
    {"write", "half"},
    {"write", "EINTR"},
    {"mmap", "ENOMEM+"},
    {"alloc", "ENOMEM"},
    {"alloc", "ENOMEM+"},
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
