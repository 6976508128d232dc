#ifndef TOOL_PRINTING_H
#define TOOL_PRINTING_H

/*
 * The loop of logcat and logtail: what was chosen (reading.h) is printed to
 * stdout, once or for as long as it grows.
 *
 * Prints and exits like base/cli.h; only programs call it.
 */

#include "tool/reading.h"

/*
 * Check the options, read the operands, print.  The exit status; a signal
 * that came meanwhile kills after what was printed is written and noted.
 */
int printing_run(struct reading *r, int operands, char **operand);

#endif
