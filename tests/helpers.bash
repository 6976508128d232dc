# Helpers of the tests in bats.  A test file begins with
#
#	load ../helpers
#
# and gets the programs on PATH (bin, or bin/san when tests/tap says so), a
# directory of its own as the current one ($BATS_TEST_TMPDIR), and a clean
# environment.  No test sleeps: it waits for a condition.

ROOT=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
LOGKIT_BIN=${LOGKIT_BIN:-$ROOT/bin}
PATH=$LOGKIT_BIN:$PATH
# What the environment may change, said once.
export LC_ALL=C.UTF-8 TZ=UTC0
unset LOGKIT_CONFIG LOGKIT_BROKER NO_COLOR POSIXLY_CORRECT
# A report of a sanitizer is not an exit status that a test may expect.
export ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=exitcode=99:print_stacktrace=1
# Seconds that one program, or one wait, may take.
TOOL_TIMEOUT=${TOOL_TIMEOUT:-30}

bats_require_minimum_version 1.5.0

# A file with a setup or teardown of its own calls these from it.
setup() {
	helpers_setup
}

teardown() {
	helpers_teardown
}

helpers_setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	exec </dev/null
	note_failures
}

# Before each command bats notes where it is, which takes longer than most
# commands do.  Inside functions it must not, unless it was called with --trace:
# where a command has failed in one is noted then, and told at the end.
note_failures() {
	failed_in=
	declare -ft bats_error_trap bats_check_status_from_trap 2>/dev/null ||
		return 0
	[ "${BATS_TRACE_LEVEL:-0}" -gt 0 ] || set +T
	trap 'bats_error_trap "${failed_in:=$FUNCNAME, line $LINENO: $BASH_COMMAND}"' ERR
}

# Stop what a test began with start and left running.
helpers_teardown() {
	local pid
	for pid in $(jobs -p); do
		kill "$pid" 2>/dev/null || true
	done
	case $failed_in in
	'' | "$BATS_TEST_NAME,"*) ;;
	*) echo "in $failed_in" ;;
	esac
}

# run_tool CODE PROGRAM [ARG]...: run it, and fail unless it ends with that exit
# status.  Its output is left in $out and $err, without NULs and last newlines,
# and whole in the files $tool_out and $tool_err.  Standard input is empty
# unless redirected (run_tool ... <FILE, not behind a pipe, where the shell would
# lose the variables).
run_tool() {
	local want=$1 got=0 dir=$BATS_TEST_TMPDIR/.tool
	shift
	[ -d "$dir" ] || mkdir "$dir"
	tool_out=$dir/out
	tool_err=$dir/err
	timeout -k 5 "$TOOL_TIMEOUT" "$@" >"$tool_out" 2>"$tool_err" || got=$?
	text_of "$tool_out" out
	text_of "$tool_err" err
	[ "$got" -eq "$want" ] && return 0
	echo "$*: exit status $got, not $want"
	[ "$got" -ne 124 ] || echo "(over $TOOL_TIMEOUT s)"
	head -c 2000 "$tool_err" | sed 's/^/stderr: /'
	head -c 1000 "$tool_out" | sed 's/^/stdout: /'
	return 1
}

# text_of FILE NAME: what $(cat FILE) would be is $NAME.
text_of() {
	local IFS='' parts text
	mapfile -d '' -t parts <"$1"
	text="${parts[*]}"
	while [[ $text == *$'\n' ]]; do
		text=${text%?}
	done
	printf -v "$2" %s "$text"
}

# same GOT WANT: fail, showing both, unless they are equal.
same() {
	[ "$1" = "$2" ] && return 0
	printf 'got:  %q\nwant: %q\n' "$1" "$2"
	return 1
}

# has TEXT PART: fail, showing the text, unless PART is in it.
has() {
	case $1 in *"$2"*) return 0 ;; esac
	printf 'no %q\nin %q\n' "$2" "$1"
	return 1
}

# remove TOPIC: all of it, though members of a group make files there.
remove() {
	wait_for rm -r "$1"
}

# lines FILE: how many it has.
lines() {
	wc -l <"$1"
}

