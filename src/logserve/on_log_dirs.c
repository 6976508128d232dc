/* DescribeLogDirs: the root, and the sizes of its partitions. */

#include "dispatch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/status.h"
#include "catalog.h"
#include "log.h"
#include "request.h"
#include "server.h"
#include "store/partition.h"
#include "store/segment.h"
#include "store/tail.h"

typedef struct describe_log_dirs_response_results_topics topic_out;
typedef struct describe_log_dirs_response_results_topics_partitions
    partition_out;

/* The topics found so far, in the request's memory. */
struct found {
	struct request *request;
	struct describe_log_dirs_response_results *out;
	int32_t cap;
};

/* Bytes of a partition's segments; one that goes meanwhile has none. */
static int64_t
size_of(const char *path)
{
	struct segment_list l = {NULL, 0};
	struct partition *p = NULL;
	char name[SEGMENT_NAME_LEN];
	struct fault f;
	struct stat st;
	int64_t size = 0;

	if (partition_open(path, PARTITION_READ, &partition_defaults, &p, &f) ==
		0 &&
	    tail_list(p, &l) == 0)
		for (size_t i = 0; i < l.count; i++) {
			segment_name(name, l.bases[i], ".log");
			if (fstatat(partition_dirfd(p), name, &st, 0) == 0)
				size += st.st_size;
		}
	segment_list_release(&l);
	partition_close(p);
	return size;
}

/* The next topic's place. */
static topic_out *
add_topic(struct found *f)
{
	topic_out *more = request_grow(f->request, f->out->topics,
	    f->out->topics_count, &f->cap, sizeof(*more));

	if (more == NULL)
		return NULL;
	f->out->topics = more;
	return &more[f->out->topics_count++];
}

/* Partitions by number; those that there are not are left out. */
static int
describe(struct found *f, struct served *t, const int32_t *numbers,
    int32_t count)
{
	struct catalog *c = f->request->server->catalog;
	topic_out *out = add_topic(f);
	struct log *log;

	if (out == NULL)
		return ENOMEM;
	*out = (topic_out){.name = request_copy(f->request, t->name)};
	out->partitions =
	    request_alloc(f->request, (size_t)count, sizeof(*out->partitions));
	if (out->partitions == NULL)
		return ENOMEM;
	for (int32_t i = 0; i < count; i++) {
		int32_t number = numbers == NULL ? i : numbers[i];

		if (request_is_vain(f->request))
			return ECANCELED;
		if (catalog_log(c, t, number, &log) != 0)
			continue;
		out->partitions[out->partitions_count++] =
		    (partition_out){.partition_index = number,
			.partition_size = size_of(log->path)};
	}
	return 0;
}

static int
describe_all(struct served *t, void *arg)
{
	struct found *f = arg;
	int32_t count;

	catalog_look(f->request->server->catalog, t, &count, NULL);
	return describe(f, t, NULL, count);
}

static int
describe_asked(struct found *f,
    const struct describe_log_dirs_request_topics *in)
{
	struct catalog *c = f->request->server->catalog;
	struct served *t;
	int rc;

	if (catalog_find(c, in->topic, &t) != 0)
		return 0;
	rc = describe(f, t, in->partitions, in->partitions_count);
	catalog_release(c, t);
	return rc;
}

static int
describe_topics(struct found *f)
{
	const struct describe_log_dirs_request *in = f->request->message;
	int rc = 0;

	if (in->topics_count < 0)
		return catalog_each(f->request->server->catalog, describe_all,
		    f);
	for (int32_t i = 0; rc == 0 && i < in->topics_count; i++)
		rc = describe_asked(f, &in->topics[i]);
	return rc;
}

void
on_describe_log_dirs(struct request *r)
{
	struct describe_log_dirs_response *out = r->response;
	const char *root = catalog_root(r->server->catalog);
	struct found f = {.request = r};
	struct statvfs fs;
	int rc = ENOMEM;

	f.out = out->results = request_alloc(r, 1, sizeof(*out->results));
	if (out->results != NULL) {
		out->results_count = 1;
		f.out->log_dir = bytes_of(root);
		f.out->total_bytes = f.out->usable_bytes = -1;
		if (statvfs(root, &fs) == 0) {
			f.out->total_bytes =
			    (int64_t)(fs.f_blocks * fs.f_frsize);
			f.out->usable_bytes =
			    (int64_t)(fs.f_bavail * fs.f_frsize);
		}
		rc = describe_topics(&f);
	}
	if (rc != 0)
		request_fail(r, rc, "the topics cannot be listed");
	else
		request_answer(r);
}
