#include "direct/scram.h"

#include "base/status.h"
#include "direct/openssl.h"
#include "tap.h"

/* RFC 7677, section 3, with the server's words as they may be changed. */
static int
converse(const char *server_first, const char *server_final,
    char said[SCRAM_TEXT_MAX], const char **what)
{
	struct scram s;
	int rc;

	scram_init(&s, false, "user", "pencil");
	strlcpy(s.nonce, "rOprNGfwEbeRWgbNEkqO", sizeof(s.nonce));
	rc = scram_first(&s, said);
	tap(rc == 0 && strcmp(said, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == 0,
	    "what is said first");
	rc = scram_final(&s, server_first, said, what);
	return rc == 0 ? scram_verify(&s, server_final, what) : rc;
}

#define SERVER_NONCE "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SERVER_SALT "s=W22ZaJ0SNY7soEsUEjb6gQ=="
#define SERVER_PROOF "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static void
test_known(void)
{
	char said[SCRAM_TEXT_MAX];
	const char *what = "";

	tap_int(converse(SERVER_NONCE "," SERVER_SALT ",i=4096", SERVER_PROOF,
		    said, &what),
	    0, "the exchange of RFC 7677");
	tap_str(said,
	    "c=biws," SERVER_NONCE
	    ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
}

static void
test_wrong(void)
{
	static const struct {
		const char *first;
		const char *final;
		const char *name;
	} rows[] = {
	    {SERVER_NONCE "," SERVER_SALT ",i=4096",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
		"another proof"},
	    {SERVER_NONCE "," SERVER_SALT ",i=4096", "v=6rriTRBi23Wp",
		"a proof that is short"},
	    {SERVER_NONCE "," SERVER_SALT ",i=4096", "e=other-error",
		"no proof"},
	    {SERVER_NONCE "," SERVER_SALT ",i=4096", "", "nothing"},
	    {SERVER_NONCE "," SERVER_SALT ",i=4095", SERVER_PROOF,
		"too few iterations"},
	    {SERVER_NONCE "," SERVER_SALT ",i=1000001", SERVER_PROOF,
		"too many iterations"},
	    {SERVER_NONCE "," SERVER_SALT ",i=99999999999999999999",
		SERVER_PROOF, "far too many"},
	    {SERVER_NONCE "," SERVER_SALT, SERVER_PROOF, "no iterations"},
	    {SERVER_NONCE ",s=!,i=4096", SERVER_PROOF, "a salt that is none"},
	    {SERVER_NONCE ",i=4096", SERVER_PROOF, "no salt"},
	    {"r=rOprNGfwEbeRWgbNEkqO," SERVER_SALT ",i=4096", SERVER_PROOF,
		"no nonce of its own"},
	    {"r=other," SERVER_SALT ",i=4096", SERVER_PROOF, "another's nonce"},
	    {",,,=,r", SERVER_PROOF, "no message"},
	};
	char said[SCRAM_TEXT_MAX];
	const char *what = "";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tap_int(converse(rows[i].first, rows[i].final, said, &what),
		    STATUS_CORRUPT, "refused: %s", rows[i].name);
}

static void
test_names(void)
{
	char said[SCRAM_TEXT_MAX], name[SCRAM_TEXT_MAX];
	struct scram s, other;

	scram_init(&s, true, "a,b=c", "");
	tap(scram_first(&s, said) == 0 &&
		strncmp(said, "n,,n=a=2Cb=3Dc,r=", 17) == 0,
	    "a name with a comma and an equals sign");
	scram_init(&other, true, "a", "");
	tap(strcmp(s.nonce, other.nonce) != 0 && strlen(s.nonce) == 32,
	    "each has a nonce of its own");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	scram_init(&s, true, name, "");
	tap_int(scram_first(&s, said), STATUS_TOO_BIG, "a name too long");
}

int
main(void)
{
	if (openssl_load() != 0) {
		printf("1..0 # SKIP %s\n", openssl_why());
		return 0;
	}
	test_known();
	test_wrong();
	test_names();
	return tap_done();
}
