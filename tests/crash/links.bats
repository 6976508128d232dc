# logreplicate -f over links that are cut, late, silent, or change a bit, at
# random moments (flaky.c), while a writer appends to the source: through an
# unencrypted pipe, where our own CRCs must see it, and below ssh, which ends
# when a bit is wrong.  In the end both sides have the same files, and a reader
# of the copy that followed it, and one that looked at it again and again, have
# seen what was written and nothing else.
#	LINK_FAULTS=500		faults in each test
#	LINK_SECONDS=150	that one wait may take, if not ten for each
#	SEED=N			repeats the choices of a run

load ../helpers

setup_file() {
	local tests=$BATS_TEST_DIRNAME/..
	cc -O2 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/flaky" "$tests/crash/flaky.c"
	# shellcheck source=tests/sshd.sh
	. "$tests/sshd.sh"
	command -v "$sshd_program" >/dev/null || return 0
	sshd_start "$BATS_FILE_TMPDIR"
	echo "$sshd_pid $sshd_port" >"$BATS_FILE_TMPDIR/sshd"
}

teardown_file() {
	[ ! -e "$BATS_FILE_TMPDIR/sshd" ] ||
		kill "$(cut -d' ' -f1 "$BATS_FILE_TMPDIR/sshd")"
}

setup() {
	helpers_setup
	flaky=$BATS_FILE_TMPDIR/flaky
	# shellcheck disable=SC2034 # of the helpers
	TOOL_TIMEOUT=${LINK_SECONDS:-$((300 + ${LINK_FAULTS:-12} * 10))}
	export SEED=${SEED:-$((SRANDOM % 32768))}
	export FLAKY_MAX=${LINK_FAULTS:-12}
	RANDOM=$SEED
	echo "# SEED=$SEED" >&3
}

# Both are the same, and sound.
same_log() {
	local file
	same "$(cd "$1/0" && echo *.log)" "$(cd "$2/0" && echo *.log)" ||
		return 1
	for file in "$1"/0/*.log; do
		cmp "$file" "$2/0/${file##*/}" || return 1
	done
	run_tool 0 logfsck "$2"
}

# Some events at a time, so that the log stays small however long it takes.
events() {
	local i=0 end
	while sleep 0.01; do
		for ((end = i + RANDOM % 200; i < end; i++)); do
			echo "event $i of many, with some text behind it"
		done
	done
}

# What is there, again and again, until told to stop: a beginning of the events,
# and never less than before.
look_again() {
	local before=0
	until [ -e "$1.stop" ]; do
		logcat "$1" >"$1.part" 2>>"$1.wrong" || echo "status $?" >>"$1.wrong"
		awk -v before="$before" '
		    $2 != NR - 1 || NF != 9 { print "wrong: " $0 }
		    END { if (NR < before) print "fewer: " NR }' "$1.part" \
		    >>"$1.wrong"
		before=$(lines "$1.part")
	done
	: >"$1.stopped"
}

# still CONDITION...: wait for it, while the copy is kept.
still() {
	wait_for while_kept "$@" || return 1
	! process_gone "$rep_pid" || { cat rep.err; return 1; }
}

while_kept() {
	"$@" || process_gone "$rep_pid"
}

ends_alike() {
	[ "$(logstat -q "$1" | awk '{ print $4 }')" = \
	    "$(logstat -q "$2" | awk '{ print $4 }')" ]
}

# says_only PATTERN: what logreplicate may have said; anything else is shown.
says_only() {
	if grep -vE "once more in|the connection was closed|$1" rep.err; then
		return 1
	fi
}

