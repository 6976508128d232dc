#include "base/pairs.h"

#include "base/status.h"
#include "tap.h"

/* All pairs as "key|value;" with the line where each begins. */
static int
read_all(const void *text, size_t len, char *out, size_t size)
{
	struct pairs p;
	const char *key, *value;
	int rc;

	out[0] = '\0';
	pairs_init(&p, text, len);
	while ((rc = pairs_next(&p, &key, &value)) == 0)
		snprintf(out + strlen(out), size - strlen(out), "%d:%s|%s;",
		    p.line, key, value);
	pairs_release(&p);
	return rc;
}

static void
check(const char *text, const char *want)
{
	char got[500];
	/* Its own memory: the sanitizer sees a read beyond. */
	size_t len = strlen(text);
	char *copy = malloc(len + 1);

	memcpy(copy, text, len);
	copy = realloc(copy, len > 0 ? len : 1);
	tap_int(read_all(copy, len, got, sizeof(got)), STATUS_END, "read");
	tap_str(got, want);
	free(copy);
}

static void
check_bad(const char *text, size_t len)
{
	char got[500];

	tap_int(read_all(text, len, got, sizeof(got)), STATUS_SYNTAX,
	    "bad text of %zu bytes", len);
}

static void
test_read(void)
{
	check("", "");
	check("\n\n  \n", "");
	check("a=b", "1:a|b;");
	check("a=b\nc=d\n", "1:a|b;2:c|d;");
	check("a=b\r\nc=d\re=f", "1:a|b;2:c|d;3:e|f;");
	check("# x\n ! y=z\na=b\n#", "3:a|b;");
	check(" a : b \n", "1:a|b ;");
	check("a b c\n", "1:a|b c;");
	check("a\n", "1:a|;");
	check("=b\n", "1:|b;");
	check("a==b\n", "1:a|=b;");
	check("a = : b\n", "1:a|: b;");
	check("a\\=\\:\\ x=1\n", "1:a=: x|1;");
	check("a=\\t\\n\\r\\f\\q\\\\\n", "1:a|\t\n\r\fq\\;");
	check("a=\\u0041\\u00e9\\u20ac\\ud83d\\ude00", "1:a|Aé€😀;");
	check("a=b\\\n   c\\\r\n\td\ne=f\n", "1:a|bcd;4:e|f;");
	check("a\\\n  =b", "1:a|b;");
	check("a=b\\\\\nc=d", "1:a|b\\;2:c|d;");
	check("a=b\\", "1:a|b;");
	check("a=b#c", "1:a|b#c;");
	check("a=b\\\n#c", "1:a|b#c;");
	check_bad("a=\\u12", 6);
	check_bad("a=\\u12g4", 8);
	check_bad("a=\\u0000", 8);
	check_bad("a=\\ud83d", 8);
	check_bad("a=\\ude00", 8);
	check_bad("a=\\ud83d\\u0041", 14);
	check_bad("a=b\0c", 5);
	check_bad("a\0=b", 4);
	check_bad("a=\\\0", 4);
}

/* What is written is read back, and keeps to its line. */
static void
test_write(void)
{
	static const char letters[] = "ab =:#!\\\t\n\r\fu\xc3\xa9";
	char key[12], value[12], want[60], got[60];
	int wrong = 0;

	for (int i = 0; i < 5000; i++) {
		struct buf b;

		memset(key, 0, sizeof(key));
		memset(value, 0, sizeof(value));
		for (size_t j = tap_random() % 11; j > 0; j--)
			key[j - 1] =
			    letters[tap_random() % (sizeof(letters) - 1)];
		for (size_t j = tap_random() % 11; j > 0; j--)
			value[j - 1] =
			    letters[tap_random() % (sizeof(letters) - 1)];
		buf_init(&b, 1000);
		wrong += pairs_add(&b, "first", "1") != 0;
		wrong += pairs_add(&b, key, value) != 0;
		read_all(b.data, b.len, got, sizeof(got));
		snprintf(want, sizeof(want), "1:first|1;2:%s|%s;", key, value);
		if (strcmp(got, want) != 0 && wrong++ == 0)
			printf("# got %s, want %s\n", got, want);
		buf_release(&b);
	}
	tap_int(wrong, 0, "what is written is read back");
}

static void
test_noise(void)
{
	static const char letters[] = "a=: \t\\u0dD\n\r#!";
	char text[40], got[2000];
	int odd = 0;

	for (int i = 0; i < 20000; i++) {
		size_t len = tap_random() % sizeof(text);
		char *copy = malloc(len + 1);
		int rc;

		for (size_t j = 0; j < len; j++)
			text[j] = letters[tap_random() % sizeof(letters)];
		copy = realloc(copy, len > 0 ? len : 1);
		memcpy(copy, text, len);
		rc = read_all(copy, len, got, sizeof(got));
		odd += rc != STATUS_END && rc != STATUS_SYNTAX;
		free(copy);
	}
	tap_int(odd, 0, "noise is read or refused");
}

static void
test_bound(void)
{
	struct buf b;

	buf_init(&b, 8);
	tap_int(pairs_add(&b, "key", "value"), STATUS_TOO_BIG, "no room");
	tap_int(b.len, 0, "nothing was added");
	buf_release(&b);
}

int
main(void)
{
	test_read();
	test_write();
	test_noise();
	test_bound();
	return tap_done();
}
