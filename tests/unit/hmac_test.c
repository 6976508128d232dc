#include "base/hmac.h"

#include <string.h>

#include "tap.h"

/* RFC 4231, 4.2 to 4.8; of case 5 the first 128 bits are told. */
static const struct {
	const char *name;
	size_t key_len;
	uint8_t key_byte;	/* repeated; 0: key is text */
	const char *key;
	size_t data_len;
	uint8_t data_byte;
	const char *data;
	size_t out_len;
	const char *out;
} vectors[] = {
    {"1", 20, 0x0b, NULL, 8, 0, "Hi There", 32,
	"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"2", 4, 0, "Jefe", 28, 0, "what do ya want for nothing?", 32,
	"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"3", 20, 0xaa, NULL, 50, 0xdd, NULL, 32,
	"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"5", 20, 0x0c, NULL, 20, 0, "Test With Truncation", 16,
	"a3b6167473100ee06e0c796c2955552b"},
    {"6", 131, 0xaa, NULL, 54, 0,
	"Test Using Larger Than Block-Size Key - Hash Key First", 32,
	"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {"7", 131, 0xaa, NULL, 152, 0,
	"This is a test using a larger than block-size key and a larger "
	"than block-size data. The key needs to be hashed before being used "
	"by the HMAC algorithm.",
	32, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

static void
fill(uint8_t *out, size_t len, uint8_t byte, const char *text)
{
	if (text != NULL)
		memcpy(out, text, len);
	else
		memset(out, byte, len);
}

static void
test_vector(size_t i)
{
	uint8_t key[200], data[200], out[HMAC_LEN];
	char hex[2 * HMAC_LEN + 1];
	struct iovec parts[2];

	fill(key, vectors[i].key_len, vectors[i].key_byte, vectors[i].key);
	fill(data, vectors[i].data_len, vectors[i].data_byte, vectors[i].data);
	parts[0] = (struct iovec){data, 3};
	parts[1] = (struct iovec){data + 3, vectors[i].data_len - 3};
	hmac_sha256(key, vectors[i].key_len, parts, 2, out);
	for (size_t n = 0; n < vectors[i].out_len; n++)
		snprintf(hex + 2 * n, 3, "%02x", out[n]);
	tap(strcmp(hex, vectors[i].out) == 0, "RFC 4231, test case %s",
	    vectors[i].name);
}

int
main(void)
{
	uint8_t a[33], b[33];
	bool ok = true;

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		test_vector(i);
	memset(a, 7, sizeof(a));
	memset(b, 7, sizeof(b));
	tap(hmac_is_equal(a, b, sizeof(a)), "equal");
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] ^= 1;
		ok = ok && !hmac_is_equal(a, b, sizeof(a));
		b[i] ^= 1;
	}
	tap(ok, "each byte counts");
	tap(hmac_is_equal(a, "x", 0), "nothing equals nothing");
	return tap_done();
}
