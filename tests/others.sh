#!/bin/sh
# others.sh BINDIR NAME...: warn of programs of the same name elsewhere on
# PATH (Debian has another logtail), which one of the two would hide.
dir=$1
shift
IFS=:
for name; do
	for d in $PATH; do
		# shellcheck disable=SC3013 # -ef: dash and bash have it
		if [ "$d" != "$dir" ] && [ -x "$d/$name" ] &&
		    [ ! "$d/$name" -ef "$dir/$name" ]; then
			echo "warning: another $name is $d/$name;" \
			    "WITHOUT=$name leaves ours out" >&2
		fi
	done
done
exit 0
