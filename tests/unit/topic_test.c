#include "store/topic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/status.h"
#include "store/root.h"
#include "tap.h"

enum {
	CHILDREN = 8,
	NOBODY = 65534,
};

static struct properties defaults;

static mode_t
mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

static int
entries_in(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int count = 0;

	while ((e = readdir(dir)) != NULL)
		count +=
		    strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(dir);
	return count;
}

/* An empty directory to work in. */
static void
fresh(const char *name)
{
	if (chdir(tap_dir()) != 0 || mkdir(name, 0755) != 0 || chdir(name) != 0)
		abort();
}

static void
test_names(void)
{
	char longest[TOPIC_NAME_MAX + 2];

	memset(longest, 'x', sizeof(longest));
	longest[TOPIC_NAME_MAX] = '\0';
	tap(topic_is_name(longest), "249 letters");
	longest[TOPIC_NAME_MAX] = 'x';
	longest[TOPIC_NAME_MAX + 1] = '\0';
	tap(!topic_is_name(longest), "250 letters");
	tap(topic_is_name("a.B_c-9") && topic_is_name("...") &&
		topic_is_name("-"),
	    "what names may contain");
	tap(!topic_is_name("") && !topic_is_name(".") && !topic_is_name("..") &&
		!topic_is_name("a b") && !topic_is_name("a/b") &&
		!topic_is_name("\xc3\xa9"),
	    "what they may not");
}

static void
test_create(void)
{
	struct properties settings = defaults;
	struct topic t;
	char path[300];
	int fd = -1;

	fresh("create");
	properties_set_pair(&settings, "retention.ms=7d", NULL);
	properties_set_pair(&settings, "segment.bytes=1G", NULL);
	umask(022);
	tap_int(topic_create("orders", &settings, 3, 0777), 0, "made");
	tap_int(entries_in("."), 1, "nothing beside it");
	tap_int(entries_in("orders"), 5, "3 partitions, file, lock");
	tap_int(mode_of("orders"), 0755, "its mode");
	tap_int(mode_of("orders/2"), 0755, "a partition's mode");
	tap_int(mode_of("orders/topic.properties"), 0644, "its file's mode");
	tap_int(mode_of("orders/topic.lock"), 0600, "its lock's mode");
	tap_int(topic_open("orders", &t, NULL), 0, "opens");
	tap_str(t.name, "orders");
	tap_str(t.made_as, "orders");
	tap_int(t.partitions, 3, "partitions");
	tap_int(strlen(t.id), 22, "an id of 22 letters");
	tap(properties_equal(&t.settings, &settings), "settings");
	tap(t.settings.values[PROPERTIES_SEGMENT_BYTES].is_set &&
		!t.settings.values[PROPERTIES_SEGMENT_MS].is_set,
	    "a default that was said is kept as said");
	tap_int(topic_open_partition(&t, 2, &fd), 0, "partition 2 opens");
	io_close(&fd);
	tap_int(topic_open_partition(&t, 3, &fd), STATUS_NO_TOPIC,
	    "3 does not");
	topic_close(&t);

	tap_int(topic_create("orders", &settings, 3, 0777), STATUS_EXISTS,
	    "there already");
	mkdir("empty", 0755);
	put("file", "");
	if (symlink("nowhere", "dangling") != 0)
		abort();
	tap_int(topic_create("empty", &settings, 1, 0777), STATUS_NOT_TOPIC,
	    "an empty directory");
	tap_int(topic_create("file", &settings, 1, 0777), STATUS_NOT_TOPIC,
	    "a file");
	tap_int(topic_create("dangling", &settings, 1, 0777), STATUS_NOT_TOPIC,
	    "a dangling link");
	tap_int(topic_create("no/orders", &settings, 1, 0777), ENOENT,
	    "no parent");
	tap_int(topic_create("file/orders", &settings, 1, 0777), ENOTDIR,
	    "a file as parent");
	tap_int(topic_create("", &settings, 1, 0777), ENOENT, "nothing");
	tap_int(topic_create("a b", &settings, 1, 0777), STATUS_SYNTAX,
	    "a blank in the name");
	tap_int(topic_create(".", &settings, 1, 0777), STATUS_SYNTAX, ".");
	tap_int(topic_create("/", &settings, 1, 0777), STATUS_NOT_TOPIC, "/");
	tap_int(topic_create("t", &settings, 0, 0777), ERANGE, "0 partitions");
	tap_int(topic_create("t", &settings, PARTITIONS_MAX + 1, 0777), ERANGE,
	    "too many partitions");
	tap_int(entries_in("."), 4, "nothing was left behind");
	snprintf(path, sizeof(path), "%s/create/abs//", tap_dir());
	tap(topic_create(path, &settings, 1, 0777) == 0 &&
		topic_open("abs/", &t, NULL) == 0,
	    "slashes at the end");
	topic_close(&t);
	memset(path, 'n', TOPIC_NAME_MAX);
	path[TOPIC_NAME_MAX] = '\0';
	tap(topic_create(path, &settings, 1, 0777) == 0 &&
		topic_open(path, &t, NULL) == 0,
	    "the longest name");
	topic_close(&t);
}

