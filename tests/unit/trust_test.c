#include "replicate/trust.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "tap.h"

static const struct trust_secret secret = {"0123456789abcdef", 16};
static const struct trust_secret other = {"0123456789abcdeg", 16};

static void
greet(struct trust *c, struct trust *s)
{
	tap(trust_init(c, false) == 0 && trust_init(s, true) == 0 &&
		trust_take_nonce(s, trust_nonce(c)) == 0 &&
		trust_take_nonce(c, trust_nonce(s)) == 0,
	    "nonces are told");
}

static struct view
proof_of(const struct trust *t, const struct trust_secret *s, uint8_t *out)
{
	trust_prove(t, s, out);
	return (struct view){out, TRUST_PROOF_LEN};
}

static void
test_proofs(void)
{
	uint8_t cp[TRUST_PROOF_LEN], sp[TRUST_PROOF_LEN];
	struct trust c, s, again;
	struct view v;

	greet(&c, &s);
	v = proof_of(&c, &secret, cp);
	tap(trust_check(&s, &secret, v), "the client proves");
	tap(trust_check(&c, &secret, proof_of(&s, &secret, sp)),
	    "the server proves");
	tap(!trust_check(&s, &secret, proof_of(&c, &other, sp)) && !s.is_proven,
	    "another secret");
	tap(!trust_check(&c, &secret, v), "one's own proof sent back");
	v.len--;
	tap(!trust_check(&s, &secret, v), "a part of the proof");
	v.len = 0;
	tap(!trust_check(&s, &secret, v), "no proof");
	greet(&c, &again);
	tap(!trust_check(&again, &secret, (struct view){cp, sizeof(cp)}),
	    "the proof of another connection");
	tap(trust_take_nonce(&c, (struct view){cp, 31}) == STATUS_CORRUPT,
	    "a short nonce");
}

struct message {
	uint8_t data[20];
	uint8_t tag[TRUST_TAG_LEN];
};

static void
say(struct trust *t, const char *text, struct message *m)
{
	memset(m->data, 0, sizeof(m->data));
	memcpy(m->data + TRUST_COUNT_LEN, text, strlen(text));
	trust_seal(t, m->data, sizeof(m->data), m->tag);
}

static int
hear(struct trust *t, const struct message *m, struct view *v)
{
	*v = (struct view){m->data, sizeof(m->data)};
	return trust_open(t, v, (struct view){m->tag, sizeof(m->tag)});
}

static void
test_messages(void)
{
	struct message m[3], back, changed;
	uint8_t p[TRUST_PROOF_LEN];
	struct trust c, s;
	struct view v;
	bool ok = true;

	greet(&c, &s);
	tap(hear(&s, &m[0], &v) == STATUS_CORRUPT, "nothing before a proof");
	trust_check(&s, &secret, proof_of(&c, &secret, p));
	trust_check(&c, &secret, proof_of(&s, &secret, p));
	for (int i = 0; i < 3; i++)
		say(&c, i == 0 ? "one" : i == 1 ? "two" : "three", &m[i]);
	say(&s, "back", &back);
	tap(hear(&s, &m[0], &v) == 0 && v.len == 12 &&
		memcmp(v.data, "one", 4) == 0,
	    "the first");
	tap(hear(&s, &m[0], &v) == STATUS_CORRUPT, "twice");
	tap(hear(&s, &m[2], &v) == STATUS_CORRUPT, "one is missing");
	tap(hear(&s, &back, &v) == STATUS_CORRUPT, "its own");
	for (size_t i = 0; i < sizeof(m[1]); i++) {
		changed = m[1];
		((uint8_t *)&changed)[i] ^= 4;
		ok = ok && hear(&s, &changed, &v) == STATUS_CORRUPT;
	}
	tap(ok, "each byte counts");
	tap(hear(&s, &m[1], &v) == 0 && hear(&s, &m[2], &v) == 0, "the others");
	tap(hear(&c, &back, &v) == 0, "the other way");
}

static int
read_with(const char *path, const char *text, mode_t mode,
    struct trust_secret *out, const char **why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 ||
	    fchmod(fd, mode) != 0 || close(fd) != 0)
		tap(false, "%s: %s", path, strerror(errno));
	return trust_read(path, out, why);
}

static void
test_file(void)
{
	static char large[TRUST_SECRET_MAX + 1];
	struct trust_secret s;
	const char *why;
	char path[512];

	snprintf(path, sizeof(path), "%s/secret", tap_dir());
	tap(trust_read(path, &s, &why) == ENOENT && why == NULL, "no file");
	tap(read_with(path, "0123456789abcdef \n\n", 0600, &s, &why) == 0 &&
		s.len == 16 && memcmp(s.bytes, secret.bytes, 16) == 0,
	    "blanks at the end");
	tap(read_with(path, "0123456789abcdef", 0640, &s, &why) == EPERM &&
		why != NULL,
	    "for the group, too");
	tap(read_with(path, "0123456789abcdef", 0604, &s, &why) == EPERM,
	    "for all");
	tap(read_with(path, "0123456789abcde\n", 0600, &s, &why) ==
		STATUS_SYNTAX,
	    "too short");
	memset(large, 'x', sizeof(large) - 1);
	tap(read_with(path, large, 0600, &s, &why) == STATUS_SYNTAX,
	    "too long");
	tap(trust_read("/dev/null", &s, &why) == STATUS_NOT_FILE, "no file");
}

int
main(void)
{
	test_proofs();
	test_messages();
	test_file();
	return tap_done();
}
