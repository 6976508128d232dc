#include "store/access.h"

#include <sys/stat.h>

mode_t
access_file_mode(mode_t dir)
{
	return dir & 0666;
}

mode_t
access_lock_mode(mode_t dir)
{
	mode_t writers = dir & 0222;

	return writers | writers << 1;
}

mode_t
access_dir_mode(mode_t dir)
{
	return dir & (0777 | S_ISGID);
}