static void
test_modes(void)
{
	struct stat st;
	struct topic t;

	fresh("modes");
	umask(002);
	if (chmod(".", 02775) != 0)
		abort();
	tap_int(topic_create("shared", &defaults, 1, 0777), 0, "made");
	tap_int(mode_of("shared"), 02775, "set-group-ID is inherited");
	tap_int(mode_of("shared/0"), 02775, "by partitions too");
	tap_int(mode_of("shared/topic.properties"), 0664, "a group's file");
	tap_int(mode_of("shared/topic.lock"), 0660, "a group's lock");
	if (geteuid() == 0 && chown("shared", (uid_t)-1, 12345) == 0 &&
	    chmod("shared", 02770) == 0) {
		umask(077);
		if (topic_open("shared", &t, NULL) != 0)
			abort();
		tap_int(topic_grow(&t, 2, NULL), 0, "grown under umask 077");
		topic_close(&t);
		tap(stat("shared/1", &st) == 0 && st.st_gid == 12345 &&
			(st.st_mode & 07777) == 02770,
		    "the new partition is the group's");
		tap(stat("shared/topic.properties", &st) == 0 &&
			st.st_gid == 12345 && (st.st_mode & 07777) == 0660,
		    "and so is the file");
	} else {
		tap(true, "another group # SKIP not root");
	}
	umask(022);
}

/* A write that fails leaves nothing. */
static void
test_create_failing(void)
{
	struct rlimit old, none;
	int rc;

	fresh("failing");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	none = old;
	none.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &none);
	rc = topic_create("t", &defaults, 20, 0777);
	setrlimit(RLIMIT_FSIZE, &old);
	tap_int(rc, EFBIG, "no space");
	tap_int(entries_in("."), 0, "nothing was left behind");
}

/* Run work in children at once and count the outcomes. */
static void
together(int (*work)(int i), int counts[3], int other_rc)
{
	pid_t pids[CHILDREN];

	memset(counts, 0, 3 * sizeof(counts[0]));
	fflush(stdout);
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			int rc = work(i);

			_exit(rc == 0 ? 0 : rc == other_rc ? 1 : 2);
		}
	}
	for (int i = 0; i < CHILDREN; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) == pids[i] &&
		    WIFEXITED(status) && WEXITSTATUS(status) < 3)
			counts[WEXITSTATUS(status)]++;
	}
}

static int
create_same(int i)
{
	return topic_create("t", &defaults, i + 1, 0777);
}

static int
grow_same(int i)
{
	struct topic t;
	int rc = topic_open("t", &t, NULL);

	if (rc == 0)
		rc = topic_grow(&t, 20 + i, NULL);
	return rc;
}

