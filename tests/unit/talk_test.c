#include "direct/talk.h"

#include "base/now.h"
#include "base/status.h"
#include "broker.h"
#include "client/place.h"
#include "client/settings.h"
#include "direct/login.h"

/* Short to wait for, and long enough to connect in on a machine at work. */
enum { TIMEOUT_MS = 20000, SHORT_MS = 1500 };

static struct settings none;
static struct login *login;
static struct talk_options usual;

static void
setup(void)
{
	struct place place = {.tls = false};

	settings_init(&none);
	if (login_new(&none, &place, &login, NULL) != 0)
		abort();
	usual = (struct talk_options){.login = login,
	    .timeout_ms = TIMEOUT_MS,
	    .answer_max = 1 << 20};
}

/* --- one that is in order ------------------------------------------------- */

static void
answer_metadata(const struct wire_request *q, struct buf *out)
{
	struct metadata_response_brokers broker = {.node_id = q->correlation,
	    .host = bytes_of("h"),
	    .port = 1};
	struct metadata_response r;

	wire_defaults(&messages_metadata_response, &r);
	r.brokers = &broker;
	r.brokers_count = 1;
	r.cluster_id = bytes_of("cluster");
	broker_frame(q, &r, out);
}

static bool
in_order(const struct wire_request *q, struct view body, struct buf *out,
    void *arg)
{
	(void)body;
	(void)arg;
	if (q->key == API_VERSIONS)
		broker_versions(q, out);
	else
		answer_metadata(q, out);
	return true;
}

static void
test_calls(void)
{
	struct metadata_request q;
	struct metadata_response r;
	struct talk_answer a;
	struct broker b;
	struct fault f;
	struct talk *t;
	bool right = true;

	broker_start(&b, in_order, NULL);
	talk_answer_init(&a);
	tap_int(talk_open_any(&usual, b.place, &t, &f), 0, "opened");
	tap_str(talk_name(t), b.place);
	tap_int(talk_version(t, API_METADATA, INT16_MAX),
	    api_find(API_METADATA)->request->max, "the highest version");
	tap_int(talk_version(t, API_METADATA, 5), 5, "one that is said");
	wire_defaults(&messages_metadata_request, &q);
	tap(talk_call(t, API_METADATA, &q, &a, &r, &f) == 0 &&
		bytes_equal(r.cluster_id, bytes_of("cluster")),
	    "a call");
	for (int i = 0; i < TALK_PENDING_MAX; i++)
		right = right && talk_send(t, API_METADATA, &q, &f) == 0;
	tap_int(talk_pending(t), TALK_PENDING_MAX, "many are sent at once");
	for (int i = 0; i < TALK_PENDING_MAX; i++) {
		int32_t before = r.brokers[0].node_id;

		right = right && talk_receive(t, &a, &r, &f) == 0 &&
		    r.brokers[0].node_id == before + 1;
	}
	tap(right && talk_pending(t) == 0, "and answered in order");
	talk_close(t);
	talk_answer_release(&a);
	broker_stop(&b);
}

static void
test_lists(void)
{
	char list[100];
	struct talk_options o = usual;
	struct broker b, gone;
	struct fault f;
	struct talk *t;

	broker_start(&b, in_order, NULL);
	broker_start(&gone, in_order, NULL);
	broker_stop(&gone);
	snprintf(list, sizeof(list), "%s,%s", gone.place, b.place);
	tap_int(talk_open_any(&o, list, &t, &f), 0, "the second of a list");
	tap_str(talk_name(t), b.place);
	talk_close(t);
	tap_int(talk_open_any(&o, gone.place, &t, &f), STATUS_CLUSTER,
	    "nobody there");
	tap_str(f.file, gone.place);
	tap_str(f.what, "Connection refused");
	tap_int(talk_open_any(&o, "no.such.host.invalid", &t, &f),
	    STATUS_CLUSTER, "a host without an address");
	broker_stop(&b);
}

/* --- old ones ------------------------------------------------------------- */

/* Has ApiVersions up to 1 only, and says so as KIP-511 has it. */
static bool
old(const struct wire_request *q, struct view body, struct buf *out, void *arg)
{
	struct api_versions_response_api_keys keys[] = {{API_VERSIONS, 0, 1},
	    {API_METADATA, 0, 4}, {API_FETCH, 0, 3}};
	struct wire_request as = *q;
	struct api_versions_response r;

	(void)body;
	(void)arg;
	wire_defaults(&messages_api_versions_response, &r);
	r.api_keys = keys;
	if (q->version > 1) {
		as.version = 0;
		r.error_code = 35;
		r.api_keys_count = 1;
	} else {
		r.api_keys_count = 3;
	}
	broker_frame(&as, &r, out);
	return true;
}

static void
test_old(void)
{
	struct broker b;
	struct fault f;
	struct talk *t;
	struct fetch_request q;

	broker_start(&b, old, NULL);
	tap_int(talk_open_any(&usual, b.place, &t, &f), 0,
	    "a broker with old versions");
	tap_int(talk_version(t, API_METADATA, INT16_MAX), 4, "its highest");
	tap_int(talk_version(t, API_FETCH, INT16_MAX), -1, "too old a one");
	tap_int(talk_version(t, API_LIST_GROUPS, INT16_MAX), -1,
	    "none that it has");
	wire_defaults(&messages_fetch_request, &q);
	tap(talk_send(t, API_FETCH, &q, &f) == STATUS_CLUSTER &&
		strstr(f.what, "no version of Fetch") != NULL,
	    "it is said");
	talk_close(t);
	broker_stop(&b);
}

