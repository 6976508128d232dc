#include "direct/trouble.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/status.h"

static char words[512];

int
trouble(struct fault *f, int rc, const char *subject, const char *fmt, ...)
{
	va_list ap;

	if (f == NULL)
		return rc;
	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	for (char *c = words; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return status_fault(f, rc, subject, -1, -1, words);
}