static void
test_together(void)
{
	struct topic t;
	int counts[3];

	fresh("together");
	together(create_same, counts, STATUS_EXISTS);
	tap(counts[0] == 1 && counts[1] == CHILDREN - 1,
	    "of %d makers one succeeds, %d find it there", CHILDREN, counts[1]);
	tap_int(entries_in("."), 1, "nothing was left behind");
	tap_int(topic_open("t", &t, NULL), 0, "it opens");
	tap_int(entries_in("t"), t.partitions + 2, "it is whole");
	topic_close(&t);
	together(grow_same, counts, ERANGE);
	tap(counts[0] >= 1 && counts[0] + counts[1] == CHILDREN,
	    "%d of %d enlarge it", counts[0], CHILDREN);
	tap_int(topic_open("t", &t, NULL), 0, "it opens");
	tap_int(t.partitions, 20 + CHILDREN - 1, "the largest wish counts");
	tap_int(entries_in("t"), t.partitions + 2, "it is whole");
	topic_close(&t);
}

static void
test_grow(void)
{
	struct properties settings = defaults;
	struct topic t, u;

	fresh("grow");
	properties_set_pair(&settings, "cleanup.policy=compact", NULL);
	if (topic_create("t", &settings, 2, 0777) != 0 ||
	    topic_open("t", &t, NULL) != 0 || topic_open("t", &u, NULL) != 0)
		abort();
	tap_int(topic_grow(&t, 1, NULL), ERANGE, "fewer");
	tap_int(topic_grow(&t, PARTITIONS_MAX + 1, NULL), ERANGE, "too many");
	tap_int(topic_grow(&t, 2, NULL), 0, "as many");
	mkdir("t/3", 0755);
	tap_int(topic_grow(&t, 4, NULL), 0, "more, of which one is there");
	tap_int(t.partitions, 4, "known at once");
	tap_int(topic_grow(&u, 3, NULL), ERANGE, "fewer than others made");
	tap_int(topic_grow(&u, 4, NULL), 0, "as many as others made");
	tap_int(u.partitions, 4, "read anew");
	topic_close(&u);
	tap(topic_open("t", &u, NULL) == 0 && u.partitions == 4 &&
		strcmp(u.id, t.id) == 0 &&
		properties_equal(&u.settings, &settings),
	    "id and settings stay");
	topic_close(&u);
	topic_close(&t);
}

static void
check_file(const char *text, int want, int64_t want_pos)
{
	struct fault fault = {.pos = -1, .what = "(nothing)"};
	struct topic t;

	put("t/topic.properties", text);
	tap_int(topic_open("t", &t, &fault), want, "file of %zu bytes: %s",
	    strlen(text), fault.what);
	if (want != 0) {
		tap_int(fault.pos, want_pos, "at: %s", fault.what);
		tap_str(fault.file, "t/topic.properties");
	} else {
		topic_close(&t);
	}
}

#define GOOD                                                                   \
	"logkit.version=1\nlogkit.topic=t\n"                                   \
	"logkit.topic.id=AAAAAAAAAAAAAAAAAAAAAA\nlogkit.partitions=1\n"

static void
test_file(void)
{
	int64_t end = (int64_t)strlen(GOOD);
	char *large;

	fresh("file");
	if (topic_create("t", &defaults, 1, 0777) != 0)
		abort();
	check_file(GOOD, 0, 0);
	check_file("# by hand\n" GOOD "retention.ms = 7d\r\n", 0, 0);
	check_file(GOOD "retention.m=7d\n", STATUS_SYNTAX, end);
	check_file(GOOD "retention.ms=7x\n", STATUS_SYNTAX, end);
	check_file(GOOD "\nretention.ms=\\u00\n", STATUS_SYNTAX, end + 1);
	check_file(GOOD "logkit.partitions=0\n", STATUS_SYNTAX, end);
	check_file(GOOD "logkit.partitions=100001\n", STATUS_SYNTAX, end);
	check_file(GOOD "logkit.topic.id=-AAAAAAAAAAAAAAAAAAAAA\n",
	    STATUS_SYNTAX, end);
	check_file(GOOD "logkit.topic.id=AAAAAAAAAAAAAAAAAAAAA\n",
	    STATUS_SYNTAX, end);
	check_file(GOOD "logkit.topic=a b\n", STATUS_SYNTAX, end);
	check_file("what.is=this\nlogkit.version=2\n", STATUS_NEWER, 13);
	check_file("logkit.version=0\n", STATUS_SYNTAX, 0);
	check_file("logkit.version=99999999999999999999\n", STATUS_SYNTAX, 0);
	check_file("", STATUS_SYNTAX, 0);
	check_file("logkit.version=1\n", STATUS_SYNTAX, 0);
	check_file("logkit.version=1\nlogkit.topic=t\nlogkit.partitions=1\n",
	    STATUS_SYNTAX, 32);
	large = malloc(TEXT_FILE_BYTES_MAX + 2);
	memset(large, '#', TEXT_FILE_BYTES_MAX + 1);
	large[TEXT_FILE_BYTES_MAX + 1] = '\0';
	check_file(large, STATUS_SYNTAX, 0);
	free(large);
}

