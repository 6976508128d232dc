#include "direct/trouble.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/plain.h"
#include "base/status.h"

enum { WORDS_MAX = 512 };

static char words[WORDS_MAX];

int
trouble(struct fault *f, int rc, const char *subject, const char *fmt, ...)
{
	char line[WORDS_MAX];
	va_list ap;

	if (f == NULL)
		return rc;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	plain_line(line, words, sizeof(words));
	return status_fault(f, rc, subject, -1, -1, words);
}
