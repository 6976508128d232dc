/*
 * Records whose value is their number and whose key follows from it.
 *
 *	keys gen FROM TO KEYS [WORDS]
 *				lines "KEY:NUMBER" of FROM up to TO, and that
 *				many words behind that
 *	keys check UPTO KEYS [LATER]
 *				lines "OFFSET KEY NUMBER" on standard input are
 *				records of gen, offset as number, in order, and
 *				of each key the last below UPTO or a later one
 *				is there; says how many lines there were.  Those
 *				of UPTO up to LATER came while they were read:
 *				of their keys the ones before may be gone
 */

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t
key_of(uint64_t number, uint64_t keys)
{
	uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15);

	x ^= x >> 29;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 32;
	return x % keys;
}

static void
generate(uint64_t from, uint64_t to, uint64_t keys, uint64_t words)
{
	for (uint64_t i = from; i < to; i++) {
		printf("k%llu:%llu", (unsigned long long)key_of(i, keys),
		    (unsigned long long)i);
		for (uint64_t w = 0; w < words; w++)
			printf(" %08llx",
			    (unsigned long long)key_of(i * words + w,
				UINT64_C(1) << 32));
		putchar('\n');
	}
	if (fflush(stdout) != 0)
		err(1, "stdout");
}

static void
check(uint64_t upto, uint64_t keys, uint64_t later)
{
	int64_t *seen = malloc(keys * sizeof(*seen));
	int64_t *want = malloc(keys * sizeof(*want));
	unsigned long long count = 0;
	int64_t last = -1;
	char line[128];

	if (seen == NULL || want == NULL)
		err(1, NULL);
	memset(seen, 0xff, keys * sizeof(*seen));
	memset(want, 0xff, keys * sizeof(*want));
	for (uint64_t i = 0; i < upto; i++)
		want[key_of(i, keys)] = (int64_t)i;
	for (uint64_t i = upto; i < later; i++)
		want[key_of(i, keys)] = -1;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		char *rest;
		int64_t offset = strtoll(line, &rest, 10), number;
		uint64_t key;

		if (strncmp(rest, " k", 2) != 0)
			errx(1, "not a record: %s", line);
		key = strtoull(rest + 2, &rest, 10);
		number = strtoll(rest, &rest, 10);
		if (*rest != '\n' || number != offset || key >= keys ||
		    key != key_of((uint64_t)number, keys))
			errx(1, "another record: %s", line);
		if (offset <= last)
			errx(1, "out of order: %s", line);
		last = offset;
		seen[key] = number;
		count++;
	}
	for (uint64_t k = 0; k < keys; k++)
		if (seen[k] < want[k])
			errx(1, "key %llu: %lld is there, %lld was",
			    (unsigned long long)k, (long long)seen[k],
			    (long long)want[k]);
	free(seen);
	free(want);
	printf("%llu\n", count);
}

int
main(int argc, char **argv)
{
	if ((argc == 5 || argc == 6) && strcmp(argv[1], "gen") == 0)
		generate(strtoull(argv[2], NULL, 10),
		    strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10),
		    argc == 6 ? strtoull(argv[5], NULL, 10) : 0);
	else if ((argc == 4 || argc == 5) && strcmp(argv[1], "check") == 0)
		check(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
		    argc == 5 ? strtoull(argv[4], NULL, 10) : 0);
	else
		errx(2,
		    "usage: keys gen FROM TO KEYS [WORDS] | "
		    "check UPTO KEYS [LATER]");
	return 0;
}
