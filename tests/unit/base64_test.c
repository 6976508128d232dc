#include "base/base64.h"

#include "base/buf.h"
#include "base/status.h"
#include "tap.h"

/* Text and the bytes it stands for, both ways. */
static void
check(const char *plain, const char *text)
{
	struct buf b;

	buf_init(&b, 1000);
	tap_int(base64_encode(&b, (const uint8_t *)plain, strlen(plain)), 0,
	    "encode \"%s\"", plain);
	tap(b.len == strlen(text) && memcmp(b.data, text, b.len) == 0, "as %s",
	    text);
	b.len = 0;
	tap_int(base64_decode((const uint8_t *)text, strlen(text), &b), 0,
	    "decode %s", text);
	tap(b.len == strlen(plain) && memcmp(b.data, plain, b.len) == 0,
	    "as \"%s\"", plain);
	buf_release(&b);
}

static void
check_bad(const char *text)
{
	/* Its own memory: the sanitizer sees a read beyond. */
	size_t len = strlen(text);
	uint8_t *copy = malloc(len);
	struct buf b;

	memcpy(copy, text, len);
	buf_init(&b, 1000);
	buf_add_8(&b, 'x');
	tap_int(base64_decode(copy, len, &b), STATUS_SYNTAX, "refuse %s", text);
	tap_int(b.len, 1, "and add nothing");
	buf_release(&b);
	free(copy);
}

/* RFC 4648, section 10. */
static void
test_vectors(void)
{
	struct buf b;

	buf_init(&b, 10);
	tap(base64_encode(&b, NULL, 0) == 0 && b.len == 0, "nothing");
	tap(base64_decode(NULL, 0, &b) == 0 && b.len == 0, "from nothing");
	check("f", "Zg==");
	check("fo", "Zm8=");
	check("foo", "Zm9v");
	check("foob", "Zm9vYg==");
	check("fooba", "Zm9vYmE=");
	check("foobar", "Zm9vYmFy");
	check("\xff\xef\xbf\xbe", "/++/vg==");
	buf_release(&b);
}

static void
test_bad(void)
{
	static const char *const texts[] = {"Z", "Zg", "Zg=", "=",
	    "==", "===", "====", "Zg===", "Zg==Zg==", "Z===", "Zm9v=", "Z=9v",
	    "Zm=v", "Zh==", "Zm9=", "Zm-_", "Zm 9", "Zm9v\n", "Zm9\n",
	    "Zm9\x80", "Zm9vZg=a"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_bad(texts[i]);
}

/*
 * Every text of four characters is refused or is what its bytes are encoded
 * to: no two texts stand for the same bytes.
 */
static void
test_one_text(void)
{
	static const char letters[] = "AQgwZ9+/=-";
	const size_t n = sizeof(letters) - 1;
	int wrong = 0, good = 0;
	struct buf bytes, text;

	buf_init(&bytes, 100);
	buf_init(&text, 100);
	for (size_t i = 0; i < n * n * n * n; i++) {
		uint8_t t[4] = {(uint8_t)letters[i % n],
		    (uint8_t)letters[i / n % n],
		    (uint8_t)letters[i / n / n % n],
		    (uint8_t)letters[i / n / n / n]};

		bytes.len = text.len = 0;
		if (base64_decode(t, 4, &bytes) != 0)
			continue;
		good++;
		wrong += base64_encode(&text, bytes.data, bytes.len) != 0 ||
		    text.len != 4 || memcmp(text.data, t, 4) != 0;
	}
	tap(good > 1000, "%d texts are read", good);
	tap_int(wrong, 0, "each is the only one for its bytes");
	buf_release(&bytes);
	buf_release(&text);
}

static void
test_random(void)
{
	uint8_t data[200];
	struct buf text, back;
	int wrong = 0;

	buf_init(&text, 1000);
	buf_init(&back, 1000);
	for (int i = 0; i < 5000; i++) {
		size_t len = tap_random() % sizeof(data);

		for (size_t k = 0; k < len; k++)
			data[k] = (uint8_t)tap_random();
		text.len = back.len = 0;
		wrong += base64_encode(&text, data, len) != 0 ||
		    base64_decode(text.data, text.len, &back) != 0 ||
		    back.len != len ||
		    (len > 0 && memcmp(back.data, data, len) != 0);
	}
	tap_int(wrong, 0, "what is encoded is decoded");
	buf_release(&text);
	buf_release(&back);
}

static void
test_bound(void)
{
	struct buf b;

	buf_init(&b, 7);
	tap_int(base64_encode(&b, (const uint8_t *)"fooba", 5), STATUS_TOO_BIG,
	    "no room to encode");
	tap_int(b.len, 0, "nothing was added");
	tap_int(base64_decode((const uint8_t *)"Zm9vYmFyZm9v", 12, &b),
	    STATUS_TOO_BIG, "no room to decode");
	tap_int(b.len, 0, "nothing was added");
	buf_release(&b);
}

/* Of RFC 4648's letters the last two are others; no padding. */
static void
test_id(void)
{
	uint8_t id[16], back[16];
	char text[BASE64_ID_LEN + 1];

	for (int i = 0; i < 16; i++)
		id[i] = (uint8_t)(0xfb - i);
	base64_id_encode(id, text);
	tap(strcmp(text, "-_r5-Pf29fTz8vHw7-7t7A") == 0, "an id");
	tap(base64_id_decode(text, back) && memcmp(id, back, 16) == 0,
	    "and back");
	tap(!base64_id_decode("-_r5-Pf29fTz8vHw7-7t7", back), "too short");
	tap(!base64_id_decode("-_r5-Pf29fTz8vHw7-7t7B", back),
	    "with bits that nobody has written");
	tap(!base64_id_decode("-_r5-Pf29fTz8vHw7-7t+A", back),
	    "in the other alphabet");
}

/* UUIDs of version 4 that are no options, of which one in 64 would be. */
static void
test_made(void)
{
	char text[BASE64_ID_LEN + 1];
	uint8_t id[16];
	int good = 0;

	for (int i = 0; i < 2000; i++)
		good += base64_id_make(text) == 0 && text[0] != '-' &&
		    base64_id_decode(text, id) && id[6] >> 4 == 4 &&
		    id[8] >> 6 == 2;
	tap_int(good, 2000, "ids that are made");
}

int
main(void)
{
	test_id();
	test_made();
	test_vectors();
	test_bad();
	test_one_text();
	test_random();
	test_bound();
	return tap_done();
}
