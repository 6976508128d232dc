#include "store/access.h"

#include "tap.h"

int
main(void)
{
	static const struct {
		mode_t dir, file, lock, subdir;
	} cases[] = {
	    {040755, 0644, 0600, 0755},
	    {042775, 0664, 0660, 02775},
	    {042770, 0660, 0660, 02770},
	    {041777, 0666, 0666, 0777},
	    {040700, 0600, 0600, 0700},
	    {040750, 0640, 0600, 0750},
	    {042757, 0646, 0606, 02757},
	    {040555, 0444, 0, 0555},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tap_int(access_file_mode(cases[i].dir), cases[i].file,
		    "file in %o", cases[i].dir);
		tap_int(access_lock_mode(cases[i].dir), cases[i].lock,
		    "lock in %o", cases[i].dir);
		tap_int(access_dir_mode(cases[i].dir), cases[i].subdir,
		    "directory in %o", cases[i].dir);
	}
	return tap_done();
}
