/*
 * JSON: checked as a whole or walked over, it is the same; strings are written
 * as they were read; paths lead somewhere.
 */

#include "text/json.h"

#include <string.h>

#include "base/status.h"
#include "fuzz.h"

static struct buf text, again;

static void
check_string(const struct json_value *v)
{
	struct json_value w;
	struct buf *out = &text;

	out->len = again.len = 0;
	fuzz_must(json_unescape(v, out) == 0);
	fuzz_must(out->len <= v->len - 2);
	fuzz_must(json_is_utf8(out->data, out->len));
	fuzz_must(json_write_string(&again, out->data, out->len) == 0);
	fuzz_must(json_check(again.data, again.len, &w, NULL) == 0);
	fuzz_must(w.type == JSON_STRING && w.len == again.len);
	out->len = 0;
	fuzz_must(json_unescape(&w, out) == 0);
	again.len = 0;
	fuzz_must(json_unescape(v, &again) == 0);
	fuzz_must(again.len == out->len &&
	    (out->len == 0 || memcmp(again.data, out->data, out->len) == 0));
}

/* All that is in a value that was found to be right is right. */
static void
walk(const struct json_value *v)
{
	struct json_cursor c = {v->text, v->text + v->len, NULL};
	struct json_value name, value;
	bool first = true;
	int rc = 0;

	if (v->type == JSON_STRING)
		check_string(v);
	if (v->type != JSON_OBJECT && v->type != JSON_ARRAY)
		return;
	fuzz_must(json_enter(&c, v->type == JSON_OBJECT ? '{' : '[') == 0);
	while (rc == 0) {
		rc = v->type == JSON_OBJECT
		    ? json_member(&c, &first, &name, &value)
		    : json_element(&c, &first, &value);
		if (rc == 0 && v->type == JSON_OBJECT)
			check_string(&name);
		if (rc == 0)
			walk(&value);
	}
	fuzz_must(rc == STATUS_END && json_at_end(&c));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	const char *why = NULL, *path;
	struct json_value v, found;
	int rc, found_rc;

	if (text.max == 0) {
		buf_init(&text, 1 << 24);
		buf_init(&again, 1 << 24);
	}
	path = fuzz_string(&in);
	rc = json_check(in.data, in.len, &v, &why);
	fuzz_must(rc == 0 || rc == STATUS_SYNTAX || rc == STATUS_TOO_BIG);
	fuzz_must((rc == 0) == (why == NULL));
	if (rc == 0) {
		fuzz_must(json_is_utf8(in.data, in.len));
		walk(&v);
	}
	found_rc = json_check_path(path);
	fuzz_must(found_rc == 0 || found_rc == STATUS_SYNTAX);
	if (found_rc != 0)
		return 0;
	found_rc = json_find(in.data, in.len, path, &found, &why);
	if (found_rc == 0 && rc == 0)
		fuzz_must(found.text >= v.text &&
		    found.text + found.len <= v.text + v.len);
	fuzz_must(rc != 0 || found_rc == 0 || found_rc == STATUS_END);
	return 0;
}
