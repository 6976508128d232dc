#ifndef STORE_ACCESS_H
#define STORE_ACCESS_H

/*
 * Who may touch the files of a topic: whatever its directory's mode bits say.
 * Whoever makes a file later, under whatever umask, gives it these modes and
 * the directory's group (io_set_access), before anybody else can find it.
 */

#include <sys/types.h>

/* Mode of a file in a directory of mode dir: the same, not executable. */
mode_t access_file_mode(mode_t dir);
/*
 * Mode of a lock file: read and write for each of user, group and others who
 * may write in the directory, nothing for the rest.  Who may only read the
 * topic thus cannot lock it, not even shared, and holds up nobody.
 */
mode_t access_lock_mode(mode_t dir);
/* Mode of a directory inside it: the same, with set-group-ID. */
mode_t access_dir_mode(mode_t dir);

#endif
