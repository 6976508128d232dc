# logadmin: topics and groups, listed and changed; and what logstat says of
# groups.

load ../helpers

setup() {
	helpers_setup
	logcreate -P 3 orders
	logcreate --compact prices
}

@test 'topics are listed and described' {
	run_tool 0 logadmin topic ls .
	same "$out" "$(printf '%s\n' 'TOPIC  PARTITIONS CLEANUP' \
		'orders          3 delete' 'prices          1 compact')"
	mkdir none .hidden
	run_tool 0 logadmin -J topic ls . prices
	[ "$(wc -l <<<"$out")" -eq 3 ]
	[[ $out == '{"topic":"orders","partitions":3,"cleanup.policy":"delete","id":"'* ]]
	run_tool 0 logadmin topic describe -q prices
	grep -q '^prices cleanup.policy  *compact  *topic$' <<<"$out"
	grep -q '^prices segment.bytes  *1073741824  *default$' <<<"$out"
	run_tool 1 logadmin topic ls nope
	run_tool 1 logadmin topic describe orders/0
}

@test 'settings are changed all or none' {
	run_tool 0 logadmin -q topic set orders retention.ms=7d segment.bytes=1M
	same "$out" "$(printf '%s\n' 'orders retention.ms  -1         604800000' \
		'orders segment.bytes 1073741824 1048576')"
	grep -qx 'retention.ms=604800000' orders/topic.properties
	run_tool 2 logadmin topic set orders retention.ms=1d no.such=1
	run_tool 2 logadmin topic set orders retention.ms=soon
	grep -qx 'retention.ms=604800000' orders/topic.properties
	cp orders/topic.properties before
	run_tool 0 logadmin --dry-run -q topic set orders retention.ms=
	same "$out" 'orders retention.ms 604800000 -1'
	cmp before orders/topic.properties
	run_tool 0 logadmin topic set orders retention.ms=
	! grep -q retention.ms orders/topic.properties || false
	run_tool 0 logadmin -q topic set orders segment.bytes=1M
	[ -z "$out" ]
	# What is known of the topic stays.
	same "$(logadmin -q topic describe orders | awk 'NR == 2 { print $3 }')" 3
	run_tool 1 logadmin topic set nope retention.ms=1
}

@test 'topics are removed' {
	seq 100 | logappend orders
	logcat -g g orders >/dev/null
	mkdir orders/0/lost+found
	run_tool 0 logadmin topic rm --dry-run orders
	[ -d orders ]
	ln -s orders link
	for what in link link/ '--dry-run link'; do
		# shellcheck disable=SC2086 # several words
		run_tool 1 logadmin topic rm $what
		same "$err" "logadmin: ${what#* }: a symbolic link: give the topic's own path"
	done
	[ -L link ] && [ -d orders/0 ]
	run_tool 0 logadmin topic rm orders prices
	same "$out" $'orders\nprices'
	rm link
	same "$(find . -mindepth 1 -maxdepth 1 ! -name .tool)" ''
	run_tool 1 logadmin topic rm orders
	mkdir plain
	run_tool 1 logadmin topic rm plain
	[ -d plain ]
}

# remove_written: a topic whose writer makes and renames files all the time.
remove_written() {
	logcreate -X segment.bytes=2000 busy
	( seq 300000 | logappend --fsync none busy 2>append.err ) &
	wait_for test -e busy/0/00000000000000000000.sum
	run_tool 0 logadmin topic rm busy
	wait $! || true
	rm append.err
	[ -z "$(find . -name '*busy*')" ]
}

@test 'a topic that is written is removed, with all that is in it' {
	for _ in 1 2 3 4 5 6; do
		remove_written
	done
}

@test 'promotion makes a replica writable, with a new epoch' {
	echo x | logappend prices
	run_tool 0 logadmin topic promote prices
	[ -z "$out" ]
}