static void
test_damage(void)
{
	static const char good[] = GOOD "segment.bytes=1048576\n";
	struct topic t;
	int odd = 0;

	fresh("damage");
	if (topic_create("t", &defaults, 1, 0777) != 0)
		abort();
	for (int i = 0; i < 1500; i++) {
		char text[sizeof(good)];
		size_t len = sizeof(good) - 1;
		FILE *f = fopen("t/topic.properties", "wb");
		int rc;

		memcpy(text, good, sizeof(good));
		text[tap_random() % len] = (char)tap_random();
		if (i % 3 == 0)
			len = tap_random() % len;
		odd += f == NULL || fwrite(text, 1, len, f) != len ||
		    fclose(f) != 0;
		rc = topic_open("t", &t, NULL);
		odd += rc != 0 && rc != STATUS_SYNTAX && rc != STATUS_NEWER;
		if (rc == 0) {
			odd += t.partitions < 1 || strlen(t.id) != 22;
			topic_close(&t);
		}
	}
	tap_int(odd, 0, "a damaged file is refused");
}

static void
test_open(void)
{
	struct topic t;

	fresh("open");
	mkdir("empty", 0755);
	put("file", "");
	if (topic_create("t", &defaults, 1, 0777) != 0 ||
	    symlink("t", "alias") != 0 || topic_open("t", &t, NULL) != 0)
		abort();
	topic_close(&t);
	tap_int(t.dirfd, -1, "closed");
	tap_int(topic_open("no", &t, NULL), STATUS_NO_TOPIC, "nothing there");
	tap_int(topic_open("file", &t, NULL), STATUS_NOT_TOPIC, "a file");
	tap_int(topic_open("empty", &t, NULL), STATUS_NOT_TOPIC,
	    "a directory without topic.properties");
	tap_int(topic_open("alias", &t, NULL), 0, "a link");
	tap_str(t.name, "t");
	topic_close(&t);
	if (chdir("t") != 0)
		abort();
	tap_int(topic_open(".", &t, NULL), 0, "the current directory");
	tap_str(t.name, "t");
	topic_close(&t);
	if (chdir("..") != 0 || rename("t", "a copy") != 0)
		abort();
	tap_int(topic_open("a copy", &t, NULL), STATUS_NOT_TOPIC,
	    "a directory that has no topic's name");
	if (rename("a copy", "copy") != 0)
		abort();
	tap_int(topic_open("copy", &t, NULL), 0, "a copy");
	tap_str(t.name, "copy");
	tap_str(t.made_as, "t");
	topic_close(&t);
}

static void
test_ids(void)
{
	char ids[20][TOPIC_ID_LEN + 1], name[20];
	struct topic t;
	int wrong = 0;

	fresh("ids");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		if (topic_create(name, &defaults, 1, 0777) != 0 ||
		    topic_open(name, &t, NULL) != 0)
			abort();
		memcpy(ids[i], t.id, sizeof(ids[i]));
		topic_close(&t);
		wrong += t.id[0] == '-';
		/* 22 letters hold 132 bits; the last four are not used. */
		wrong += strchr("AQgw", t.id[21]) == NULL;
		for (int j = 0; j < i; j++)
			wrong += strcmp(ids[i], ids[j]) == 0;
	}
	tap_int(wrong, 0, "ids differ and are as Kafka's");
}

