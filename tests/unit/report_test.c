#include "replicate/report.h"

#include <errno.h>
#include <string.h>

#include "base/status.h"
#include "tap.h"

static void
test_behind(void)
{
	static const struct {
		const char *text;
		const char *path;
		const char *behind;	/* NULL: it is not */
	} cases[] = {
	    {"/srv/log/a: why", "/srv/log", "/a: why"},
	    {"/srv/log/a: why", "/srv/log/", "/a: why"},
	    {"/srv/log//a: why", "/srv/log/", "/a: why"},
	    {"a: why", "a", ": why"},
	    {"a", "a", ""},
	    {"/b/0: why", "/", "/b/0: why"},
	    {"//b/0", "/", "/b/0"},
	    {"ab: why", "a", NULL},
	    {"a b", "a", NULL},
	    {"/srv/logs/a", "/srv/log", NULL},
	    {"diverged: from offset 3 on", "d", NULL},
	    {"", "a", NULL},
	    {"why", "/", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *behind =
		    report_behind(cases[i].text, cases[i].path);

		tap(cases[i].behind == NULL ? behind == NULL
					    : behind != NULL &&
			    strcmp(behind, cases[i].behind) == 0,
		    "\"%s\" behind %s", cases[i].text, cases[i].path);
	}
}

/* What is told of file, that is in p. */
static const char *
told(const struct report_place *p, const char *file)
{
	static char text[700];
	struct fault f = {.file = "", .pos = -1, .offset = -1};

	strlcpy(f.file, file, sizeof(f.file));
	report_reason_at(p, ENOENT, &f, text, sizeof(text));
	return text;
}

static void
test_place(void)
{
	const struct report_place real = {"/srv/copies/b", "b"},
				  root = {"root/", "/"}, none = {NULL, NULL};
	char text[100];

	tap_str(told(&real, "/srv/copies/b/0"),
	    "b/0: No such file or directory");
	tap_str(told(&real, "/srv/copies/bb"),
	    "/srv/copies/bb: No such file or directory");
	tap_str(told(&root, "root//t/0"), "/t/0: No such file or directory");
	tap_str(told(&none, "b"), "b: No such file or directory");
	report_reason_at(&real, STATUS_END, NULL, text, sizeof(text));
	tap_str(text, status_text(STATUS_END));
}

int
main(void)
{
	test_behind();
	test_place();
	return tap_done();
}
