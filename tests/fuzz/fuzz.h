#ifndef FUZZ_H
#define FUZZ_H

/*
 * For fuzz targets.  A target is NAME_fuzz.c with the entry point of libFuzzer,
 * which returns 0.  It takes any bytes, and fails by a crash, a report of a
 * sanitizer, or a fuzz_must() that does not hold.  It is linked twice: with
 * libFuzzer (make fuzz), and with replay.c, which gives it the inputs of
 * corpus/NAME and regressions/NAME (make check).
 *
 * Files that a target needs are in memory or in a directory of their own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_must(cond)                                                        \
	((cond) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #cond))
_Noreturn void fuzz_fail(const char *file, int line, const char *text);

/* What is left of the input.  Taking more than there is gives zeros. */
struct fuzz_input {
	const uint8_t *data;
	size_t len;
};

uint8_t fuzz_byte(struct fuzz_input *in);
/* So many bytes, at most 8, big-endian. */
uint64_t fuzz_number(struct fuzz_input *in, int bytes);
/* What stands before the next NUL, or the rest; valid until the next call. */
const char *fuzz_string(struct fuzz_input *in);
/* What stands before a length of two bytes at the input's end says. */
struct fuzz_input fuzz_part(struct fuzz_input *in);

/* A file with these bytes; the same descriptor for each call. */
int fuzz_file(const void *data, size_t len);
/* A directory, of no other process, and a file in it. */
const char *fuzz_dir(void);
int fuzz_dirfd(void);
void fuzz_empty(void);
void fuzz_write(const char *name, const void *data, size_t len);

/* Give what looks like batches, and is whole, the CRC that it should have. */
void fuzz_sign(uint8_t *p, size_t len);

#endif
