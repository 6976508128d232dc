# tests/deps.sh: packages are installed though apt-get fails for a while.

load ../helpers

# A machine without jq, which apt-get brings at last.
# shellcheck disable=SC2016 # scripts for another shell
setup() {
	helpers_setup
	local program
	mkdir tools
	for program in sh cat env; do
		ln -s "$(type -P "$program")" tools
	done
	printf '#!/bin/sh\necho 0\n' >tools/id
	printf '#!/bin/sh\necho "$1" >>pauses\n' >tools/sleep
	cat >tools/apt-get <<-'END'
	#!/bin/sh
	echo "$*" >>calls
	echo "$DEBIAN_FRONTEND" >>asked
	case $* in *" $(cat broken)"*) exit 100 ;; esac
	case $* in *' install jq') echo brought >tools/jq ;; esac
	END
	chmod +x tools/*
	: >pauses
}

# ensure CODE BROKEN: jq is wanted, and apt-get fails at that command.
ensure() {
	echo "$2" >broken
	run_tool "$1" env -u NO_INSTALL -u DEB_BUILD_OPTIONS "PATH=$PWD/tools" \
	    sh "$ROOT/tests/deps.sh" ensure demo
}

@test 'what is missing is installed, and nothing asked' {
	ensure 0 nothing
	same "$(wc -l <calls)" 2
	has "$(<calls)" ' update'
	has "$(<calls)" '--no-install-recommends install jq'
	has "$(<calls)" 'force-confold'
	has "$(<calls)" 'DPkg::Lock::Timeout='
	same "$(sort -u asked)" noninteractive
	same "$(<pauses)$err" ''
}

@test 'a source that is broken does not keep packages away' {
	ensure 0 update
	same "$(<pauses)$err" ''
}

@test 'a mirror that fails is tried again' {
	# It answers from the third time on.
	cat >tools/sleep <<-'END'
	#!/bin/sh
	echo "$1" >>pauses
	[ "$(grep -c . pauses)" -lt 2 ] || echo nothing >broken
	END
	ln -s "$(type -P grep)" tools
	ensure 0 --no-install
	same "$(wc -l <pauses)" 2
	same "$(grep -c ' install jq$' calls)" 3
	has "$err" 'once more in '
}

@test 'one that fails for good is an error' {
	ensure 1 --no-install
	same "$(wc -l <pauses)" 3
	same "$(grep -c ' install jq$' calls)" 4
}
