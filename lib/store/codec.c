#include "store/codec_impl.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"
#include "base/parse.h"

static int
copy(int level, const uint8_t *in, size_t len, struct buf *out)
{
	(void)level;
	return buf_add(out, in, len);
}

static const struct codec_ops none = {
    .name = "none",
    .level_min = 1,
    .level_max = 0,
    .compress = copy,
};

static const struct codec_ops *const codecs[CODEC_COUNT] = {
    [CODEC_NONE] = &none,
    [CODEC_GZIP] = &codec_gzip,
    [CODEC_SNAPPY] = &codec_snappy,
    [CODEC_LZ4] = &codec_lz4,
    [CODEC_ZSTD] = &codec_zstd,
};

/* Libraries: 0 not yet tried, 1 there, 2 not there. */
static atomic_int loaded[CODEC_COUNT];
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;

static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;
static int contexts_key_rc;
static _Thread_local void **contexts; /* one for each codec */

const char *
codec_name(enum codec c)
{
	if ((unsigned)c >= CODEC_COUNT)
		return "?";
	return codecs[c]->name;
}

int
codec_parse(const char *s, enum codec *c, int *level)
{
	size_t len = strcspn(s, ":");
	int64_t n;
	int rc;

	for (int i = 0; i < CODEC_COUNT; i++) {
		if (strlen(codecs[i]->name) != len ||
		    strncmp(s, codecs[i]->name, len) != 0)
			continue;
		n = INT_MIN;
		if (s[len] == ':') {
			rc = parse_int(s + len + 1, INT_MIN, INT_MAX, &n);
			if (rc != 0)
				return rc;
			if (n < codecs[i]->level_min ||
			    n > codecs[i]->level_max)
				return ERANGE;
		}
		*c = (enum codec)i;
		*level = (int)n;
		return 0;
	}
	return STATUS_SYNTAX;
}

/* Its library is there from now on.  STATUS_CODEC: it is not. */
static int
load(enum codec c)
{
	const struct codec_ops *ops;
	int state;

	if ((unsigned)c >= CODEC_COUNT)
		return STATUS_UNSUPPORTED;
	ops = codecs[c];
	if (ops->library == NULL)
		return 0;
	state = atomic_load(&loaded[c]);
	if (state == 0) {
		pthread_mutex_lock(&load_lock);
		state = atomic_load(&loaded[c]);
		if (state == 0)
			state = library_load(ops->library, ops->symbols) == NULL
			    ? 1
			    : 2;
		atomic_store(&loaded[c], state);
		pthread_mutex_unlock(&load_lock);
	}
	return state == 1 ? 0 : STATUS_CODEC;
}

int
codec_compress(enum codec c, int level, const void *in, size_t len,
    struct buf *out)
{
	size_t start = out->len;
	int rc;

	if (len > CODEC_LEN_MAX)
		return STATUS_TOO_BIG;
	rc = load(c);
	if (rc == 0)
		rc = codecs[c]->compress(level, in, len, out);
	if (rc != 0)
		out->len = start;
	return rc;
}

int
codec_decompress(enum codec c, const void *in, size_t len, struct buf *out)
{
	size_t start = out->len;
	int rc;

	if (len > CODEC_LEN_MAX)
		return STATUS_TOO_BIG;
	rc = load(c);
	if (rc != 0)
		return rc;
	if (c == CODEC_NONE)
		rc = buf_add(out, in, len);
	else if (len == 0)
		rc = STATUS_CORRUPT;
	else
		rc = codecs[c]->decompress(in, len, out);
	if (rc != 0)
		out->len = start;
	return rc;
}

static void
free_contexts(void *arg)
{
	void **all = arg;

	for (int i = 0; i < CODEC_COUNT; i++) {
		if (all[i] != NULL)
			codecs[i]->context_end(all[i]);
		free(all[i]);
	}
	free(all);
	contexts = NULL;
}

static void
init_key(void)
{
	contexts_key_rc = pthread_key_create(&contexts_key, free_contexts);
}

/* The thread's own table of contexts. */
static int
have_contexts(void)
{
	void **all;
	int rc;

	if (contexts != NULL)
		return 0;
	pthread_once(&contexts_once, init_key);
	if (contexts_key_rc != 0)
		return contexts_key_rc;
	all = calloc(CODEC_COUNT, sizeof(*all));
	if (all == NULL)
		return ENOMEM;
	rc = pthread_setspecific(contexts_key, all);
	if (rc != 0) {
		free(all);
		return rc;
	}
	contexts = all;
	return 0;
}

int
codec_context(enum codec c, void *out)
{
	int rc = have_contexts();

	if (rc != 0)
		return rc;
	if (contexts[c] == NULL)
		contexts[c] = calloc(1, codecs[c]->context_len);
	if (contexts[c] == NULL)
		return ENOMEM;
	memcpy(out, &contexts[c], sizeof(contexts[c]));
	return 0;
}
