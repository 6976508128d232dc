# logreplicate over a real ssh: an sshd of the test's own on loopback, with keys
# and settings of its own, in the foreground, ended by its process.
#	REPLICATE_BYTES=10G	to be copied; twice as much again of disk

load ../helpers

setup_file() {
	# shellcheck source=tests/sshd.sh
	. "${BATS_TEST_FILENAME%/*}/../sshd.sh"
	command -v "$sshd_program" >/dev/null || return 0
	mkdir "$BATS_FILE_TMPDIR/in"
	sshd_key "$BATS_FILE_TMPDIR" pusher "command=\"logreplicate --server \
--only receive --under $BATS_FILE_TMPDIR/in\",restrict"
	sshd_key "$BATS_FILE_TMPDIR" stranger -
	sshd_start "$BATS_FILE_TMPDIR"
	echo "$sshd_pid" >"$BATS_FILE_TMPDIR/sshd.pid"
}

teardown_file() {
	[ ! -e "$BATS_FILE_TMPDIR/sshd.pid" ] ||
		kill "$(cat "$BATS_FILE_TMPDIR/sshd.pid")"
}

setup() {
	helpers_setup
	need /usr/sbin/sshd ssh
	rsh="ssh -F $BATS_FILE_TMPDIR/ssh_config"
}

same_log() {
	local file dir
	for dir in "$1"/[0-9]*; do
		dir=${dir##*/}
		same "$(cd "$1/$dir" && echo *.log)" \
		    "$(cd "$2/$dir" && echo *.log)" || return 1
		for file in "$1/$dir"/*.log; do
			cmp "$file" "$2/$dir/${file##*/}" || return 1
		done
	done
	run_tool 0 logfsck "$2"
}

# fill TOPIC BYTES: append lines of text that no codec makes much smaller, with
# each of the codecs in turn, until the segments have so many bytes.
fill() {
	local n codecs=(none gzip snappy lz4 zstd)
	for ((n = 0; $(bytes_of "$1") < $2; n++)); do
		base64 -w 99 /dev/urandom 2>/dev/null |
			head -c $(($2 / 20 / 100 * 100 + 100)) |
			logappend --fsync none -z "${codecs[n % 5]}" "$1"
	done
}

bytes_of() {
	find "$1" -name '*.log' -exec stat -c %s {} + | awk '{ n += $1 }
	    END { printf "%.0f", n }'
}

# batches TOPIC: how many there are of each codec, by what their headers say.
batches() {
	perl -e 'for my $file (@ARGV) {
	    open(my $log, "<:raw", $file) or die;
	    while (read($log, my $head, 61) == 61) {
		my ($length, $attributes) = unpack("x8 N x9 n", $head);
		$count{qw(none gzip snappy lz4 zstd)[$attributes & 7]}++;
		seek($log, $length + 12 - 61, 1);
	    }
	}
	print join(", ", map { "$count{$_} $_" } sort keys %count)' "$1"/*/*.log
}

# timed COMMAND...: sets wall, in milliseconds.
timed() {
	local begin=${EPOCHREALTIME/./}
	"$@"
	wall=$(((${EPOCHREALTIME/./} - begin) / 1000))
}

# speed WHAT BYTES: one line of figures.
speed() {
	awk -v bytes="$2" -v ms="$wall" -v what="$1" 'BEGIN {
		printf "# %s: %.0f bytes, %.1f s, %.1f MB/s\n", what, bytes,
		    ms / 1e3, bytes / 1e3 / (ms ? ms : 1) }' >&3
}

# moved WHAT BYTES: push; so many bytes go over, and then both are the same.
moved() {
	timed run_tool 0 logreplicate --stats --rsh "$rsh" a "there:$PWD/b"
	same "${out%% *}" "$2"
	speed "$1" "$2"
	same_log a b
}

