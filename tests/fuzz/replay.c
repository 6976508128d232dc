/*
 * Gives a fuzz target each file of the directories, or the files, that are
 * named; without any, those of corpus/NAME and regressions/NAME.  TAP.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 24 };

static int given;

static void
give(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *data;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size > INPUT_MAX) {
		fprintf(stderr, "# cannot read %s\n", path);
		exit(1);
	}
	/* Of its very size, so that reading past it is seen. */
	data = malloc((size_t)st.st_size);
	if (read(fd, data, (size_t)st.st_size) != st.st_size)
		exit(1);
	close(fd);
	if (getenv("FUZZ_SHOW") != NULL)
		fprintf(stderr, "# %s\n", path);
	(void)LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	free(data);
	given++;
}

static void
give_all(const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);
	char file[4096];

	if (count < 0) {
		give(path);
		return;
	}
	for (int i = 0; i < count; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			give(file);
		free(names[i]);
	}
	free(names);
}

/* "batch" of .../batch_replay. */
static void
name_of(const char *program, char *out, size_t size)
{
	const char *slash = strrchr(program, '/');
	char *end;

	snprintf(out, size, "%s", slash == NULL ? program : slash + 1);
	end = strstr(out, "_replay");
	if (end != NULL)
		*end = '\0';
}

int
main(int argc, char **argv)
{
	char name[200], path[300];

	name_of(argv[0], name, sizeof(name));
	for (int i = 1; i < argc; i++)
		give_all(argv[i]);
	if (argc == 1) {
		snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name);
		give_all(path);
		snprintf(path, sizeof(path), "tests/fuzz/regressions/%s", name);
		if (access(path, F_OK) == 0)
			give_all(path);
	}
	printf("%s 1 - %s: %d inputs\n1..1\n", given > 0 ? "ok" : "not ok",
	    name, given);
	return given > 0 ? 0 : 1;
}
