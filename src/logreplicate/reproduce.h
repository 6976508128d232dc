#ifndef LOGREPLICATE_REPRODUCE_H
#define LOGREPLICATE_REPRODUCE_H

/*
 * The receiving end for --reproduce: a child of the logreplicate that the user
 * runs, with a cluster as its sink (cluster_sink.h).
 */

#include "cluster_sink.h"

/* Serve one connection; the exit status. */
int reproduce(const struct cluster_sink_options *o, int in, int out);

#endif
