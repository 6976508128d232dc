# The examples folder: each pipeline is run.

load ../helpers

# What 300 requests leave, every third of which is for what is not there.
requests() {
	local i
	for ((i = 0; i < 300; i++)); do
		printf '192.0.2.%d - - [23/Nov/2026:10:00:%02d +0000] ' \
		    $((i % 250)) $((i % 60))
		printf '"GET /page/%d HTTP/1.1" %d 512 "-" "curl"\n' "$i" \
		    $((i % 3 == 0 ? 404 : 200))
	done
}

@test 'access-log.sh counts what the log says' {
	requests >access.log
	run_tool 0 "$ROOT/examples/access-log.sh" hits access.log
	[ "$out" = $'200 200\n100 404' ]
	logcat hits | cmp - access.log
	run_tool 0 "$ROOT/examples/access-log.sh" hits access.log
	[ "$out" = $'400 200\n200 404' ]
}

@test 'audit-log.sh grants once, however many ask' {
	local i
	for ((i = 0; i < 8; i++)); do
		"$ROOT/examples/audit-log.sh" audit alice read >"out.$i" &
		"$ROOT/examples/audit-log.sh" audit "user$i" write >>others &
	done
	wait
	[ "$(cat out.? | grep -c granted)" -eq 1 ]
	[ "$(cat out.? | grep -c already)" -eq 7 ]
	[ "$(logcat audit | grep -c '^alice')" -eq 1 ]
	[ "$(logcat audit | wc -l)" -eq 9 ]
}

@test 'package-log.sh takes what is new' {
	cat >dpkg.log <<-'END'
	2026-01-02 03:04:05 startup archives unpack
	2026-01-02 03:04:06 install libc6:amd64 <none> 2.36-9
	2026-01-02 03:04:07 status installed libc6:amd64 2.36-9
	END
	run_tool 0 "$ROOT/examples/package-log.sh" packages dpkg.log
	[ "$out" = '3 lines in packages, 0 were there' ]
	printf "%s\n" "2026-01-03 00:00:00 upgrade tar:amd64 1 \"2\\" >>dpkg.log
	run_tool 0 "$ROOT/examples/package-log.sh" packages dpkg.log
	[ "$out" = '4 lines in packages, 3 were there' ]
	logcat packages | cmp - dpkg.log
	[ "$(logcat -k libc6:amd64 packages | wc -l)" -eq 2 ]
	[ "$(logcat --utc -S 2026-01-03 packages | wc -l)" -eq 1 ]
}

@test 'demo.sh ends well' {
	BIN=$LOGKIT_BIN run_tool 0 "$ROOT/examples/demo.sh"
	[ "${out##*$'\n'}" = 'All done.' ]
	[ "$(grep -c '^identical' <<<"$out")" -ge 4 ]
	grep -q '^same order' <<<"$out"
}

@test 'job-queue.sh runs each job, in order by key; failing ones are put aside' {
	logcreate -P 6 mails
	for ((i = 0; i < 60; i++)); do
		echo "user$((i % 7)):job $i"
	done >work
	logappend -K : mails work
	cat >mailer <<-'END'
	#!/bin/sh
	read -r job
	[ "$job" != 'job 13' ] || exit 1
	echo "$LOGKIT_KEY:$job" >>sent
	END
	chmod +x mailer
	IDLE=500ms run_tool 0 "$ROOT/examples/job-queue.sh" mails ./mailer
	[ "$(wc -l <sent)" -eq 59 ]
	grep -v ':job 13$' work | sort | cmp - <(sort sent)
	for ((u = 0; u < 7; u++)); do
		grep "^user$u:" work | grep -v ':job 13$' |
			cmp - <(grep "^user$u:" sent)
	done
	[ "$(logcat mails-failed)" = 'job 13' ]
	# Again: nothing is left to do.
	IDLE=100ms run_tool 0 "$ROOT/examples/job-queue.sh" mails ./mailer
	[ "$(wc -l <sent)" -eq 59 ]
}

# children PID: of it, in $children.
children() {
	read -ra children <"/proc/$1/task/$1/children" || true
}

