#include "base/status.h"

#include <string.h>

static const struct {
	int rc;
	const char *text;
} texts[] = {
	{STATUS_END, "no more"},
	{STATUS_CORRUPT, "damaged data"},
	{STATUS_SHORT, "ends in the middle"},
	{STATUS_TOO_BIG, "over the limit"},
	{STATUS_UNSUPPORTED, "format not supported"},
	{STATUS_NEWER, "written by a newer version"},
	{STATUS_SYNTAX, "bad syntax"},
	{STATUS_NO_TOPIC, "no such topic"},
	{STATUS_NOT_TOPIC, "not a topic"},
	{STATUS_EXISTS, "topic exists"},
	{STATUS_DIFFERS, "topic exists with other settings"},
	{STATUS_ROLE, "the partition's role forbids appends"},
	{STATUS_OWNED, "a live Kafka broker owns the directory"},
	{STATUS_MISMATCH, "log does not end at the expected offset"},
	{STATUS_FAILED, "an earlier write or sync failed"},
	{STATUS_OFFSET, "offset out of range"},
	{STATUS_DUPLICATE, "duplicate sequence number"},
	{STATUS_SEQUENCE, "out of order sequence number"},
	{STATUS_FENCED, "producer epoch is fenced"},
	{STATUS_CODEC, "compression library not available"},
	{STATUS_TIMEOUT, "timed out"},
	{STATUS_REMOVED, "topic was removed"},
	{STATUS_NOT_FILE, "not a regular file"},
	{STATUS_REMOTE, "not a local place (./NAME if it is one)"},
	{STATUS_INSIDE, "a topic cannot be inside a topic"},
	{STATUS_CLIENT, "librdkafka not available"},
	{STATUS_CLUSTER, "refused by the cluster"},
	{STATUS_REFUSED, "refused"},
};

const char *
status_text(int rc)
{
	if (rc == 0)
		return "done";
	if (rc > 0)
		return strerror(rc);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].rc == rc)
			return texts[i].text;
	return "unknown status";
}

int
status_fault(struct fault *f, int rc, const char *file, int64_t pos,
    int64_t offset, const char *what)
{
	if (f == NULL)
		return rc;
	f->file[0] = '\0';
	if (file != NULL)
		strncat(f->file, file, sizeof(f->file) - 1);
	f->pos = pos;
	f->offset = offset;
	f->offset_end = -1;
	f->what = what;
	return rc;
}
