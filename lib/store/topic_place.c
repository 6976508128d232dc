/* What a path names: a topic, a partition, a segment, of ours or of Kafka's. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/parse.h"
#include "store/segment.h"
#include "store/topic_impl.h"

/* A decimal number without sign or leading zeros; -1 if s is none. */
static int32_t
partition_number(const char *s)
{
	int64_t n;

	if ((s[0] == '0' && s[1] != '\0') || s[0] < '0' || s[0] > '9' ||
	    parse_int(s, 0, INT32_MAX, &n) != 0)
		return -1;
	return (int32_t)n;
}

static int
has_segments(int dirfd, bool *yes)
{
	struct segment_list l;
	int rc = segment_list_read(dirfd, ".log", &l);

	*yes = l.count > 0;
	segment_list_release(&l);
	return rc;
}

/* Name and number of a directory that belongs to no topic of ours. */
static void
name_foreign(struct topic_place *place, const char *dirname)
{
	char *dash, *c;

	strlcpy(place->name, dirname, sizeof(place->name));
	for (c = place->name; *c != '\0'; c++)
		if (strchr(TOPIC_LETTERS, *c) == NULL)
			*c = '_';
	place->first = 0;
	dash = strrchr(place->name, '-');
	if (dash != NULL && dash > place->name &&
	    partition_number(dash + 1) >= 0) {
		place->first = partition_number(dash + 1);
		*dash = '\0';
	}
	place->count = 1;
}

/*
 * Is place->dirfd, whose real path is real, a partition of a topic?  If so
 * open that.
 */
static int
locate_owner(struct topic_place *place, char real[PATH_MAX], const char *path,
    struct fault *fault)
{
	char *base = strrchr(real, '/');
	int32_t number = partition_number(base + 1);
	const char *name;
	int rc;

	if (number < 0 || base == real ||
	    faccessat(place->dirfd, "../" TOPIC_FILE, F_OK, 0) != 0)
		return STATUS_NOT_TOPIC;
	*base = '\0';
	name = strrchr(real, '/') + 1;
	rc = io_open(place->dirfd, "..", O_RDONLY | O_DIRECTORY, 0,
	    &place->topic.dirfd);
	if (rc == 0)
		rc = topic_open_named(&place->topic, name, path, fault);
	if (rc == 0 && number >= place->topic.partitions)
		rc = STATUS_NO_TOPIC;
	if (rc != 0)
		return rc;
	place->has_topic = true;
	strlcpy(place->name, place->topic.name, sizeof(place->name));
	place->first = number;
	place->count = 1;
	return 0;
}

/* place->dirfd is a directory without topic.properties. */
static int
locate_partition(struct topic_place *place, char real[PATH_MAX],
    const char *path, struct fault *fault)
{
	bool yes;
	int rc;

	name_foreign(place, strrchr(real, '/') + 1);
	rc = locate_owner(place, real, path, fault);
	if (rc != STATUS_NOT_TOPIC || place->topic.dirfd >= 0) {
		place->kind = TOPIC_PLACE_PARTITION;
		return rc;
	}
	place->kind = TOPIC_PLACE_FOREIGN;
	rc = has_segments(place->dirfd, &yes);
	if (rc == 0 && !yes)
		rc = STATUS_NOT_TOPIC;
	return rc;
}

static int
locate_directory(struct topic_place *place, const char *path,
    struct fault *fault)
{
	char real[PATH_MAX];
	int rc = topic_real_path(place->dirfd, path, real);

	if (rc != 0)
		return rc;
	place->topic.dirfd = place->dirfd;
	rc = topic_read_file(&place->topic, path, fault);
	if (rc == STATUS_NOT_TOPIC) {
		place->topic.dirfd = -1;
		return locate_partition(place, real, path, fault);
	}
	place->dirfd = -1;
	if (rc != 0)
		return rc;
	if (!topic_is_name(strrchr(real, '/') + 1))
		return STATUS_NOT_TOPIC;
	place->kind = TOPIC_PLACE_TOPIC;
	place->has_topic = true;
	strlcpy(place->topic.name, strrchr(real, '/') + 1,
	    sizeof(place->topic.name));
	strlcpy(place->name, place->topic.name, sizeof(place->name));
	place->first = 0;
	place->count = place->topic.partitions;
	return 0;
}

/* A path that is no directory: perhaps a segment. */
static int
locate_segment(struct topic_place *place, const char *path, struct fault *fault)
{
	char real[PATH_MAX], name[NAME_MAX + 1];
	struct stat st;
	int rc;

	if (realpath(path, real) == NULL || stat(real, &st) != 0)
		return topic_open_error(errno);
	rc = topic_open_parent(real, &place->dirfd, name);
	if (rc != 0)
		return rc;
	place->kind = TOPIC_PLACE_SEGMENT;
	if (!segment_parse_name(name, ".log", &place->segment) ||
	    !S_ISREG(st.st_mode))
		return STATUS_NOT_TOPIC;
	*strrchr(real, '/') = '\0';
	if (real[0] == '\0')
		strlcpy(real, "/", sizeof(real));
	name_foreign(place, strrchr(real, '/') + 1);
	rc = locate_owner(place, real, path, fault);
	return rc == STATUS_NOT_TOPIC && place->topic.dirfd < 0 ? 0 : rc;
}

int
topic_locate(const char *path, struct topic_place *place, struct fault *fault)
{
	int fd, rc;

	*place = (struct topic_place){.topic = {.dirfd = -1},
	    .dirfd = -1,
	    .segment = -1};
	if (topic_is_remote(path))
		return STATUS_REMOTE;
	rc = io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &place->dirfd);
	if (rc == 0)
		rc = locate_directory(place, path, fault);
	else if (rc == ENOTDIR)
		rc = locate_segment(place, path, fault);
	else
		rc = topic_open_error(rc);
	if (rc != 0) {
		topic_place_close(place);
		return rc;
	}
	fd = place->dirfd >= 0 ? place->dirfd : place->topic.dirfd;
	place->writable = place->kind <= TOPIC_PLACE_PARTITION &&
	    faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0;
	return 0;
}

void
topic_place_close(struct topic_place *place)
{
	topic_close(&place->topic);
	(void)io_close(&place->dirfd);
}

int
topic_place_open(const struct topic_place *place, int32_t partition, int *fd)
{
	if (partition < place->first ||
	    partition >= place->first + place->count)
		return STATUS_NO_TOPIC;
	if (place->dirfd >= 0)
		return io_open(place->dirfd, ".", O_RDONLY | O_DIRECTORY, 0,
		    fd);
	return topic_open_partition(&place->topic, partition, fd);
}
