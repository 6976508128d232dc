/*
 * logkit NAME ...: run logNAME, which stands beside this program or on PATH.
 */

#include <err.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"

static const struct cli_option *const tables[] = {NULL};

static const struct cli_program program = {
    "NAME [ARG]...",
    "Run logNAME: create, append, cat, tail, stat ...",
    tables,
};

int
main(int argc, char **argv)
{
	char self[PATH_MAX], path[PATH_MAX], name[64];
	ssize_t len;

	cli_start(argv);
	cli_bare = true;
	if (argc < 2 || argv[1][0] == '\0')
		cli_usage("no program named");
	if (argv[1][0] == '-') {
		(void)cli_next(&program, argc, argv);
		cli_usage("no program named");
	}
	if (strspn(argv[1], "abcdefghijklmnopqrstuvwxyz") != strlen(argv[1]))
		cli_usage("%s: not a program's name", argv[1]);
	snprintf(name, sizeof(name), "log%s", argv[1]);
	argv[1] = name;
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len > 0) {
		self[len] = '\0';
		if (snprintf(path, sizeof(path), "%s/%s", dirname(self), name) <
		    (int)sizeof(path))
			execv(path, argv + 1);
	}
	execvp(name, argv + 1);
	if (errno == ENOENT)
		errx(CLI_USAGE, "%s: no such program", name);
	err(CLI_FAIL, "%s", name);
}
