#!/bin/sh
# What the targets need beyond make, and how to get it on Debian.
#
#	deps.sh list		the missing packages, one line per purpose
#	deps.sh missing SET...	those of these purposes, on one line
#	deps.sh ensure SET...	install them with apt-get, unless NO_INSTALL
#				or DEB_BUILD_OPTIONS is set: then name them,
#				and stop if the build or the runner lacks one
#
# Only apt-get is run as root.  Something is missing if its probe fails: a
# command, a header (path below an include folder), a module of Python's.

needs() {
	cat <<'END'
build	gcc		cmd	cc
build	libc6-dev	header	stdio.h
build	pkg-config	cmd	pkg-config
build	libbsd-dev	header	bsd/err.h
build	zlib1g-dev	header	zlib.h
build	liblz4-dev	header	lz4frame.h
build	libsnappy-dev	header	snappy-c.h
build	libzstd-dev	header	zstd.h
build	librdkafka-dev	header	librdkafka/rdkafka.h
build	libevent-dev	header	event2/event.h
build	libssl-dev	header	openssl/ssl.h
demo	jq		cmd	jq
check	perl		cmd	prove
check	bats		cmd	bats
check	jq		cmd	jq
check	strace		cmd	strace
check	mandoc		cmd	mandoc
check	shellcheck	cmd	shellcheck
check	clang-format	cmd	clang-format
check	zsh		cmd	zsh
check	fish		cmd	fish
check	kcat		cmd	kcat
slow	clang		cmd	clang
slow	libclang-rt-14-dev	clang	libclang_rt.asan-x86_64.a
slow	librdkafka-dev	header	librdkafka/rdkafka.h
slow	patch		cmd	patch
slow	e2fsprogs	cmd	mkfs.ext4
slow	xfsprogs	cmd	mkfs.xfs
slow	openssh-server	cmd	/usr/sbin/sshd
slow	openssh-client	cmd	ssh
slow	iproute2	cmd	ip
slow	valgrind	cmd	valgrind
slow	faketime	cmd	faketime
slow	default-jre-headless	cmd	java
slow	maven		cmd	mvn
clients	kcat		cmd	kcat
clients	librdkafka-dev	header	librdkafka/rdkafka.h
clients	python3		cmd	python3
clients	python3-venv	module	ensurepip
clients	nodejs		cmd	node
clients	npm		cmd	npm
clients	default-jdk-headless	cmd	javac
clients	maven		cmd	mvn
clients	golang-go	cmd	go
clients	openssl		cmd	openssl
bench	zstd		cmd	zstd
bench	openssh-server	cmd	/usr/sbin/sshd
bench	openssh-client	cmd	ssh
bench	kcat		cmd	kcat
bench	rsync		cmd	rsync
coverage	llvm		cmd	llvm-cov
END
}

# Nothing runs without these; other tests can be left out.
required='gcc libc6-dev pkg-config libbsd-dev zlib1g-dev liblz4-dev
libsnappy-dev libzstd-dev librdkafka-dev libevent-dev libssl-dev
perl'

there() {
	case $1 in
	cmd) command -v "$2" >/dev/null ;;
	header)
		for dir in /usr/include /usr/include/*-linux-gnu* \
		    /usr/local/include; do
			[ -e "$dir/$2" ] && return 0
		done
		return 1
		;;
	module) python3 -c "import $2" 2>/dev/null ;;
	clang)
		command -v clang >/dev/null &&
		    [ -e "$(clang -print-file-name="$2")" ]
		;;
	esac
}

# The missing packages of the purposes given, each once, on one line.
missing() {
	found=
	for set; do
		while read -r purpose package kind probe; do
			[ "$purpose" = "$set" ] || continue
			case " $found " in *" $package "*) continue ;; esac
			there "$kind" "$probe" || found="$found $package"
		done <<END
$(needs)
END
	done
	echo "${found# }"
}

# Which of the packages named does nothing run without?
hard() {
	for package; do
		for r in $required; do
			[ "$r" = "$package" ] && echo "$package"
		done
	done
}

install_packages() {
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		as_root='sudo -n'
		if ! $as_root true 2>/dev/null; then
			echo "cannot become root; please run this, then" \
			    "try again:" >&2
			echo "  apt-get install --no-install-recommends $*" >&2
			return 1
		fi
	fi
	echo "installing what is missing (NO_INSTALL=1 forbids it):"
	echo "  apt-get update"
	echo "  apt-get install -y --no-install-recommends $*"
	# A mirror may fail, and another apt be at work for a while.
	for pause in 5 15 30 ''; do
		# Of several sources one may be broken that is not needed.
		apt_get update || true
		apt_get --no-install-recommends install "$@" >/dev/null &&
		    return 0
		[ -z "$pause" ] || {
			echo "apt-get failed; once more in $pause s" >&2
			sleep "$pause"
		}
	done
	return 1
}

# No question is asked: a file of /etc that was changed stays as it is.  What
# install waits for, update does not.
apt_get() {
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
	    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
	    -o Dpkg::Options::=--force-confdef \
	    -o Dpkg::Options::=--force-confold "$@" </dev/null
}

ensure() {
	packages=$(missing "$@")
	[ -n "$packages" ] || return 0
	if [ -z "${NO_INSTALL+set}${DEB_BUILD_OPTIONS+set}" ]; then
		# shellcheck disable=SC2086 # a list of words
		install_packages $packages
		return
	fi
	echo "missing packages: $packages" >&2
	# shellcheck disable=SC2086
	if [ -z "${NO_INSTALL+set}" ] || [ -n "$(hard $packages)" ]; then
		echo "not installed, as NO_INSTALL or DEB_BUILD_OPTIONS" \
		    "says; stopped" >&2
		return 1
	fi
	echo "tests that need one of them are skipped" >&2
}

verb=$1
[ $# -gt 0 ] && shift
case $verb in
list)
	for set in build demo check slow clients; do
		echo "$set: $(missing $set)"
	done
	;;
missing) missing "$@" ;;
ensure) ensure "$@" ;;
*)
	echo "usage: deps.sh list | missing SET... | ensure SET..." >&2
	exit 2
	;;
esac