# The same bytes by ssh alone.
cat_there() {
	# shellcheck disable=SC2086
	cat a/0/*.log | $rsh there "cat >$PWD/reference"
}

@test 'push, nothing, growth, pull' {
	local before bytes
	TOOL_TIMEOUT=3600
	bytes=$(numfmt --from=iec "${REPLICATE_BYTES:-30M}")
	logcreate --segment-bytes $((bytes / 100 + 1048576)) a
	fill a "$bytes"
	[ "$(find a -name '*.log' | wc -l)" -ge 10 ]
	echo "# $(find a -name '*.log' | wc -l) segments; batches:" \
	    "$(batches a)" >&3
	same "$(batches a | sed 's,[0-9]* ,,g')" \
	    gzip,lz4,none,snappy,zstd
	sync -f a
	timed cat_there
	speed 'cat | ssh' "$(bytes_of a)"
	rm reference
	moved 'all of it' "$(bytes_of a)"
	moved 'nothing new' 0
	before=$(bytes_of a)
	base64 -w 99 /dev/urandom 2>/dev/null | head -c $((bytes / 100)) |
		logappend a
	moved 'one hundredth more' $(($(bytes_of a) - before))
	rm -r a
	timed run_tool 0 logreplicate --stats --rsh "$rsh" "there:$PWD/b" c
	same "${out%% *}" "$(bytes_of b)"
	speed back "$(bytes_of b)"
	same_log b c
	run_tool 0 logreplicate --rsh "$rsh" c "there:relative-$$" -n
	run_tool 1 logreplicate --rsh "$rsh" there:/none/such d
	same "$err" 'logreplicate: there:/none/such: no such topic'
}

@test '-f over ssh, each end killed' {
	TOOL_TIMEOUT=120
	logcreate a
	seq 1 1000 | logappend a
	start rep logreplicate -f --rsh "$rsh" a "there:$PWD/b"
	wait_for has_records b 1000
	seq 1001 1010 | logappend a
	wait_for has_records b 1010
	# The connection goes; another one is made.
	kill -9 "$(ssh_of "$rep_pid")"
	seq 1011 1020 | logappend a
	wait_for has_records b 1020
	has "$(cat rep.err)" 'once more in'
	kill "$rep_pid"
	same_log a b
}

has_records() {
	[ "$(logcat "$1" | wc -l)" -eq "$2" ]
}

ssh_of() {
	local children
	read -r children <"/proc/$1/task/$1/children"
	echo "${children%% *}"
}

@test 'one line for what is wrong' {
	local dir=$BATS_FILE_TMPDIR
	logcreate a
	sed "s,IdentityFile.*,IdentityFile $dir/stranger," "$dir/ssh_config" \
	    >config
	run_tool 1 logreplicate --rsh 'ssh -F config' a "there:$PWD/b"
	same "$(wc -l <<<"$err")" 1
	has "$err" 'Permission denied (publickey)'
	run_tool 1 logreplicate --rsh "$rsh -o UserKnownHostsFile=none" a "there:$PWD/b"
	same "$err" 'logreplicate: there: Host key verification failed'
	run_tool 1 logreplicate --rsh "$rsh" --remote-path no/such a "there:$PWD/b"
	same "$err" 'logreplicate: there: no no/such there (--remote-path says where it is)'
	run_tool 1 logreplicate --rsh "$rsh -p 1" a "there:$PWD/b"
	same "$(wc -l <<<"$err")" 1
	has "$err" 'Connection refused'
	run ! test -e b
}

@test 'a key that may push, below one directory' {
	local dir=$BATS_FILE_TMPDIR
	logcreate a
	echo 1 | logappend a
	sed "s,IdentityFile.*,IdentityFile $dir/pusher," "$dir/ssh_config" >config
	run_tool 0 logreplicate --rsh 'ssh -F config' a there:b
	same "$(logcat "$dir/in/b")" 1
	run_tool 1 logreplicate --rsh 'ssh -F config' there:b c
	has "$err" 'this key may not pull'
	run_tool 1 logreplicate --rsh 'ssh -F config' a "there:$PWD/b"
	has "$err" 'outside of what this key may reach'
	run_tool 1 ssh -F config there cat /etc/passwd
	run ! grep -q root "$tool_out"
}
