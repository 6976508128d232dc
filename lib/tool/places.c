#include "tool/places.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/status.h"
#include "tool/message.h"

enum {
	OPT_CONFIG = 900,
	OPT_TIMEOUT,
};

const struct cli_option places_options[] = {
    {'b', "broker", "LIST",
	"operands are topics of the cluster at HOST[:PORT],..."},
    {OPT_CONFIG, "config", "FILE",
	"properties of the client for kafka:// places"},
    {OPT_TIMEOUT, "timeout", "DUR",
	"kafka://: give up after so long without an answer (30s)"},
    {0, NULL, NULL, NULL},
};

const struct cli_option places_options_named[] = {
    {OPT_CONFIG, "config", "FILE",
	"properties of the client for kafka:// places"},
    {OPT_TIMEOUT, "timeout", "DUR",
	"kafka://: give up after so long without an answer (30s)"},
    {0, NULL, NULL, NULL},
};

const struct cli_option places_options_client[] = {
    {'X', "set", "PROP=VALUE", "a property of the client for kafka:// places"},
    {0, NULL, NULL, NULL},
};

void
places_init(struct places *p)
{
	*p = (struct places){.timeout_ms = CLUSTER_TIMEOUT_MS};
	settings_init(&p->settings);
}

void
places_release(struct places *p)
{
	settings_release(&p->settings);
}

/* -X NAME=VALUE */
static void
set_property(struct places *p)
{
	char *equals = strchr(cli_arg, '=');
	const char *why;

	if (equals == NULL || equals == cli_arg)
		cli_usage("-X %s: not PROP=VALUE", cli_arg);
	*equals = '\0';
	if (settings_is_secret(cli_arg)) {
		/* ps(1) shows it to everybody: it was seen already, once. */
		for (char *c = equals + 1; *c != '\0'; c++)
			*c = 'x';
		cli_usage("-X %s: no secrets on a command line; put it into a "
			  "file (--config FILE, or --config /dev/fd/3 3<FILE)",
		    cli_arg);
	}
	why = settings_refusal(cli_arg);
	if (why != NULL)
		cli_usage("-X %s: %s", cli_arg, why);
	if (settings_set(&p->settings, cli_arg, equals + 1) != 0)
		err(CLI_FAIL, NULL);
}

bool
places_set(struct places *p, int id)
{
	switch (id) {
	case 'b':
		p->brokers = cli_arg;
		break;
	case 'X':
		set_property(p);
		break;
	case OPT_CONFIG:
		p->config = cli_arg;
		break;
	case OPT_TIMEOUT:
		if (parse_duration(cli_arg, &p->timeout_ms) != 0 ||
		    p->timeout_ms < 1 || p->timeout_ms > INT32_MAX)
			cli_usage("--timeout %s: not a duration (10s, 5m)",
			    cli_arg);
		break;
	default:
		return false;
	}
	return true;
}

void
places_take(const struct places *p, int operands, char **operand)
{
	char *place;

	if (p->brokers == NULL)
		return;
	for (int i = 0; i < operands; i++) {
		if (place_is_remote(operand[i]))
			cli_usage("-b does not go with %s, which names its "
				  "brokers",
			    operand[i]);
		if (asprintf(&place, "kafka://%s/%s", p->brokers, operand[i]) <
		    0)
			err(CLI_FAIL, NULL);
		operand[i] = place;
	}
}

bool
places_any(int operands, char **operand)
{
	for (int i = 0; i < operands; i++)
		if (place_is_remote(operand[i]))
			return true;
	return false;
}

void
places_parse(const char *operand, struct place *out)
{
	const char *why;

	if (place_parse(operand, out, &why) != 0)
		cli_usage("%s: %s", operand, why);
}

void
places_parse_topic(const char *operand, struct place *out)
{
	places_parse(operand, out);
	if (out->topic[0] == '\0')
		cli_usage("%s: no topic named (kafka://HOST/TOPIC)", operand);
}

/* Once: what was said already wins over the file. */
static void
load(struct places *p)
{
	struct fault f = {.file = ""};
	int rc = settings_load(&p->settings, p->config, &f);

	if (rc == STATUS_SYNTAX)
		errx(CLI_FAIL, "%s:%lld: %s", f.file, (long long)f.pos, f.what);
	if (rc != 0)
		errx(CLI_FAIL, "%s: %s", f.file, status_text(rc));
	rc = cluster_check_settings(&p->settings, &f);
	if (rc == STATUS_SYNTAX)
		cli_usage("%s: %s", f.file, f.what);
	if (rc != 0)
		exit(message_warn("kafka://", rc, &f));
	p->loaded = true;
}

void
places_cluster_options(struct places *p, const volatile sig_atomic_t *stop,
    struct cluster_options *out)
{
	if (!p->loaded)
		load(p);
	*out = (struct cluster_options){
	    .settings = &p->settings,
	    .timeout_ms = p->timeout_ms,
	    .stop = stop,
	    .verbose = cli_verbose > 1,
	};
}

void
places_refuse(const char *option, const char *why)
{
	cli_usage("%s does not go with kafka:// places: %s", option, why);
}
