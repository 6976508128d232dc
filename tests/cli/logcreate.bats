# logcreate: topics made, grown, refused.

load ../helpers

@test 'a topic with its settings' {
	run_tool 0 logcreate -P 3 -X segment.bytes=1M --retention 7d t
	[ -d t/0 ] && [ -d t/2 ] && [ ! -e t/3 ]
	grep -qx 'segment.bytes=1048576' t/topic.properties
	grep -qx 'retention.ms=604800000' t/topic.properties
	grep -qx 'logkit.partitions=3' t/topic.properties
}

@test 'several at once; the umask holds' {
	umask 027
	run_tool 0 logcreate a b --compact --compression zstd
	[ "$(stat -c %a a b | sort -u)" = 750 ]
	grep -qx 'cleanup.policy=compact' b/topic.properties
}

@test 'one that exists' {
	logcreate t
	run_tool 1 logcreate t
	[[ $err == 'logcreate: t: topic exists' ]]
	run_tool 0 logcreate --if-not-exists t
	run_tool 4 logcreate --if-not-exists -X retention.ms=5 t
	[[ $err == *'other settings'* ]]
	run_tool 4 logcreate --if-not-exists -P 2 t
}

@test 'growing' {
	logcreate -P 2 t
	run_tool 0 logcreate --grow-to 4 t
	[ -d t/3 ]
	grep -qx 'logkit.partitions=4' t/topic.properties
	run_tool 2 logcreate --grow-to 3 t
	run_tool 1 logcreate --grow-to 3 nope
}

@test 'a dry run makes nothing' {
	run_tool 0 logcreate --dry-run t
	[ ! -e t ]
	run_tool 2 logcreate --dry-run 'a b'
	run_tool 1 logcreate --dry-run no/parent/t
	logcreate t
	run_tool 1 logcreate --dry-run t
	[[ $err == 'logcreate: t: '*exists* ]]
}

@test 'bad settings are told with their place' {
	logcreate t
	echo 'logkit.partitions=many' >>t/topic.properties
	run_tool 1 logcreate --grow-to 3 t
	[[ $err == *topic.properties* ]]
	run_tool 1 logcreate --if-not-exists t
}

@test 'what cannot be' {
	run_tool 2 logcreate
	run_tool 2 logcreate --no-such t
	run_tool 2 logcreate -P 0 t
	run_tool 2 logcreate -P x t
	run_tool 2 logcreate -X no.such=1 t
	[[ $err == *no.such* ]]
	run_tool 2 logcreate -X segment.bytes=-5 t
	run_tool 2 logcreate --replicas 3 t
	run_tool 2 logcreate 'a b'
	run_tool 1 logcreate no/parent/t
	echo x >file
	run_tool 1 logcreate file
	[ ! -e t ]
	[ "$(cat file)" = x ]
}

@test 'two at once: one makes it, both can go on' {
	for i in 1 2 3 4 5 6; do
		logcreate --if-not-exists t 2>>errors &
	done
	wait
	[ ! -s errors ]
	run_tool 0 logappend t <<<x
}

@test '--like: as another, but for what is said' {
	logcreate -P 3 --compact --segment-bytes 1M --retention 1d a
	run_tool 0 logcreate --like a b
	[ -d b/2 ] && [ ! -e b/3 ]
	same "$(grep -v logkit b/topic.properties)" \
		"$(grep -v logkit a/topic.properties)"
	! cmp -s a/topic.properties b/topic.properties || false
	run_tool 0 logcreate --retention 2d -X segment.bytes= --like a -P 1 c
	[ ! -e c/1 ]
	grep -qx 'retention.ms=172800000' c/topic.properties
	grep -qx 'cleanup.policy=compact' c/topic.properties
	[ "$(grep -c segment.bytes c/topic.properties)" -eq 0 ]
	run_tool 0 logcreate --if-not-exists --like a b
	run_tool 4 logcreate --if-not-exists --like a c
	run_tool 1 logcreate --like nope d
	[ ! -e d ]
}

