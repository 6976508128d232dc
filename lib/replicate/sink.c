#include "replicate/sink.h"

#include "base/buf.h"

int
sink_tell_made(const struct sink_topic *from, const char *what)
{
	return from->done == NULL
	    ? 0
	    : buf_addf(from->done, "%s %d partition%s\n", what,
		  (int)from->partitions, from->partitions == 1 ? "" : "s");
}
