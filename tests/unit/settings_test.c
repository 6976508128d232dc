#include "client/settings.h"

#include <errno.h>

#include "base/status.h"
#include "tap.h"

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static void
test_order(const char *path)
{
	struct settings s;
	struct fault f = {.file = ""};

	write_file(path,
	    "# a comment\nclient.id = file\nsasl.password=file\n"
	    "ssl.ca.location=ca\n");
	setenv("LOGKIT_SASL_PASSWORD", "environment", 1);
	settings_init(&s);
	tap_int(settings_set(&s, "client.id", "said"), 0, "right");
	tap_int(settings_set(&s, "client.id", "said last"), 0, "right");
	tap_int(settings_load(&s, path, &f), 0, "right");
	tap_str(settings_get(&s, "client.id"), "said last");
	tap_str(settings_get(&s, "sasl.password"), "environment");
	tap_str(settings_get(&s, "ssl.ca.location"), "ca");
	tap(settings_get(&s, "group.id") == NULL, "not set");
	tap_int((int64_t)s.count, 3, "right");
	settings_release(&s);
	unsetenv("LOGKIT_SASL_PASSWORD");
}

static void
check_bad(const char *path, const char *text, int line)
{
	struct settings s;
	struct fault f = {.file = ""};

	write_file(path, text);
	settings_init(&s);
	tap_int(settings_load(&s, path, &f), STATUS_SYNTAX, "line %d", line);
	tap_int(f.pos, line, "right");
	tap(f.what != NULL, "it is said why");
	settings_release(&s);
}

int
main(void)
{
	const char *path = tap_dir();
	char file[4096];
	struct settings s;
	struct fault f = {.file = ""};

	snprintf(file, sizeof(file), "%s/config", path);
	setenv("HOME", path, 1);
	unsetenv("LOGKIT_CONFIG");
	unsetenv("LOGKIT_SASL_PASSWORD");
	test_order(file);
	check_bad(file, "a=1\ngroup.id=g\n", 2);
	check_bad(file, "\n\ntest.mock.num.brokers=3\n", 3);
	check_bad(file, "a=\\uzzzz\n", 1);

	settings_init(&s);
	tap_int(settings_load(&s, NULL, &f), 0, "no file is fine");
	tap_int((int64_t)s.count, 0, "right");
	tap_int(settings_load(&s, "/nonexistent/config", &f), ENOENT, "right");
	tap_str(f.file, "/nonexistent/config");
	setenv("LOGKIT_CONFIG", "/nonexistent/config", 1);
	tap_int(settings_load(&s, NULL, &f), ENOENT, "right");
	settings_release(&s);

	tap(settings_is_secret("sasl.password"), "a secret");
	tap(!settings_is_secret("sasl.username"), "none");
	tap(settings_refusal("bootstrap.servers") != NULL, "refused");
	tap(settings_refusal("client.id") == NULL, "not refused");
	return tap_done();
}
