#include "store/epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/status.h"
#include "tap.h"

static int dirfd;

/* The list as "epoch:start epoch:start". */
static const char *
text_of(const struct epoch_list *list)
{
	static char text[300];

	text[0] = '\0';
	for (size_t i = 0; i < list->count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%s%d:%lld", i == 0 ? "" : " ", list->entries[i].epoch,
		    (long long)list->entries[i].start);
	return text;
}

static void
check_list(const struct epoch_list *list, const char *want, const char *what)
{
	if (!tap(strcmp(text_of(list), want) == 0, "%s", what))
		printf("# got: %s\n", text_of(list));
}

static void
put_file(const char *text, size_t len)
{
	if (io_replace_file(dirfd, EPOCH_FILE, text, len, 0644, getegid()) != 0)
		abort();
}

static void
check_read(const char *text, int want, const char *want_list)
{
	struct epoch_list list;
	struct fault fault = {.pos = -1};

	epoch_list_init(&list);
	epoch_assign(&list, 9, 9, &(bool){false});
	put_file(text, strlen(text));
	tap_int(epoch_read(dirfd, &list, &fault), want, "read %zu bytes",
	    strlen(text));
	check_list(&list, want_list, "what was read");
	if (want != 0)
		tap(strcmp(fault.file, EPOCH_FILE) == 0 && fault.pos >= 0 &&
			fault.what != NULL,
		    "fault: %s", fault.what);
	epoch_list_release(&list);
}

static void
test_read(void)
{
	struct epoch_list list;

	epoch_list_init(&list);
	tap_int(epoch_read(dirfd, &list, NULL), ENOENT, "no file");
	epoch_list_release(&list);
	check_read("0\n2\n0 0\n3 1500\n", 0, "0:0 3:1500");
	check_read("0\n0\n", 0, "");
	check_read("", 0, "");
	check_read("0\n", 0, "");
	check_read("0 \r\n1\t\r\n2 \t 7 \r\n", 0, "2:7");
	check_read("0\n1\n2147483647 9223372036854775807", 0,
	    "2147483647:9223372036854775807");
	check_read("1\n0\n", STATUS_NEWER, "");
	check_read("x\n0\n", STATUS_CORRUPT, "");
	check_read("-1\n0\n", STATUS_CORRUPT, "");
	check_read("0\n2\n0 0\n", STATUS_CORRUPT, "");
	check_read("0\n1\n0 0\n1 5\n", STATUS_CORRUPT, "");
	check_read("0\n1\n0 0\n\n", STATUS_CORRUPT, "");
	check_read("0\n1\n0\n", STATUS_CORRUPT, "");
	check_read("0\n1\n0 0 0\n", STATUS_CORRUPT, "");
	check_read("0\n1\n 0 0\n", STATUS_CORRUPT, "");
	check_read("0\n1\n0 -1\n", STATUS_CORRUPT, "");
	check_read("0\n1\n2147483648 0\n", STATUS_CORRUPT, "");
	check_read("0\n1\n0 9223372036854775808\n", STATUS_CORRUPT, "");
	check_read("0\n2\n1 0\n1 5\n", STATUS_CORRUPT, "");
	check_read("0\n2\n1 5\n2 5\n", STATUS_CORRUPT, "");
	check_read("0\n1000001\n", STATUS_CORRUPT, "");
	check_read("0\n99999999999999999999\n", STATUS_CORRUPT, "");
}

/* Any byte of a file changed, or a file cut: a list that ascends, or a fault. */
static void
test_damage(void)
{
	static const char text[] = "0\n3\n0 0\n3 1500\n12 98765\n";
	char copy[sizeof(text)];
	struct epoch_list list;
	int bad = 0;

	epoch_list_init(&list);
	for (int i = 0; i < 600; i++) {
		size_t len = sizeof(text) - 1;
		int rc;

		memcpy(copy, text, sizeof(text));
		copy[tap_random() % len] = (char)tap_random();
		if (i % 3 == 0)
			len = tap_random() % len;
		put_file(copy, len);
		rc = epoch_read(dirfd, &list, NULL);
		bad += rc != 0 && rc != STATUS_CORRUPT && rc != STATUS_NEWER;
		bad += rc != 0 && list.count != 0;
		for (size_t j = 1; j < list.count; j++)
			bad += list.entries[j].epoch <=
				list.entries[j - 1].epoch ||
			    list.entries[j].start <= list.entries[j - 1].start;
	}
	tap_int(bad, 0, "damage makes no wrong list");
	epoch_list_release(&list);
}

