/* once FILE: append standard input to FILE, durably, and no more than that. */

#include <fcntl.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	char block[4096];
	ssize_t len = read(STDIN_FILENO, block, sizeof(block));
	int fd;

	if (argc != 2 || len < 0)
		return 2;
	fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd < 0 || write(fd, block, (size_t)len) != len)
		return 1;
	return fdatasync(fd) == 0 ? 0 : 1;
}