# follow RSH DST ALLOWED: keep b a copy of a by that link, until it had its
# faults; ALLOWED is what may be said of them, besides that it was silent.
follow() {
	mkdir link
	logcreate --segment-bytes 200K a
	echo 'event 0 of many, with some text behind it' | logappend a
	logcreate --like a b
	start seen logtail -f -o start b
	look_again b 3>&- &
	events 3>&- | tail -n +2 |
		logappend --fsync 20ms --batch-bytes 2000 a 3>&- &
	writer=$!
	start rep logreplicate -f --io-timeout "$timeout" --rsh "$1" a "$2"
	still has_lines link/log "$FLAKY_MAX"
	kill "$writer"
	wait "$writer" || true
	still ends_alike a b
	kill "$rep_pid"
	wait_for process_gone "$rep_pid"
	: >b.stop
	wait_for test -e b.stopped
	same_log a b
	logcat a >wrote
	wait_for has_lines seen.out "$(lines wrote)"
	cmp seen.out wrote
	[ ! -s seen.err ]
	[ ! -s b.wrong ] || { head b.wrong; false; }
	says_only "nothing was heard for|$3"
	echo "# $(cut -d' ' -f1 link/log | sort | uniq -c | tr -s '\n ' ' ')" \
	    "of $(lines link/links) links: $(lines link/log) faults," \
	    "$(lines wrote) events" >&3
}

@test 'an unencrypted link' {
	timeout=1s
	follow "$flaky link" "host:$PWD/b" 'not understood: |something else '\
'answers|somebody else writes'
}

@test 'a link below ssh' {
	need /usr/sbin/sshd ssh
	local port
	port=$(cut -d' ' -f2 "$BATS_FILE_TMPDIR/sshd")
	echo "	ProxyCommand $flaky $PWD/link -t 127.0.0.1 $port" |
		cat "$BATS_FILE_TMPDIR/ssh_config" - >ssh_config
	# There is no list of what ssh may say of a bit: what it says is marked.
	cat >marked_ssh <<'END'
#!/bin/bash
exec ssh "$@" 2> >(sed -u '/^logreplicate/!s/^/ssh says: /' >&2)
END
	chmod +x marked_ssh
	# Most of the time it comes beyond the handshake.
	export FLAKY_FROM=11 FLAKY_TO=17 FLAKY_HOLD_MS=9000
	timeout=3s
	follow "./marked_ssh -F $PWD/ssh_config" "there:$PWD/b" \
	    'logreplicate: there: (ssh says: |somebody else writes)'
}

# Event i has offset i, of one of fifty keys.
keyed() {
	local i=0 end
	while sleep 0.01; do
		for ((end = i + RANDOM % 200; i < end; i++)); do
			echo "k$((i % 50))=v$i"
		done
	done
}

# Lines of offset, key, value: is each what was written, and behind the last?
is_written() {
	awk 'NR > 1 && $1 <= last || $2 != "k" $1 % 50 || $3 != "v" $1 {
		print "wrong: " $0
		bad = 1
	}
	{ last = $1 }
	END { exit bad }' "$1"
}

clean_again() {
	until [ -e a.stop ]; do
		logcompact --include-active a 2>>a.wrong ||
			echo "status $?" >>a.wrong
	done
	: >a.stopped
}

@test 'a source that is compacted meanwhile' {
	export FLAKY_KINDS="cut flip"
	mkdir link
	logcreate --compact --segment-bytes 100K a
	logcreate --like a b
	start seen logtail -F '%o %k %v\n' -f -o start b
	clean_again 3>&- &
	keyed 3>&- | logappend -K = --fsync 20ms --batch-bytes 2000 a 3>&- &
	writer=$!
	start rep logreplicate -f --rsh "$flaky link" a "host:$PWD/b"
	still has_lines link/log "$FLAKY_MAX"
	kill "$writer"
	wait "$writer" || true
	: >a.stop
	wait_for test -e a.stopped
	still ends_alike a b
	kill "$rep_pid"
	wait_for process_gone "$rep_pid"
	run_tool 0 logfsck a b
	[ ! -s a.wrong ] || { cat a.wrong; false; }
	# All that both have is the same, and the copy lacks nothing.
	logcat -F '%o %k %v %T\n' a >of_a
	logcat -F '%o %k %v %T\n' b >of_b
	is_written of_a
	is_written of_b
	[ -z "$(comm -23 <(sort of_a) <(sort of_b))" ]
	wait_for grep -qxF "$(tail -n 1 of_b | cut -d' ' -f1-3)" seen.out
	is_written seen.out
	[ ! -s seen.err ]
	says_only 'not understood: |something else answers|somebody else writes'
	echo "# $(lines link/log) faults, $(lines of_a) of $(lines of_b) records" >&3
}