static void
test_write(void)
{
	struct epoch_list list, back;
	char text[200] = "";
	struct stat st;
	bool changed;
	size_t got;
	int fd = -1;

	epoch_list_init(&list);
	epoch_list_init(&back);
	epoch_assign(&list, 0, 0, &changed);
	epoch_assign(&list, INT32_MAX, INT64_MAX, &changed);
	tap_int(epoch_write(dirfd, &list, 0640, getegid()), 0, "written");
	tap(io_open(dirfd, EPOCH_FILE, O_RDONLY, 0, &fd) == 0 &&
		fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0640,
	    "with the mode asked for");
	io_pread(fd, text, sizeof(text) - 1, 0, &got);
	io_close(&fd);
	tap_str(text, "0\n2\n0 0\n2147483647 9223372036854775807\n");
	tap_int(epoch_read(dirfd, &back, NULL), 0, "read back");
	check_list(&back, "0:0 2147483647:9223372036854775807", "the same");
	epoch_list_release(&list);
	epoch_list_release(&back);
}

static void
test_assign(void)
{
	struct epoch_list list;
	bool changed;

	epoch_list_init(&list);
	tap_int(epoch_latest(&list), -1, "no epoch yet");
	epoch_assign(&list, 1, 0, &changed);
	tap(changed, "the first");
	epoch_assign(&list, 3, 100, &changed);
	epoch_assign(&list, 7, 200, &changed);
	check_list(&list, "1:0 3:100 7:200", "three");
	tap_int(epoch_latest(&list), 7, "the latest");
	epoch_assign(&list, 7, 200, &changed);
	tap(!changed, "the same again changes nothing");
	epoch_assign(&list, 7, 250, &changed);
	tap(!changed, "nor does a later start");
	epoch_assign(&list, 7, 150, &changed);
	tap(changed, "an earlier start does");
	check_list(&list, "1:0 3:100 7:150", "an earlier start");
	epoch_assign(&list, 8, 150, &changed);
	check_list(&list, "1:0 3:100 8:150", "an empty epoch goes");
	epoch_assign(&list, 9, 50, &changed);
	check_list(&list, "1:0 9:50", "later starts go");
	epoch_assign(&list, 5, 80, &changed);
	check_list(&list, "1:0 5:80", "later epochs go");
	epoch_assign(&list, 0, 0, &changed);
	check_list(&list, "0:0", "all go");
	tap_int(epoch_assign(&list, -1, 0, &changed), EINVAL, "epoch -1");
	tap_int(epoch_assign(&list, 0, -1, &changed), EINVAL, "offset -1");
	check_list(&list, "0:0", "as it was");
	epoch_list_release(&list);
}

static void
make_list(struct epoch_list *list)
{
	bool changed;

	epoch_list_init(list);
	epoch_assign(list, 2, 10, &changed);
	epoch_assign(list, 4, 20, &changed);
	epoch_assign(list, 7, 30, &changed);
}

static void
test_truncate(void)
{
	struct epoch_list list;

	make_list(&list);
	tap(!epoch_truncate_from(&list, 31), "an end above all");
	tap(epoch_truncate_from(&list, 30), "an end at a start");
	check_list(&list, "2:10 4:20", "one goes");
	tap(!epoch_truncate_from(&list, 21), "an end inside");
	tap(epoch_truncate_from(&list, 0), "the end at 0");
	check_list(&list, "", "all go");
	epoch_list_release(&list);

	make_list(&list);
	tap(!epoch_truncate_to_start(&list, 9), "a start below all");
	tap(!epoch_truncate_to_start(&list, 10), "a start at the first");
	tap(epoch_truncate_to_start(&list, 12), "a start inside the first");
	check_list(&list, "2:12 4:20 7:30", "it is moved");
	tap(epoch_truncate_to_start(&list, 20), "a start at the second");
	check_list(&list, "4:20 7:30", "one goes");
	tap(epoch_truncate_to_start(&list, 99), "a start above all");
	check_list(&list, "7:99", "the last stays");
	epoch_list_release(&list);
}

static void
check_end(const struct epoch_list *list, int32_t epoch, int32_t want_found,
    int64_t want_end)
{
	int32_t found;
	int64_t end;

	epoch_end_offset(list, epoch, 45, &found, &end);
	tap(found == want_found && end == want_end,
	    "epoch %d: found %d, ends at %lld", epoch, found, (long long)end);
}

static void
test_end_offset(void)
{
	struct epoch_list list;

	epoch_list_init(&list);
	check_end(&list, 0, -1, -1);
	check_end(&list, -1, -1, -1);
	epoch_list_release(&list);
	make_list(&list);
	check_end(&list, -1, -1, -1);
	check_end(&list, 0, 0, 10);
	check_end(&list, 1, 1, 10);
	check_end(&list, 2, 2, 20);
	check_end(&list, 3, 2, 20);
	check_end(&list, 4, 4, 30);
	check_end(&list, 6, 4, 30);
	check_end(&list, 7, 7, 45);
	check_end(&list, 8, -1, -1);
	check_end(&list, INT32_MAX, -1, -1);
	epoch_list_release(&list);
}

int
main(void)
{
	if (io_open(AT_FDCWD, tap_dir(), O_RDONLY | O_DIRECTORY, 0, &dirfd) !=
	    0)
		abort();
	test_read();
	test_damage();
	test_write();
	test_assign();
	test_truncate();
	test_end_offset();
	io_close(&dirfd);
	return tap_done();
}