@test 'groups are listed, described, sought and removed' {
	run_tool 0 logadmin group ls .
	[ -z "$out" ]
	for i in 0 1 2; do
		seq 10 | logappend -p "$i" orders
	done
	logcat -g mailer -c 15 orders >/dev/null
	logcat -g 'a b' orders >/dev/null
	run_tool 0 logadmin -J group ls .
	[ "$(wc -l <<<"$out")" -eq 2 ]
	[[ $out == '{"group":"a b","topic":"orders","partitions":3,"committed":'*'"in_use":"no"}'* ]]
	run_tool 0 logadmin -J group describe orders mailer
	grep -q '"partition":1,"offset":5,"end_offset":10,"lag":5,' <<<"$out"
	run_tool 1 logadmin group describe orders nobody
	[[ $err == 'logadmin: orders: no group nobody' ]]

	run_tool 0 logadmin -q group seek orders mailer -o -3 -p 0,1 --dry-run
	same "$out" "$(printf '%s\n' 'mailer orders 0 10 7' \
		'mailer orders 1  5 7')"
	run_tool 0 logadmin -q group seek orders mailer -o -3 -p 0,1
	run_tool 0 logcat -g mailer orders
	[ "$(wc -l <<<"$out")" -eq 16 ]
	run_tool 0 logadmin group seek orders fresh -o end
	run_tool 0 logcat -g fresh orders
	[ -z "$out" ]
	run_tool 0 logadmin group seek orders fresh -o @-1h
	run_tool 0 logcat -g fresh orders
	[ "$(wc -l <<<"$out")" -eq 30 ]
	run_tool 2 logadmin group seek orders fresh
	run_tool 2 logadmin group seek orders fresh -o nonsense
	run_tool 1 logadmin group seek orders fresh -o end -p 3

	run_tool 0 logadmin group rm orders fresh
	run_tool 1 logadmin group rm orders fresh
	logcreate none
	run_tool 0 logadmin group seek none fresh -o end --dry-run
	[ ! -e none/groups ]
	run_tool 0 logcat -g fresh none
	run_tool 0 logcat -g fresh orders
	[ "$(wc -l <<<"$out")" -eq 30 ]
}

@test 'a group in use is left alone' {
	echo x | logappend orders
	start a logtail -f -g g orders
	wait_for test -s a.out
	run_tool 4 logadmin group seek orders g -o start
	[[ $err == *'group g is in use; end its members first' ]]
	run_tool 4 logadmin group rm orders g
	run_tool 4 logadmin group rm orders g --dry-run
	run_tool 0 logadmin group seek orders other -o start
	kill "$a_pid"
	wait "$a_pid" || true
	run_tool 0 logadmin group seek orders g -o start
}

# meet: a member begins while the group is sought.  The one waits for the other,
# or it is in use.
meet() {
	local got=0
	logadmin -q group seek race g -o 50 >/dev/null
	logcat -g g -c 1 race >got.out &
	logadmin -q group seek race g -o 0 >/dev/null 2>&1 || got=$?
	wait $!
	now=$(logadmin -q group describe race g | cut -d ' ' -f 4)
	echo "seek: $got, read: $(cat got.out), position: $now"
	case $got-$(cat got.out)-$now in
	0-1-1 | 0-51-0 | 4-51-51) ;;
	*) return 1 ;;
	esac
}

@test 'a group is not in use while it is sought, nor the other way round' {
	logcreate race
	seq 100 | logappend race
	for _ in {1..60}; do
		meet
	done
	# A group that is not there leaves nothing.
	run_tool 1 logadmin group rm race nope
	[ ! -e race/groups/nope.members ]
}

@test 'logstat: the lag of groups' {
	for i in 0 1 2; do
		seq 10 | logappend -p "$i" orders
	done
	logcat -g mailer -c 15 orders >/dev/null
	run_tool 0 logstat --groups -J .
	grep -q '{"group":"mailer","topic":"orders","partition":1,"offset":5,"end_offset":10,"lag":5,' <<<"$out"
	run_tool 0 logstat -g mailer orders
	# It has not come to partition 2 yet.
	same "$(awk 'NR > 1 { print $6 }' <<<"$out")" $'0\n5\n10'
	run_tool 1 logstat -g nobody orders
	run_tool 0 logstat --check --max-lag 10 orders
	[[ $out == *'lag=10;;10;0' ]]
	run_tool 2 logstat --check --max-lag 9 -g mailer orders
	[[ $out == 'LOGSTAT CRITICAL: group mailer at orders/2: 10 behind (limit 9)'* ]]
	run_tool 3 logstat --check --max-lag 9 -g nobody orders
	[[ $out == 'LOGSTAT UNKNOWN: no group nobody |'* ]]
	run_tool 0 logstat --check --max-lag 5 -p 0,1 orders
	run_tool 0 logstat -q --groups -p 1 orders
	[[ $out == 'mailer orders 1 5 10 5 '* && $(wc -l <<<"$out") -eq 1 ]]
	run_tool 2 logstat --max-lag 4 orders
	run_tool 2 logstat --groups --segments orders
	# What was deleted does not count.
	logcompact --before 8 -p 1,2 orders
	run_tool 0 logstat --check --max-lag 2 orders
}

@test 'what makes no sense' {
	run_tool 2 logadmin
	run_tool 2 logadmin topic
	run_tool 2 logadmin topics ls .
	run_tool 2 logadmin topic list .
	run_tool 2 logadmin topic ls
	run_tool 2 logadmin group rm orders
	run_tool 2 logadmin topic ls -o 3 .
	[[ $err == 'logadmin: -o and -p are for group seek (try logadmin --help)' ]]
}
