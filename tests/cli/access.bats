# Several users and one topic: modes, groups, locks.  Needs root, to be others.
# Scripts for another shell are meant as they stand.
# shellcheck disable=SC2016

load ../helpers

setup() {
	[ "$(id -u)" -eq 0 ] || skip 'needs root'
	command -v setpriv >/dev/null || skip 'setpriv is not installed'
	helpers_setup
	# A folder, and programs, that others can reach.
	place=$(mktemp -d /tmp/access.XXXXXX)
	cp -r "$LOGKIT_BIN" "$place/bin"
	# as UID GROUPS UMASK SCRIPT: run it as somebody who has no name here.
	cat >"$place/bin/as_user" <<-'END'
	#!/bin/bash
	exec setpriv --reuid "$1" --regid "$1" --groups "$2" \
	    bash -c "umask $3; $4"
	END
	chmod +x "$place/bin/as_user"
	chmod -R a+rX "$place"
	PATH=$place/bin:$PATH
	install -d -m 1777 "$place/topics"
	cd "$place/topics" || return 1
}

teardown() {
	helpers_teardown
	[ -z "${place:-}" ] || rm -rf "$place"
}

@test 'two users with different umasks append across rolls' {
	as_user 61001 61100 002 'logcreate --segment-bytes 2K t'
	chgrp -R 61100 t
	chmod -R g+ws t
	for i in 1 2 3; do
		as_user 61001 61100 077 'seq 300 | logappend --batch-bytes 200 t'
		as_user 61002 61100 022 'seq 300 | logappend --batch-bytes 200 t'
	done
	[ "$(logcat t | wc -l)" -eq 1800 ]
	[ "$(find t/0 -name '*.log' | wc -l)" -gt 4 ]
	# Whoever made a file, the group may write it.
	[ -z "$(find t/0 -type f ! -perm -060)" ]
	[ -z "$(find t/0 ! -group 61100)" ]
}

# new_topic: of a group, with the positions of one group of readers in it.
new_topic() {
	as_user 61001 61100 002 'logcreate -X segment.bytes=400 t'
	chgrp -R 61100 t
	chmod -R g+ws t
	as_user 61001 61100 002 'logcat -g other t'
	rm t/topic.lock
}

# kill_each MANY COMMAND: before each of its calls that change something it is
# killed, as a user with the umask 077; then another one can use the topic.
kill_each() {
	local n status=137
	for ((n = 1; status == 137; n++)); do
		new_topic
		status=0
		as_user 61001 61100 077 "LD_PRELOAD=$place/fault.so \
		    FAULT=change:$n:kill-before $2" >/dev/null 2>&1 || status=$?
		run_tool 0 as_user 61002 61100 022 'echo x | logappend t &&
		    logcat -g g t && logadmin -q topic set t retention.ms=1d'
		[ -z "$(find t -name '*.tmp')" ]
		rm -r t
	done
	# It was killed many times, and then not any more.
	[ "$status" -eq 0 ]
	[ "$n" -gt "$1" ]
}

@test 'whoever is killed at the first use locks nobody out' {
	local preload=$ROOT/build/tests/fault/fault_preload.so
	[ -e "$preload" ] || skip 'fault_preload.so is not built'
	! is_san || skip 'a library to load does not go with sanitizers'
	cp "$preload" "$place/fault.so"
	chmod 755 "$place/fault.so"
	seq 8 >lines
	kill_each 20 'logappend --batch-bytes 100 t lines'
	kill_each 2 'logcat -g g t'
	kill_each 3 'logadmin topic set t retention.ms=1d'
}

@test 'a reader can read, and cannot hold up a writer' {
	as_user 61001 61001 022 'seq 5 | logappend --create t'
	[ "$(as_user 61002 61002 022 'logcat t' | wc -l)" -eq 5 ]
	[ "$(stat -c %a t/0/partition.lock)" = 600 ]
	run_tool 66 as_user 61002 61002 022 'flock -s t/0/partition.lock true'
	run_tool 1 as_user 61002 61002 022 'echo x | logappend t'
	[[ $err == *'Permission denied'* ]]
	# It locks all that it can open, for as long as it lives.
	as_user 61002 61002 022 'for f in t/0/*; do
		[ ! -r "$f" ] || { exec {fd}<"$f" && flock -s "$fd"; }
	done; : >locked; exec sleep 60' 3>&- &
	wait_for test -e locked
	run_tool 0 as_user 61001 61001 022 'echo 6 | logappend t'
	kill %1
	[ "$(logcat t | tail -n 1)" = 6 ]
}

@test 'who may not know whether a group is in use is told so' {
	as_user 61001 61001 022 'seq 5 | logappend --create t'
	as_user 61001 61001 022 'logcat -g g -c 2 t'
	start a as_user 61001 61001 022 'exec logtail -f -g g t'
	wait_for grep -qx 5 a.out
	for list in 'logadmin -J group ls' 'logadmin -J group describe' \
	    'logstat -J --groups'; do
		case $list in *describe) group=g ;; *) group= ;; esac
		run_tool 0 as_user 61001 61001 022 "$list t $group"
		has "$out" '"in_use":"yes"'
		run_tool 0 as_user 61002 61002 022 "$list t $group"
		has "$out" '"in_use":null'
	done
	run_tool 0 as_user 61002 61002 022 'logadmin -q group ls t'
	[[ $out == 'g t 1 '*' -' ]]
	seek='logadmin --dry-run group seek t g -o start'
	run_tool 4 as_user 61001 61001 022 "$seek"
	run_tool 1 as_user 61002 61002 022 "$seek"
	same "$err" \
	    'logadmin: t: whether group g is in use: Permission denied'
	kill "$a_pid"
	wait_exit 143 "$a_pid"
	# There is nothing that could be in use.
	run_tool 0 as_user 61002 61002 022 \
	    'logadmin --dry-run group seek t other -o start'
}

@test 'no permission is one clear line' {
	as_user 61001 61001 077 'echo x | logappend --create t'
	run_tool 1 as_user 61002 61002 022 'logcat t'
	[[ $err == 'logcat: t'*'Permission denied' ]]
	run_tool 1 as_user 61002 61002 022 'logtail -f t'
	run_tool 1 as_user 61002 61002 022 'logappend t </dev/null; logappend t <<<x'
	install -d -m 755 closed
	run_tool 1 as_user 61002 61002 022 'logcreate closed/t'
}

@test 'a copy or an archive made while it is written opens' {
	logcreate --segment-bytes 16K t
	( while [ ! -e stop ]; do seq 50; done | logappend --batch-bytes 500 t ) &
	writer=$!
	for i in 1 2 3 4 5 6; do
		seen=$(logcat t | wc -l)
		# A temporary file that goes meanwhile is not theirs to copy.
		cp -a t "copy$i" 2>/dev/null || true
		tar -cf - t 2>/dev/null | { mkdir "tar$i" && tar -xf - -C "tar$i"; }
		for c in "copy$i" "tar$i/t"; do
			run_tool 0 logcat "$c"
			[ "$(wc -l <"$tool_out")" -ge "$seen" ]
			echo more | logappend -q "$c"
			[ "$(logcat "$c" | tail -n 1)" = more ]
		done
	done
	: >stop
	wait "$writer"
}

@test 'what may not be looked at is not taken for something else' {
	as_user 61001 61001 077 'echo x | logappend --create t'
	for program in logcreate 'logcreate --if-not-exists' logcat logappend \
	    logstat; do
		run_tool 1 as_user 61002 61002 022 "$program t"
		same "$err" "${program%% *}: t: Permission denied"
	done
}