static void
check_place(const char *path, enum topic_place_kind kind, const char *name,
    int32_t first, int32_t count)
{
	struct topic_place place;
	int fd = -1, rc = topic_locate(path, &place, NULL);

	if (!tap_int(rc, 0, "%s", path))
		return;
	tap(place.kind == kind, "its kind");
	tap_str(place.name, name);
	tap(place.first == first && place.count == count,
	    "its partitions: %d from %d", place.count, place.first);
	tap(place.has_topic ==
		(kind <= TOPIC_PLACE_PARTITION || strcmp(name, "t") == 0),
	    "whether it has a topic");
	tap(place.writable == (kind <= TOPIC_PLACE_PARTITION),
	    "whether it can be written");
	tap_int(place.segment, kind == TOPIC_PLACE_SEGMENT ? 7 : -1,
	    "its segment");
	tap_int(topic_place_open(&place, first + count - 1, &fd), 0,
	    "its last partition opens");
	io_close(&fd);
	tap_int(topic_place_open(&place, first + count, &fd), STATUS_NO_TOPIC,
	    "none behind it");
	topic_place_close(&place);
}

static void
check_no_place(const char *path, int want)
{
	struct topic_place place;

	tap_int(topic_locate(path, &place, NULL), want, "%s", path);
}

#define SEGMENT "00000000000000000007.log"

static void
test_locate(void)
{
	fresh("locate");
	if (topic_create("t", &defaults, 3, 0777) != 0 ||
	    symlink("t/1", "one") != 0 || symlink("t", "alias") != 0 ||
	    symlink("t/1/" SEGMENT, "segment") != 0)
		abort();
	put("t/1/" SEGMENT, "");
	mkdir("kafka-orders-12", 0755);
	put("kafka-orders-12/" SEGMENT, "");
	mkdir("plain name", 0755);
	put("plain name/" SEGMENT, "");
	mkdir("t/9", 0755);
	mkdir("t/x-1", 0755);
	mkdir("empty-0", 0755);
	put("empty-0/readme.log", "");
	mkdir("a:b", 0755);
	put("a:b/" SEGMENT, "");
	put("file", "");

	check_place("t", TOPIC_PLACE_TOPIC, "t", 0, 3);
	check_place("alias/", TOPIC_PLACE_TOPIC, "t", 0, 3);
	check_place("t/1", TOPIC_PLACE_PARTITION, "t", 1, 1);
	check_place("one", TOPIC_PLACE_PARTITION, "t", 1, 1);
	check_place("kafka-orders-12", TOPIC_PLACE_FOREIGN, "kafka-orders", 12,
	    1);
	check_place("plain name", TOPIC_PLACE_FOREIGN, "plain_name", 0, 1);
	check_place("t/1/" SEGMENT, TOPIC_PLACE_SEGMENT, "t", 1, 1);
	check_place("segment", TOPIC_PLACE_SEGMENT, "t", 1, 1);
	check_place("kafka-orders-12/" SEGMENT, TOPIC_PLACE_SEGMENT,
	    "kafka-orders", 12, 1);
	check_place("./a:b", TOPIC_PLACE_FOREIGN, "a_b", 0, 1);
	if (chdir("t/2") != 0)
		abort();
	check_place(".", TOPIC_PLACE_PARTITION, "t", 2, 1);
	check_place("../1/" SEGMENT, TOPIC_PLACE_SEGMENT, "t", 1, 1);
	if (chdir("../..") != 0)
		abort();

	check_no_place("a:b", STATUS_REMOTE);
	check_no_place("kafka://h:9092/t", STATUS_REMOTE);
	check_no_place("kafka+tls://h/t", STATUS_REMOTE);
	check_no_place("ssh://h/t", STATUS_REMOTE);
	check_no_place("no", STATUS_NO_TOPIC);
	check_no_place("", STATUS_NO_TOPIC);
	check_no_place("t/3", STATUS_NO_TOPIC);
	check_no_place("t/9", STATUS_NO_TOPIC);
	check_no_place("t/x-1", STATUS_NOT_TOPIC);
	check_no_place("t/1/00000000000000000008.log", STATUS_NO_TOPIC);
	check_no_place("file", STATUS_NOT_TOPIC);
	check_no_place("file/t", STATUS_NOT_TOPIC);
	check_no_place("empty-0", STATUS_NOT_TOPIC);
	check_no_place("empty-0/readme.log", STATUS_NOT_TOPIC);
	check_no_place("t/topic.properties", STATUS_NOT_TOPIC);
	check_no_place("/", STATUS_NOT_TOPIC);
	put("t/topic.properties", "logkit.version=2\n");
	check_no_place("t", STATUS_NEWER);
	check_no_place("t/1", STATUS_NEWER);
}