# start NAME PROGRAM [ARG]...: run it in the background, its output in the
# files NAME.out and NAME.err and its process in $NAME_pid.  It is killed at
# the end of the test.
start() {
	local name=$1
	shift
	# Empty before it runs: who waits for lines waits for its own.
	: >"$name.out"
	: >"$name.err"
	"$@" >"$name.out" 2>"$name.err" 3>&- &
	printf -v "${name}_pid" %s "$!"
}

# wait_for CONDITION [ARG]...: try a command until it succeeds, and fail after
# $TOOL_TIMEOUT seconds.  What takes long is tried less and less often, ten times
# a second in the end.
wait_for() {
	local end=$((SECONDS + TOOL_TIMEOUT)) pause=10
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "waited $TOOL_TIMEOUT s for: $*"
			return 1
		fi
		pause_ms "$pause"
		pause=$((pause < 80 ? pause + pause / 4 : 100))
	done
}

# Wait for a line from a pipe into which nobody writes: sleep is a process.
pause_ms() {
	local seconds pipe=$BATS_RUN_TMPDIR/silent
	[ -p "$pipe" ] || mkfifo "$pipe" 2>/dev/null || [ -p "$pipe" ]
	printf -v seconds 0.%03d "$1"
	read -r -t "$seconds" <>"$pipe" || true
}

# wait_exit CODE PID: wait for a process of start to end with that status.
wait_exit() {
	local got=0
	wait_for process_gone "$2" || return 1
	wait "$2" || got=$?
	[ "$got" -eq "$1" ] && return 0
	echo "process $2: exit status $got, not $1"
	return 1
}

# Has the process ended (though nobody may have asked how)?
process_gone() {
	local state
	read -r state 2>/dev/null <"/proc/$1/stat" || return 0
	state=${state##*) }
	[ "${state%% *}" = Z ]
}

# has_lines FILE N: has it at least so many lines?
has_lines() {
	local all
	[ "$2" -gt 0 ] || return 0
	mapfile -n "$2" all 2>/dev/null <"$1" || return 1
	[ ${#all[@]} -eq "$2" ] && [[ ${all[$2 - 1]} == *$'\n' ]]
}

# told SOCKET: print the datagrams that come, a line each.
told() {
	# shellcheck disable=SC2016
	exec perl -e 'use Socket;
	    my $path = shift =~ s/^@/\0/r;
	    socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die $!;
	    bind($s, pack_sockaddr_un($path)) or die $!;
	    $| = 1;
	    print "bound\n";
	    print "$_\n" while defined(recv($s, $_, 4096, 0))' "$@"
}

# need PROGRAM...: skip the test where one of them is not installed.
need() {
	local program
	for program; do
		command -v "$program" >/dev/null ||
			skip "$program is not installed"
	done
}

# need_user: skip where root runs the tests, whom no permission stops.
need_user() {
	[ "$(id -u)" -ne 0 ] || skip "root is stopped by no permission"
}

# Is this the build with the sanitizers?  (Times and memory say nothing then.)
is_san() {
	[ "${LOGKIT_BIN##*/}" = san ]
}

# batch [PERL]: a batch of one record in batch.bin; its bytes are in $_ when the
# code is run, and the sum is made right after that.
batch() {
	[ -d b ] || {
		logcreate b
		printf 'some text\n' | logappend b
	}
	perl -0777 -e 'my @table = map {
		my $c = $_;
		$c = $c & 1 ? $c >> 1 ^ 0x82f63b78 : $c >> 1 for 1..8;
		$c;
	    } 0..255;
	    sub crc {
		my $c = 0xffffffff;
		$c = $table[($c ^ $_) & 255] ^ $c >> 8 for unpack "C*", shift;
		return $c ^ 0xffffffff;
	    }
	    my $code = shift;
	    $_ = <>;
	    eval $code; die $@ if $@;
	    substr($_, 17, 4) = pack("N", crc(substr($_, 21)))
		unless $code =~ /nosum/;
	    print' "$1" b/0/*.log >batch.bin
}
