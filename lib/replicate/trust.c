#include "replicate/trust.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/siphash.h"
#include "base/status.h"

static const char label[] = "logkit replica 1";

/* --- the secret ----------------------------------------------------------- */

static int
check_access(int fd, const char **why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return errno;
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return 0;
	*why = "others than its owner may use it (chmod 600)";
	return EPERM;
}

static int
take_secret(const struct buf *b, struct trust_secret *out, const char **why)
{
	size_t len = b->len;

	while (len > 0 && isspace(b->data[len - 1]))
		len--;
	*why = "shorter than 16 bytes: not a secret";
	if (len < TRUST_SECRET_MIN)
		return STATUS_SYNTAX;
	*why = NULL;
	memcpy(out->bytes, b->data, len);
	out->len = len;
	return 0;
}

int
trust_read(const char *path, struct trust_secret *out, const char **why)
{
	struct buf b;
	size_t got = 0;
	int fd = -1, rc;

	*why = NULL;
	buf_init(&b, TRUST_SECRET_MAX);
	rc = io_open(AT_FDCWD, path, O_RDONLY, 0, &fd);
	if (rc == 0)
		rc = check_access(fd, why);
	if (rc == 0)
		rc = buf_reserve(&b, TRUST_SECRET_MAX);
	if (rc == 0)
		rc = io_pread(fd, b.data, TRUST_SECRET_MAX, 0, &got);
	b.len = got;
	if (rc == 0 && got == TRUST_SECRET_MAX) {
		*why = "too long for a secret";
		rc = STATUS_SYNTAX;
	}
	if (rc == 0)
		rc = take_secret(&b, out, why);
	if (b.data != NULL)
		explicit_bzero(b.data, b.cap);
	buf_release(&b);
	(void)io_close(&fd);
	return rc;
}

/* --- proofs --------------------------------------------------------------- */

int
trust_init(struct trust *t, bool is_server)
{
	*t = (struct trust){.is_server = is_server};
	if (getrandom(t->nonces[is_server], TRUST_NONCE_LEN, 0) !=
	    TRUST_NONCE_LEN)
		return errno != 0 ? errno : EIO;
	return 0;
}

struct view
trust_nonce(const struct trust *t)
{
	return (struct view){t->nonces[t->is_server], TRUST_NONCE_LEN};
}

int
trust_take_nonce(struct trust *t, struct view nonce)
{
	if (nonce.len != TRUST_NONCE_LEN)
		return STATUS_CORRUPT;
	memcpy(t->nonces[!t->is_server], nonce.data, TRUST_NONCE_LEN);
	return 0;
}

static void
derive(const struct trust *t, const struct trust_secret *s, char role,
    uint8_t out[HMAC_LEN])
{
	const struct iovec parts[] = {
	    {(void *)(uintptr_t)label, sizeof(label) - 1},
	    {&role, 1},
	    {(void *)(uintptr_t)t->nonces, sizeof(t->nonces)},
	};

	hmac_sha256(s->bytes, s->len, parts, 3, out);
}

void
trust_prove(const struct trust *t, const struct trust_secret *s,
    uint8_t out[TRUST_PROOF_LEN])
{
	derive(t, s, t->is_server ? 'S' : 'C', out);
}

static void
make_keys(struct trust *t, const struct trust_secret *s)
{
	uint8_t key[HMAC_LEN];

	for (int i = 0; i < 2; i++) {
		derive(t, s, i == 0 ? 'c' : 's', key);
		memcpy(t->keys[i], key, sizeof(t->keys[i]));
	}
	explicit_bzero(key, sizeof(key));
}

bool
trust_check(struct trust *t, const struct trust_secret *s, struct view proof)
{
	uint8_t right[HMAC_LEN];

	derive(t, s, t->is_server ? 'C' : 'S', right);
	t->is_proven = proof.len == sizeof(right) &&
	    hmac_is_equal(proof.data, right, sizeof(right));
	explicit_bzero(right, sizeof(right));
	if (t->is_proven)
		make_keys(t, s);
	return t->is_proven;
}

/* --- what is said later --------------------------------------------------- */

static void
make_tag(const uint64_t key[2], const uint8_t *data, size_t len,
    uint8_t tag[TRUST_TAG_LEN])
{
	struct siphash h = siphash_128(key, data, len);

	buf_put_64(tag, h.low);
	buf_put_64(tag + 8, h.high);
}

void
trust_seal(struct trust *t, uint8_t *data, size_t len,
    uint8_t tag[TRUST_TAG_LEN])
{
	int way = t->is_server;

	buf_put_64(data, t->counts[way]++);
	make_tag(t->keys[way], data, len, tag);
}

int
trust_open(struct trust *t, struct view *data, struct view tag)
{
	uint8_t right[TRUST_TAG_LEN];
	int way = !t->is_server;

	if (!t->is_proven || data->len < TRUST_COUNT_LEN ||
	    tag.len != sizeof(right) ||
	    buf_get_64(data->data) != t->counts[way])
		return STATUS_CORRUPT;
	make_tag(t->keys[way], data->data, data->len, right);
	if (!hmac_is_equal(right, tag.data, sizeof(right)))
		return STATUS_CORRUPT;
	t->counts[way]++;
	data->data += TRUST_COUNT_LEN;
	data->len -= TRUST_COUNT_LEN;
	return 0;
}