/* What one who may only read the topic can do. */
static void
test_reader(void)
{
	struct topic_place place;
	struct topic t;

	if (geteuid() != 0) {
		tap(true, "reading only # SKIP not root");
		return;
	}
	fresh("reader");
	if (topic_create("t", &defaults, 1, 0777) != 0 ||
	    chmod(tap_dir(), 0755) != 0 || seteuid(NOBODY) != 0)
		abort();
	tap_int(topic_locate("t", &place, NULL), 0, "a reader finds it");
	tap(!place.writable, "but cannot write it");
	topic_place_close(&place);
	tap_int(topic_open("t", &t, NULL), 0, "and opens it");
	tap_int(topic_grow(&t, 2, NULL), EACCES, "but cannot lock it");
	topic_close(&t);
	tap_int(topic_create("u", &defaults, 1, 0777), EACCES,
	    "nor make one beside it");
	if (seteuid(0) != 0)
		abort();
}

/* A topic of one partition that holds a file. */
static void
make_filled(const char *name)
{
	char path[64];

	if (topic_create(name, &defaults, 1, 0755) != 0)
		abort();
	snprintf(path, sizeof(path), "%s/0/partition.lock", name);
	put(path, "");
}

static void
test_remove(void)
{
	char gone[64];

	fresh("remove");
	make_filled("old");
	snprintf(gone, sizeof(gone), ".t.%d.removed", (int)getpid());
	if (rename("old", gone) != 0)
		abort();
	make_filled("t");
	tap_int(topic_remove("t"), 0, "a removal that was interrupted");
	tap_int(entries_in("."), 1, "is not in the way of another");
	root_sweep(".");
	tap_int(entries_in("."), 0, "and its rest can be removed");
}

/* Others' names, and links, which are none. */
static void
test_sweep(void)
{
	static const char *const names[] = {"t", ".t", ".t.removed",
	    ".t.old.removed", "t.12.removed", ".12.removed", "..removed",
	    ".t..removed", ".t.12.removed-", ".t.tmp-abcdefgh"};
	const int count = sizeof(names) / sizeof(names[0]);

	fresh("sweep");
	for (int i = 0; i < count; i++)
		if (mkdir(names[i], 0755) != 0)
			abort();
	make_filled("topic");
	if (symlink("topic", ".t.12.removed") != 0)
		abort();
	put(".t.13.removed", "a file");
	root_sweep(".");
	tap_int(entries_in("."), count + 3, "nothing else is");
	tap(access("topic/0/partition.lock", F_OK) == 0, "nor behind a link");
	if (rename("topic", ".a.b.AAAAAAAAQACAAAAAAAAAAA.removed") != 0)
		abort();
	root_sweep(".");
	tap_int(entries_in("."), count + 2, "what it was is");
	root_sweep("nowhere");
}

static int
open_fds(void)
{
	return entries_in("/proc/self/fd");
}

int
main(void)
{
	int before;

	properties_init(&defaults);
	tap_dir();
	before = open_fds();
	test_names();
	test_create();
	test_modes();
	test_create_failing();
	test_together();
	test_grow();
	test_file();
	test_damage();
	test_open();
	test_ids();
	test_locate();
	test_reader();
	test_remove();
	test_sweep();
	tap_int(open_fds(), before, "no descriptor was lost");
	return tap_done();
}