/* --- hostile ones --------------------------------------------------------- */

/* What is sent to a request of Metadata. */
struct hostile {
	const char *name;
	const char *hex;	/* behind the size, if there is one */
	int64_t size;		/* what it says; -1: how long it is */
	bool no_correlation;	/* else that of the request is put before it */
	bool stays;		/* the connection is not closed */
	const char *why;	/* in the message */
};

static const struct hostile hostiles[] = {
    {"nothing", "", -2, true, false, "closed the connection"},
    {"half a size", "0000", -2, true, false, "closed the connection"},
    {"half a frame", "0102030405", 50, false, false, "closed the connection"},
    {"an empty frame", "", 0, true, true, "not one"},
    {"two bytes", "0001", -1, true, true, "not one"},
    {"a size of 2^31-1", "", 0x7fffffff, true, true, "over the limit"},
    {"a negative size", "", 0x80000000, true, true, "over the limit"},
    {"a size of -1", "", 0xffffffff, true, true, "over the limit"},
    {"a byte over the limit", "", (1 << 20) + 1, true, true, "over the limit"},
    {"an alert of TLS", "0300020228", 0x15030300, true, true, "speaks TLS"},
    {"to another request", "7fffffff00000000", -1, true, true,
	"to another request"},
    {"2^32-2 brokers", "0000000000ffffffff0f", -1, false, true, "not one"},
    {"as many brokers as bytes", "00000000000500000000", -1, false, true,
	"not one"},
    {"null brokers", "000000000000", -1, false, true, "not one"},
    {"a varint without an end", "00000000008080808080808080", -1, false, true,
	"not one"},
    {"a tag longer than the frame", "00000000000101ffff7f", -1, false, true,
	"not one"},
    {"bytes behind it", "00000000000100000000000100000000000000ff", -1, false,
	true, ""},
};

static void
put_hex(struct buf *b, const char *hex)
{
	unsigned byte;

	for (; *hex != '\0'; hex += 2)
		if (sscanf(hex, "%2x", &byte) != 1 ||
		    buf_add_8(b, (uint8_t)byte) != 0)
			abort();
}

static bool
hostile(const struct wire_request *q, struct view body, struct buf *out,
    void *arg)
{
	const struct hostile *h = arg;

	(void)body;
	if (q->key == API_VERSIONS) {
		broker_versions(q, out);
		return true;
	}
	if (h->size > -2)
		(void)buf_add_32(out, (uint32_t)h->size);
	if (!h->no_correlation)
		(void)buf_add_32(out, (uint32_t)q->correlation);
	put_hex(out, h->hex);
	if (h->size == -1)
		buf_put_32(out->data, (uint32_t)(out->len - 4));
	return h->stays;
}

static void
test_hostile(const struct hostile *h)
{
	struct metadata_request q;
	struct metadata_response r;
	struct talk_answer a;
	struct broker b;
	struct fault f = {.file = ""};
	struct talk *t;

	broker_start(&b, hostile, (void *)(uintptr_t)h);
	talk_answer_init(&a);
	if (talk_open_any(&usual, b.place, &t, &f) != 0)
		abort();
	wire_defaults(&messages_metadata_request, &q);
	if (!tap(talk_call(t, API_METADATA, &q, &a, &r, &f) == STATUS_CLUSTER &&
		    strstr(f.what, h->why) != NULL,
		"refused: %s", h->name))
		fprintf(stderr, "# %s\n", f.what == NULL ? "" : f.what);
	talk_close(t);
	talk_answer_release(&a);
	broker_stop(&b);
}

/* Says nothing to Metadata, or nothing at all. */
static bool
silent(const struct wire_request *q, struct view body, struct buf *out,
    void *arg)
{
	(void)body;
	if (q->key == API_VERSIONS && arg == NULL)
		broker_versions(q, out);
	return true;
}

static void
test_silent(void)
{
	struct talk_options o = usual;
	struct metadata_request q;
	struct metadata_response r;
	struct talk_answer a;
	struct broker b;
	struct fault f;
	struct talk *t;

	broker_start(&b, silent, NULL);
	talk_answer_init(&a);
	if (talk_open_any(&o, b.place, &t, &f) != 0)
		abort();
	wire_defaults(&messages_metadata_request, &q);
	tap_int(talk_send(t, API_METADATA, &q, &f), 0, "sent");
	tap_int(talk_try(t, &a, &r, &f), EAGAIN, "no answer yet");
	talk_close(t);
	broker_stop(&b);
	o.timeout_ms = SHORT_MS;
	broker_start(&b, silent, &b);
	tap(talk_open_any(&o, b.place, &t, &f) == STATUS_CLUSTER &&
		strcmp(f.what, "no answer within 1500 ms") == 0,
	    "no answer in time");
	talk_answer_release(&a);
	broker_stop(&b);
}

int
main(void)
{
	setup();
	test_calls();
	test_lists();
	test_old();
	for (size_t i = 0; i < sizeof(hostiles) / sizeof(hostiles[0]); i++)
		test_hostile(&hostiles[i]);
	test_silent();
	login_free(login);
	return tap_done();
}