# alone PID: is one of them left at most?
alone() {
	children "$1"
	[ ${#children[@]} -le 1 ]
}

# let_go PARTITION...: their jobs.
let_go() {
	local partition
	for partition; do
		echo go >"hold.$partition"
	done
}

@test 'job-queue.sh ends when all of its jobs have' {
	local i first
	logcreate -P 6 mails
	for i in 0 1 2 3 4 5; do
		mkfifo "hold.$i"
		echo "$i" | logappend -p "$i" mails
	done
	# shellcheck disable=SC2016 # the jobs expand it
	start queue "$ROOT/examples/job-queue.sh" mails '
		echo "$PPID $LOGKIT_PARTITION" >>begun
		read -r x <"hold.$LOGKIT_PARTITION"
		echo "$LOGKIT_PARTITION" >>ended'
	wait_for has_lines begun 6
	children "$queue_pid"
	first=${children[0]}
	kill "$queue_pid"
	mapfile -t others < <(sed -n "/^$first /!s/.* //p" begun)
	mapfile -t its < <(sed -n "s/^$first //p" begun)
	let_go "${others[@]}"
	wait_for alone "$queue_pid"
	run ! process_gone "$queue_pid"
	let_go "${its[@]}"
	wait_exit 143 "$queue_pid"
	has_lines ended 6
	run_tool 4 logcat -g workers --fail-empty mails
}

@test 'fan-out.sh gives each group what is new to it' {
	printf '%s\n' 'a:one' 'b:ERROR two' 'a:three' | logappend --create -K : ev
	run_tool 0 "$ROOT/examples/fan-out.sh" ev out
	[ "$(cat out/alerts)" = 'ERROR two' ]
	[ "$(awk '{ print $1, $2 }' out/counts)" = $'2 a\n1 b' ]
	run_tool 0 "$ROOT/examples/fan-out.sh" ev out
	[ "$(lines out/alerts)" -eq 1 ]
	echo 'c:FATAL four' | logappend -K : ev
	run_tool 0 "$ROOT/examples/fan-out.sh" ev out
	[ "$(tail -n 1 out/alerts)" = 'FATAL four' ]
	[ "$(find out -name 'archive-*' | wc -l)" -eq 2 ]
	cat out/archive-* | logappend -J --create copy
	[ "$(logcat copy | sort)" = "$(logcat ev | sort)" ]
}

@test 'config.sh sets, gets, lists and forgets' {
	config="$ROOT/examples/config.sh"
	"$config" conf set color red
	"$config" conf set size 10=20
	"$config" conf set color blue
	[ "$("$config" conf get color)" = blue ]
	[ "$("$config" conf list)" = $'color=blue\nsize=10=20' ]
	[ "$("$config" conf log color | cut -d ' ' -f 2)" = $'red\nblue' ]
	"$config" conf unset color
	[ "$("$config" conf list)" = 'size=10=20' ]
	run_tool 4 "$config" conf get weight
	run_tool 2 "$config" conf frob
	logcompact --include-active conf
	[ "$("$config" conf list)" = 'size=10=20' ]
	# A tombstone, and no word for one.
	has "$(logcat -J -k color conf)" '"key":"color","value":null}'
	run_tool 4 "$config" conf get color
	"$config" conf set word NULL
	"$config" conf set none ''
	"$config" conf set words '-1 two  three '
	same "$("$config" conf list)" \
	    $'none=\nsize=10=20\nword=NULL\nwords=-1 two  three '
	same "$("$config" conf get word)" NULL
	run_tool 0 "$config" conf get none
	same "$(cat "$tool_out")" ''
	same "$("$config" conf get words)" '-1 two  three '
	# What would not be a line of the list.
	run_tool 2 "$config" conf set a=b 1
	run_tool 2 "$config" conf set '' 1
	run_tool 2 "$config" conf unset a=b
	run_tool 2 "$config" conf set a $'1\nb=2'
	run_tool 2 "$config" conf set $'a\nb' 1
	run_tool 2 "$config" conf set a
	same "$("$config" conf list | wc -l)" 4
}

@test 'upkeep.sh compacts and checks a root' {
	mkdir root
	logcreate --compact --segment-bytes 1K root/a
	seq -f 'k:%g' 300 | logappend -K : --batch-bytes 200 root/a
	logcreate root/b
	mkdir root/other
	before=$(logcat root/a | wc -l)
	CHECK=1 run_tool 0 "$ROOT/examples/upkeep.sh" root
	[ -z "$out$err" ]
	[ "$(logcat root/a | wc -l)" -lt "$before" ]
	[ "$(logtail -n 1 root/a)" = 300 ]
	printf X | dd of="$(echo root/a/0/*.log | cut -d ' ' -f 1)" bs=1 seek=70 \
		conv=notrunc status=none
	CHECK=1 run_tool 4 "$ROOT/examples/upkeep.sh" root
	[ -n "$out" ]
	# The worst, and not the last.
	mkdir root/0
	echo nonsense >root/0/topic.properties
	run_tool 8 logfsck -q root/0
	CHECK=1 run_tool 8 "$ROOT/examples/upkeep.sh" root
}

@test 'replica.sh keeps copies, and the way back is as it says' {
	mkdir here there
	for t in a b; do seq 10 | logappend --create here/$t; done
	FOLLOW='' run_tool 0 "$ROOT/examples/replica.sh" here/a here/b there
	same "$(logcat there/a there/b | wc -l)" 20
	start copies "$ROOT/examples/replica.sh" here/a here/b there
	seq 11 20 | logappend here/b
	wait_for has_event there/b 20
	kill "$copies_pid"
	wait_for process_gone "$copies_pid"
	logadmin topic promote there/b
	echo 21 | logappend there/b
	logadmin topic demote here/b
	run_tool 0 logreplicate --on-diverge truncate there/b here/b
	same "$(logcat here/b)" "$(seq 21)"
}

has_event() {
	[ "$(logtail -n 1 "$1")" = "$2" ]
}

# used PERCENT: of the disk, as df(1) says it.
used() {
	printf '#!/bin/sh\necho title\necho disk 100 0 0 %s%% /\n' "$1" >disk/df
	chmod +x disk/df
}

@test 'check_topics.sh speaks as a plug-in' {
	mkdir root disk
	PATH=$PWD/disk:$PATH
	used 95
	seq 10 | logappend --create root/a
	run_tool 0 "$ROOT/examples/check_topics.sh" root 5m 100
	[[ $out == 'LOGSTAT OK: '* ]]
	[ "$(lines "$tool_out")" -eq 1 ]
	logcat -g readers -c 2 root/a
	run_tool 2 "$ROOT/examples/check_topics.sh" root 5m 3
	run_tool 3 "$ROOT/examples/check_topics.sh" nowhere
	used 96
	run_tool 2 "$ROOT/examples/check_topics.sh" root 5m 100
	same "$out" 'LOGSTAT CRITICAL: root is on a disk that is 96% full'
}
