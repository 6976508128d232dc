#ifndef STORE_SALVAGE_IMPL_H
#define STORE_SALVAGE_IMPL_H

/*
 * The inside of a salvage, shared by salvage.c (what is told), salvage_runs.c
 * (what is there), salvage_chain.c (what agrees) and salvage_proof.c (what the
 * CRC of the whole says).  Nobody else includes it.
 */

#include "base/buf.h"
#include "store/salvage.h"
#include "store/segment.h"

enum { BLOCK = 1 << 20 };

/* The smallest piece that a disk gets wrong as a whole, and the largest. */
enum { SECTOR = 512, PIECE_MAX = 64 << 10 };

/*
 * A stretch of the file: valid batches in a row of offsets, or bytes that are
 * none.
 */
struct run {
	int64_t pos;
	int64_t len;
	int64_t base;
	int64_t last;
	int64_t batches;	/* 0: bytes that are none */
	int64_t last_pos;	/* of the last batch */
	int64_t last_base;
	int64_t weight;		/* of the heaviest chain that ends here */
	ptrdiff_t before;	/* the run before in that chain, -1 none */
	const char *what;	/* not valid, and why; NULL valid */
	bool cut;		/* a batch that the file's end cuts short */
	bool chosen;		/* it is right, and to be kept */
	bool in_chain;		/* it was, before any was put in doubt */
	bool mended;		/* it is to have another base offset: */
	int64_t old_base;	/* as in the file */
	uint8_t header[SALVAGE_HEADER_LEN];
};

struct finder {
	const struct salvage_range *range;
	struct run *runs;
	size_t count;
	size_t cap;
	struct buf scratch;
};

/* Another run, behind the others, to be filled.  NULL: no memory. */
struct run *salvage_runs_add(struct finder *f);
/* Are offsets in the range?  NULL, or what is wrong. */
const char *salvage_runs_judge(const struct finder *f, int64_t base,
    int64_t last);
/* All that the scan meets. */
int salvage_runs_find(struct finder *f, struct segment_scan *scan);
/* Take apart runs whose last header may be torn in two; why those are not. */
extern const char salvage_runs_torn[];
int salvage_runs_tear(struct finder *f, int fd);

/* Why a run is chosen that is elsewhere in the file. */
extern const char salvage_chain_moved[];
/* Choose the heaviest ascending chain. */
int salvage_chain_choose(struct finder *f);
/* Take back what another one speaks against that is as good. */
void salvage_chain_doubt(struct finder *f);
/*
 * Choose those that fit by their offsets between the chosen ones.  all:
 * whatever stands around them.
 */
int salvage_chain_place(struct finder *f, bool all);
/* Those that are chosen, or all that are valid, by their offsets. */
int salvage_chain_sort(struct finder *f, bool valid, struct run ***out,
    size_t *count);

/* What the CRC of the whole proves; then runs are chosen by it. */
int salvage_proof_rest(struct finder *f, int fd, bool *proven);
int salvage_proof_bit(struct finder *f, int fd, bool *proven);
int salvage_proof_order(struct finder *f, int fd, bool *proven);
/* Base offsets, guessed, and given up again if the CRC says no. */
int salvage_proof_mend(struct finder *f, int fd);

#endif