@test '--first-offset: all partitions begin there' {
	run_tool 0 logcreate -P 2 --first-offset 5000000000 t
	[ -f t/0/00000000005000000000.log ]
	[ -f t/1/00000000005000000000.log ]
	# Before anybody has written.
	run_tool 0 logfsck t
	cp -a t empty
	run_tool 0 logcat t
	[ -z "$out$err" ]
	same "$(logstat -J t | jq -c '[.first_offset, .end_offset]')" \
		$'[5000000000,5000000000]\n[5000000000,5000000000]'
	run_tool 0 logappend --report -p 1 t <<<$'a\nb'
	same "$out" $'t\t1\t5000000000\nt\t1\t5000000001'
	same "$(logappend --report -p 1 empty <<<a)" $'empty\t1\t5000000000'
	run_tool 0 logfsck t
	run_tool 0 logcat -F '%p %o %s\n' t
	same "$out" $'1 5000000000 a\n1 5000000001 b'
	same "$(logcat -o 5000000001 -p 1 t)" b
	run_tool 0 logcat -o 7 -p 1 t
	has "$err" 'offset 7 is gone, starting at 5000000000'
	# The state rebuilt, and a copy: the same.
	cp -a t copy
	rm copy/1/partition.state
	echo c | logappend -q -p 1 copy
	same "$(logcat -p 1 -F '%o ' copy)" \
		'5000000000 5000000001 5000000002 '
	[ "$(find t/1 -name '*.log')" = t/1/00000000005000000000.log ]
	# Modes as of any file made later.
	(umask 077 && logcreate --first-offset 1 shut)
	same "$(stat -c %a shut/0/*.log)" 600
	(umask 007 && logcreate --first-offset 1 shared)
	same "$(find shared -type f -exec stat -c %A {} + | cut -c 5-6 |
		sort -u)" rw
	same "$(logcreate --first-offset 0 z; ls -A z/0)" ''
	run_tool 0 logcreate --grow-to 3 t
	same "$(logappend --report -p 2 t <<<x)" $'t\t2\t0'
}

@test '--first-offset: what cannot be' {
	run_tool 2 logcreate --first-offset -1 t
	run_tool 2 logcreate --first-offset x t
	run_tool 2 logcreate --first-offset 9223372036854775807 t
	run_tool 2 logcreate --first-offset '' t
	[ ! -e t ]
	run_tool 0 logcreate --first-offset 4611686018427387904 t
	echo x | logappend t
	same "$(logcat -F %o t)" 4611686018427387904
	run_tool 2 logcreate --first-offset 5 --grow-to 2 t
	run_tool 1 logcreate --first-offset 5 t
	run_tool 0 logcreate --first-offset 5 --if-not-exists t
}

@test 'a duration has a unit' {
	run_tool 2 logcreate --retention 5 t
	[ ! -e t ]
	logcreate --retention 5d t
	grep -q '^retention.ms=432000000' t/topic.properties
	logcreate --retention -1 u
}

@test 'usage is checked before anything is done' {
	run_tool 2 logcreate a 'b c'
	[ ! -e a ]
	run_tool 2 logcreate a ''
	has "$err" "logcreate: '': not a name for a topic"
	[ ! -e a ]
	logcreate -P 3 three
	logcreate one
	run_tool 2 logcreate --grow-to 2 one three
	has "$err" 'logcreate: three: has 3 partitions already'
	[ ! -e one/1 ]
}

@test '--grow-to does nothing else' {
	logcreate t
	logcreate -P 2 u
	for also in '-P 2' --compact '-X retention.ms=5' '--retention 1d' \
	    '--like u' --if-not-exists '--first-offset 3'; do
		# shellcheck disable=SC2086
		run_tool 2 logcreate --grow-to 2 $also t
		has "$err" --grow-to
	done
	[ ! -e t/1 ]
	run_tool 0 logcreate --grow-to 2 --replicas 1 t
	[ -d t/1 ]
}

@test 'places that are not local, and what is no topic' {
	for place in kafka:/host/t host:t; do
		for program in logcreate 'logcreate --grow-to 2' \
		    'logcreate --dry-run' logappend 'logappend --create' \
		    logcat logtail logcompact; do
			# shellcheck disable=SC2086
			run_tool 1 $program "$place"
			same "$err" "${program%% *}: $place: not a local place (./NAME if it is one)"
		done
	done
	run_tool 0 logcreate ./host-t
	# A partition that is not there is no place for a topic.
	for program in logcreate 'logcreate --dry-run' 'logappend --create'; do
		# shellcheck disable=SC2086
		run_tool 1 $program host-t/7
		has "$err" ' host-t/7: a topic cannot be inside a topic'
	done
	[ ! -e host-t/7 ]
	echo x >file
	mkdir dir
	for place in file dir; do
		run_tool 1 logcreate --if-not-exists "$place"
		same "$err" "logcreate: $place: something else stands there"
	done
}
