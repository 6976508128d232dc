/* ApiVersions: what is served, from the table (KIP-35, KIP-511). */

#include "dispatch.h"

#include "kafka/api.h"
#include "request.h"
#include "server.h"

void
on_versions(struct request *r)
{
	struct api_versions_response *out = r->response;
	const struct api *a;
	size_t count = 0;

	while (api_at(count) != NULL)
		count++;
	out->api_keys = request_alloc(r, count, sizeof(*out->api_keys));
	if (out->api_keys == NULL) {
		request_fail(r, -1, "no memory");
		return;
	}
	for (size_t i = 0; (a = api_at(i)) != NULL; i++)
		if (server_offers(r->server, a))
			out->api_keys[out->api_keys_count++] =
			    (struct api_versions_response_api_keys){a->key,
				a->min, a->max};
	request_answer(r);
}
