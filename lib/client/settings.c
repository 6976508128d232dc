#include "client/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/pairs.h"
#include "base/status.h"

void
settings_init(struct settings *s)
{
	*s = (struct settings){NULL, 0};
}

void
settings_release(struct settings *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->pairs[i].name);
		free(s->pairs[i].value);
	}
	free(s->pairs);
	settings_init(s);
}

static struct settings_pair *
find(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->pairs[i].name, name) == 0)
			return &s->pairs[i];
	return NULL;
}

const char *
settings_get(const struct settings *s, const char *name)
{
	const struct settings_pair *p = find(s, name);

	return p == NULL ? NULL : p->value;
}

static int
add(struct settings *s, const char *name, const char *value)
{
	struct settings_pair *pairs =
	    reallocarray(s->pairs, s->count + 1, sizeof(*pairs));
	struct settings_pair p = {strdup(name), strdup(value)};

	if (pairs != NULL)
		s->pairs = pairs;
	if (pairs == NULL || p.name == NULL || p.value == NULL) {
		free(p.name);
		free(p.value);
		return ENOMEM;
	}
	s->pairs[s->count++] = p;
	return 0;
}

int
settings_set(struct settings *s, const char *name, const char *value)
{
	struct settings_pair *p = find(s, name);
	char *copy;

	if (p == NULL)
		return add(s, name, value);
	copy = strdup(value);
	if (copy == NULL)
		return ENOMEM;
	free(p->value);
	p->value = copy;
	return 0;
}

bool
settings_is_secret(const char *name)
{
	static const char *const secrets[] = {"sasl.password",
	    "ssl.key.password", "ssl.keystore.password", "ssl.key.pem",
	    "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config",
	    "sasl.jaas.config"};

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (strcmp(name, secrets[i]) == 0)
			return true;
	return false;
}

const char *
settings_refusal(const char *name)
{
	static const struct {
		const char *name;
		const char *why;
	} rows[] = {
	    {"bootstrap.servers", "the place names the brokers"},
	    {"metadata.broker.list", "the place names the brokers"},
	    {"group.id", "-g names the group"},
	    {"enable.auto.commit", "positions are committed after the output"},
	    {"enable.auto.offset.store",
		"positions are committed after the output"},
	    {"enable.partition.eof", "ends are looked for always"},
	    {"isolation.level", "--uncommitted says it"},
	    {"auto.offset.reset", "-o says where to begin"},
	    {"transactional.id", "there are no transactions"},
	    {"partition.assignment.strategy",
		"members share partitions by range"},
	    {"test.mock.num.brokers", "it is for tests of the library"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(name, rows[i].name) == 0)
			return rows[i].why;
	return NULL;
}

/* Also of a pipe or a descriptor: /dev/fd/3 keeps a secret, too. */
static int
read_all(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = fd < 0 ? errno : 0;
	ssize_t n = 1;

	while (rc == 0 && n > 0) {
		rc = buf_reserve(b, 4096);
		if (rc != 0)
			break;
		n = read(fd, b->data + b->len, 4096);
		if (n < 0)
			rc = errno;
		else
			b->len += (size_t)n;
	}
	(void)io_close(&fd);
	return rc;
}

/* One pair of the file, which what is set already wins over. */
static int
take(struct settings *s, const char *name, const char *value, const char **what)
{
	*what = settings_refusal(name);
	if (*what != NULL)
		return STATUS_SYNTAX;
	return find(s, name) != NULL ? 0 : add(s, name, value);
}

static int
load_file(struct settings *s, const char *path, struct fault *f)
{
	const char *name, *value, *what = "not NAME=VALUE";
	struct pairs p;
	struct buf b;
	int rc;

	buf_init(&b, TEXT_FILE_BYTES_MAX);
	rc = read_all(path, &b);
	pairs_init(&p, b.data, b.len);
	while (rc == 0 && (rc = pairs_next(&p, &name, &value)) == 0)
		rc = take(s, name, value, &what);
	if (rc == STATUS_END)
		rc = 0;
	if (rc != 0)
		status_fault(f, rc, path, rc == STATUS_SYNTAX ? p.line : -1, -1,
		    rc == STATUS_SYNTAX ? what : NULL);
	pairs_release(&p);
	buf_release(&b);
	return rc;
}

/* The file that is read if none is named.  False: there is none. */
static bool
default_file(char path[PATH_MAX])
{
	const char *home = getenv("HOME");

	if (home == NULL || home[0] == '\0')
		return false;
	snprintf(path, PATH_MAX, "%s/.config/logkit/config", home);
	return access(path, F_OK) == 0;
}

int
settings_load(struct settings *s, const char *file, struct fault *f)
{
	const char *password = getenv("LOGKIT_SASL_PASSWORD");
	char path[PATH_MAX];
	int rc = 0;

	if (password != NULL && find(s, "sasl.password") == NULL)
		rc = add(s, "sasl.password", password);
	if (file == NULL)
		file = getenv("LOGKIT_CONFIG");
	if (file != NULL && file[0] == '\0')
		file = NULL;
	if (file == NULL && default_file(path))
		file = path;
	if (rc == 0 && file != NULL)
		rc = load_file(s, file, f);
	return rc;
}
