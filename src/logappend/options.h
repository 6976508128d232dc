#ifndef LOGAPPEND_OPTIONS_H
#define LOGAPPEND_OPTIONS_H

/* What was said on logappend's command line. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "text/form.h"
#include "tool/places.h"
#include "writer.h"

struct options {
	const char *key;		/* -k */
	const char *key_field;		/* paths, checked */
	const char *time_field;
	const char *timestamp;		/* not parsed */
	struct buf headers;		/* -H, encoded */
	int32_t header_count;
	bool has_codec;			/* -z was said */
	bool has_fsync;			/* --fsync was */
	bool has_acks;			/* -a was */
	bool batches;			/* -B */
	bool whole;			/* --whole */
	bool skip_bad;			/* --on-bad skip */
	bool keep_partition;
	bool create;
	bool delimited;			/* -D or -0 */
	bool null_marked;		/* -Z or --null-string */
	bool ignore_int;		/* -i */
	int forms;			/* of -K -J -F -B --whole --delete */
	int64_t linger_ms;
	int64_t max_record;		/* bytes of key and value; -1 */
	struct form form;		/* how the input is read */
	struct writer_options w;	/* how it is written */
	struct places places;		/* -b -X --config --timeout */
};

extern struct options opt;

/*
 * Take all options; operands begin at argv[cli_operand].  Anything wrong:
 * exits with 2.
 */
void options_parse(int argc, char **argv);

#endif
