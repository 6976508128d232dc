#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>

#include "base/io.h"

int
dir_open(int at, const char *name, DIR **out)
{
	int fd = -1, rc = io_open(at, name, O_RDONLY | O_DIRECTORY, 0, &fd);

	*out = rc == 0 ? fdopendir(fd) : NULL;
	if (rc == 0 && *out == NULL) {
		rc = errno;
		(void)io_close(&fd);
	}
	return rc;
}
