# logcompact: what goes, what stays, and that nothing else is touched.

load ../helpers

setup() {
	helpers_setup
	seed=${SEED:-$((SRANDOM % 32768))}
	echo "SEED=$seed"
}

# pairs N KEYS: lines KEY:VALUE, some with the value NULL.
pairs() {
	awk -v n="$1" -v keys="$2" -v seed="$seed" 'BEGIN {
		srand(seed)
		for (i = 0; i < n; i++)
			printf "k%d:%s\n", rand() * keys,
			    rand() < .1 ? "NULL" : "v" i
	}'
}

# latest: of lines KEY:VALUE the last of each key, in order; no tombstones.
latest() {
	awk -F: '{ last[$1] = NR; line[NR] = $0 }
	    END { for (k in last) print last[k], line[last[k]] }' |
		sort -n | cut -d' ' -f2 | grep -v ':NULL$'
}

# values TOPIC: what is in it, without tombstones.
values() {
	logcat -Z -K : "$1" | grep -v ':NULL$'
}

@test 'of each key the last record, at its offset' {
	pairs 8000 300 >input
	latest <input >want
	for codec in none gzip snappy lz4 zstd; do
		logcreate --compact --segment-bytes 16K t
		logappend --null-string NULL -K : -z "$codec" --batch-bytes 3000 t input
		logcat -F '%o %k %v\n' t >before
		run_tool 0 logcompact --include-active t
		values t | cmp - want
		# Offsets are what they were.
		logcat -F '%o %k %v\n' t | sort >after
		[ "$(sort before | comm -13 - after | wc -l)" -eq 0 ]
		# A second run finds nothing to do.
		cp -r t/0 again
		run_tool 0 logcompact t
		for file in again/*.log; do
			cmp "$file" "t/0/${file##*/}"
		done
		rm -r t again
	done
}

@test 'too little memory: several passes, the same result' {
	pairs 40000 9000 >input
	for t in a b; do
		logcreate --compact --segment-bytes 32K "$t"
		logappend --null-string NULL -K : --batch-bytes 4000 "$t" input
	done
	run_tool 0 logcompact --include-active a
	run_tool 0 logcompact --include-active --memory 64K -J b
	[[ $out == *'"passes":'[2-9]* ]]
	latest <input | cmp - <(values a)
	logcat -F '%o %k %v\n' b | cmp - <(logcat -F '%o %k %v\n' a)
}

@test 'tombstones go when their time has come' {
	logcreate --compact -X delete.retention.ms=0 t
	printf '%s\n' a:1 b:2 a:NULL | logappend --null-string NULL -K : t
	run_tool 0 logcompact --include-active t
	same "$(logcat -Z -K : t)" $'b:2\na:NULL'
	# The horizon is past by now.
	logappend -K : t <<<c:3
	run_tool 0 logcompact --include-active t
	same "$(logcat -Z -K : t)" $'b:2\nc:3'
	logcreate --compact u
	printf '%s\n' a:1 b:2 a:NULL | logappend --null-string NULL -K : u
	logcompact --include-active u
	logappend -K : u <<<c:3
	logcompact --include-active u
	same "$(logcat -Z -K : u)" $'b:2\na:NULL\nc:3'
}

@test 'the active segment, the young, other partitions are left alone' {
	logcreate --compact -P 2 t
	printf '%s\n' a:1 a:2 a:3 | logappend -K : -p 0 t
	printf '%s\n' a:1 a:2 a:3 | logappend -K : -p 1 t
	run_tool 0 logcompact t
	[ "$(logcat t | wc -l)" -eq 6 ]
	run_tool 0 logcompact --include-active -p 1 t
	same "$(logcat t/0 t/1)" $'1\n2\n3\n3'
	run_tool 0 logcompact --include-active t/0
	same "$(logcat t)" $'3\n3'
	logcreate --compact -X min.compaction.lag.ms=1h u
	printf '%s\n' a:1 a:2 a:3 | logappend -K : u
	run_tool 0 logcompact --include-active u
	[ "$(logcat u | wc -l)" -eq 3 ]
}

@test 'retention by size and by age' {
	logcreate --segment-bytes 4K --retention-bytes 20K t
	seq 10000 >input
	logappend --batch-bytes 500 t input
	run_tool 0 logcompact t
	size=$(cat t/0/*.log | wc -c)
	[ "$size" -ge 20480 ] && [ "$size" -lt $((20480 + 4096)) ]
	logcat t | cmp - <(tail -n "$(logcat t | wc -l)" input)
	logcreate --segment-bytes 4K --retention 1h u
	for age in 5h 3h; do
		logappend --timestamp "-$age" --batch-bytes 500 u input
	done
	logappend --batch-bytes 500 u input
	run_tool 0 logcompact u
	[ "$(logcat u | wc -l)" -lt 10500 ]
	logcat u | tail -n 10000 | cmp - input
	run_tool 0 logcompact --retention 1m u
	[ "$(logcat u | wc -l)" -ge 10000 ]
	# Old through and through: the segment being written as well.
	logcreate v
	logappend --timestamp -2d v input
	run_tool 0 logcompact --policy delete --retention 1d v
	same "$(logcat v | wc -l)" 0
	logappend --report v <<<x >report
	same "$(cut -f 3 report)" 10000
}

@test 'retention by age: records without a time are as old as their file' {
	logcreate -X segment.bytes=300 --retention 7d t
	local time
	for time in -1 -1 -14182940000 -14182940000; do
		for i in 1 2; do
			printf '{"value":"%0100d","timestamp":%d}\n' "$i" "$time"
		done | logappend -J t
	done
	echo now | logappend t
	run_tool 0 logcompact t
	same "$(logcat t | wc -l)" 9
	# All but the active one are old.
	for log in t/0/*.log; do
		[ -e "${log%.log}.sum" ] || continue
		touch -d '8 days ago' "$log"
	done
	run_tool 0 logcompact t
	same "$(logcat t | tail -n 1)" now
	[ "$(logcat t | wc -l)" -lt 3 ]
	# The one being written, too.
	logcreate --retention 7d u
	echo '{"value":"x","timestamp":-1}' | logappend -J u
	run_tool 0 logcompact u
	same "$(logcat u)" x
	touch -d '8 days ago' u/0/*.log
	run_tool 0 logcompact u
	same "$(logcat u | wc -l)" 0
	run_tool 0 logfsck t u
}

@test '--before: offsets, times, ends' {
	logcreate --segment-bytes 2K -P 2 t
	for i in 1 2 3 4 5 6 7 8 9; do
		echo "$i"
	done >input
	logappend -p 0 --timestamp 2026-01-01 t input
	logappend -p 0 --timestamp 2026-01-02 t input
	run_tool 2 logcompact --before 5 t
	run_tool 0 logcompact --before 5 -p 0 t
	same "$(logcat t/0 | head -n 1)" 6
	# Nothing is done if one of them is wrong.
	logcreate one
	logappend one input
	run_tool 2 logcompact --before 5 one t
	run_tool 2 logcompact --policy delete --before 5 one kafka://host/t
	logcat one | cmp - input
	run_tool 1 logcompact --before 5 nope one
	same "$(logcat one | head -n 1)" 6
	run_tool 0 logcompact --before @2026-01-02 t
	logcat t/0 | cmp - input
	run_tool 0 logcompact --before -2 t
	same "$(logcat t/0)" $'8\n9'
	logcreate --segment-bytes 1K u
	seq 500 | logappend --batch-bytes 500 u
	files=$(find u/0 -name '*.log' | wc -l)
	run_tool 0 logcompact -n -J --before 300 u
	would=$out
	run_tool 0 logcompact -J --before 300 u
	same "$would" "$out"
	gone=$((files - $(find u/0 -name '*.log' | wc -l)))
	[ "$gone" -gt 1 ]
	has "$out" "\"log_start\":300,\"deleted_segments\":$gone,"
	run_tool 0 logcompact --before end t
	same "$(logcat t)" ''
	run_tool 2 logcompact --before stored t
	run_tool 2 logcompact --before nonsense t
}

@test '--drop-key: its bytes are nowhere' {
	logcreate -P 2 --segment-bytes 2K t
	seq 200 | sed 's/.*/alice:secret&\nbob:hello&/' >input
	logappend -K : --batch-bytes 700 t input
	logcat -F '%p %o %k\n' t | grep bob >want
	run_tool 0 logcompact --drop-key alice t
	same "$(grep -rl -e secret -e alice t || true)" ''
	logcat -F '%p %o %k\n' t | cmp - want
	run_tool 0 logcompact --drop-key nobody t
	logcat -F '%p %o %k\n' t | cmp - want
	run_tool 2 logcompact --drop-key bob --drop-key nobody t
}

@test '--drop-key: what is young, and what open transactions wrote' {
	logcreate --compact -X min.compaction.lag.ms=1h t
	printf 'alice:secret\nbob:hello\n' | logappend -K : t
	run_tool 0 logcompact --drop-key alice t
	same "$(logcat t)" hello
	run_tool 1 grep -rl secret t
	# The last records there are of a transaction that is open.
	logcreate u
	rm -f u/0/*
	cp "$ROOT"/tests/golden/txn/txn-0/* u/0
	last=$(logcat --uncommitted -F '%k\n' u | tail -n 1)
	run_tool 0 logcat -k "$last" -F '%o\n' u
	committed=$out
	run_tool 0 logcat --uncommitted -k "$last" -F '%o\n' u
	[ "$committed" != "$out" ]
	for more in '' --uncommitted; do
		logcat $more -F '%o %k %v\n' u | awk -v key="$last" \
			'$2 != key' >"want$more"
	done
	run_tool 0 logcompact --drop-key "$last" u
	for more in '' --uncommitted; do
		logcat $more -F '%o %k %v\n' u | cmp - "want$more"
	done
	run_tool 0 logfsck u
}

@test 'partitions that are not there' {
	logcreate -P 2 t
	run_tool 1 logcompact -p 1,2 t
	same "$err" 'logcompact: t: no partition 2 (it has 2)'
	run_tool 1 logcompact -p 0 t/1
	run_tool 0 logcompact -p 1 t/1
}

@test 'a dry run tells and touches nothing' {
	pairs 5000 100 >input
	logcreate --compact --segment-bytes 8K t
	logappend --null-string NULL -K : --batch-bytes 1000 t input
	cp -a t copy
	run_tool 0 logcompact -n -J t
	[[ $out == *'"records":'*'"partial":false}' ]]
	diff -r -x partition.lock -x partition.state t copy
	would=$out
	run_tool 0 logcompact -J t
	for field in records_left bytes_left tombstones_left segments_left; do
		same "$(grep -o "\"$field\":[0-9]*" <<<"$would")" \
			"$(grep -o "\"$field\":[0-9]*" <<<"$out")"
	done
	run_tool 0 logcompact --stats t
	[[ $out == 't/0: start 0; deleted 0 segments'* ]]
	# What closes the active segment first looks at it, too.
	for what in --include-active '--drop-key k7'; do
		rm -r t copy
		logcreate --compact --segment-bytes 8K t
		logappend --null-string NULL -K : --batch-bytes 1000 t input
		cp -a t copy
		# shellcheck disable=SC2086 # several words
		run_tool 0 logcompact $what -n -J t
		would=$out
		diff -r -x partition.lock -x partition.state t copy
		# shellcheck disable=SC2086 # several words
		run_tool 0 logcompact $what -J t
		same "$would" "$out"
	done
}

# sums DIR: every name and every byte in it.
sums() {
	(cd "$1" && find . | sort && find . -type f -exec cksum {} + | sort)
}

# dry ARG...: -n changes nothing in t, and tells what is done without it.
dry() {
	sums t >before
	run_tool 0 logcompact -n -J "$@" t
	would=$out
	sums t | cmp before - || return 1
	run_tool 0 logcompact -J "$@" t
	same "$would" "$out"
}

# torn TOPIC: a copy of which the last writer died.
torn() {
	cp -a t copy
	rm -r t
	mv copy t
	printf 'garbage' >>"$(printf '%s\n' t/0/*.log | tail -n 1)"
}

@test 'a dry run changes nothing, of a copy or a torn partition either' {
	pairs 5000 100 >input
	for what in '' --include-active '--drop-key k7' \
	    '--before 3000 --policy both' '--policy both --retention 0'; do
		for how in own copy torn; do
			rm -rf t
			logcreate --compact --segment-bytes 8K t
			logappend --null-string NULL -K : --batch-bytes 1000 t input
			logcompact t
			case $how in
			copy) cp -a t copy && rm -r t && mv copy t ;;
			torn) torn ;;
			esac
			echo "$how: $what"
			# shellcheck disable=SC2086 # several words
			dry $what
		done
	done
}

@test 'a dry run takes the permission to read alone' {
	[ "$(id -u)" -eq 0 ] || skip 'needs root'
	command -v setpriv >/dev/null || skip 'setpriv is not installed'
	local place
	place=$(mktemp -d /tmp/logcompact.XXXXXX)
	cp "$(command -v logcompact)" "$(command -v logadmin)" "$place"
	chmod a+rx "$place"
	pairs 5000 100 >input
	(
		umask 022
		logcreate --compact --segment-bytes 8K "$place/t"
	)
	logappend --null-string NULL -K : --batch-bytes 1000 "$place/t" input
	cp -a "$place/t" t
	cd "$place"
	sums t >"$BATS_TEST_TMPDIR/before"
	for what in '' --include-active '--drop-key k7'; do
		# shellcheck disable=SC2086 # several words
		run_tool 0 setpriv --reuid 65534 --regid 65534 --clear-groups \
		    ./logcompact $what -n -J t
		# shellcheck disable=SC2086
		same "$out" "$(logcompact $what -n -J t)"
	done
	for verb in promote demote; do
		run_tool 0 setpriv --reuid 65534 --regid 65534 --clear-groups \
		    ./logadmin --dry-run topic "$verb" t
	done
	sums t | cmp "$BATS_TEST_TMPDIR/before" -
	cd "$BATS_TEST_TMPDIR"
	rm -r "$place"
}

@test 'a dry run compacts what deletion would leave' {
	pairs 20000 800 >input
	for what in '--policy both --retention-bytes 20K' \
	    '--policy both --retention 0' \
	    '--policy both --retention 0 --include-active' \
	    '--before 10000 -p 0 --policy both --include-active' \
	    '--before 10000 -p 0 --policy compact' \
	    '--before end --policy both --include-active' \
	    '--before 19900 --policy delete --retention 0' \
	    '--before end --policy delete --retention 0' \
	    '--policy both --retention-bytes 20K --drop-key k3'; do
		rm -rf t
		logcreate --compact --segment-bytes 8K t
		logappend --null-string NULL -K : --batch-bytes 1000 t input
		echo "$what"
		# shellcheck disable=SC2086 # several words
		dry $what
	done
	# Where the log begins is told though nothing is deleted.
	logcompact --before 19900 t
	dry --policy compact
	has "$out" '"log_start":19900,'
}

@test 'damage is told, and left as it is' {
	pairs 5000 100 >input
	logcreate --compact --segment-bytes 8K t
	logappend --null-string NULL -K : --batch-bytes 1000 t input
	log=$(printf '%s\n' t/0/*.log | sed -n 3p)
	printf 'xxxx' | dd of="$log" bs=1 seek=2000 conv=notrunc status=none
	cp -r t copy
	run_tool 3 logcompact t
	[[ $err == "logcompact: $log: damaged at byte "* ]]
	cmp "$log" "copy/0/${log##*/}"
	[ -z "$(find t -name '*.cleaned')" ]
	# In what no batch's CRC covers: the leader epoch of the first.
	rm -r t
	mv copy t
	printf 'x' | dd of="$log" bs=1 seek=2000 conv=notrunc status=none
	logfsck -q -y t >/dev/null || [ $? -eq 1 ]
	log=$(printf '%s\n' t/0/*.log | sed -n 4p)
	printf '\001' | dd of="$log" bs=1 seek=15 conv=notrunc status=none
	run_tool 3 logcompact t
	[[ $err == "logcompact: $log: damaged at byte 0, "*logfsck* ]]
}

@test 'what a crash has left is finished, or removed' {
	pairs 5000 100 >input
	latest <input >want
	logcreate --compact --segment-bytes 8K t
	logappend --null-string NULL -K : --batch-bytes 1000 t input
	# Killed while it wrote: junk under the names of new files.
	seq 100 >t/0/00000000000000000000.log.cleaned
	seq 100 >t/0/00000000000000000000.sum.cleaned
	run_tool 0 logcompact --include-active t
	[ -z "$(find t -name '*.cleaned')" ]
	values t | cmp - want
}

@test 'a full disk: told, nothing lost, and done when there is space' {
	pairs 20000 5000 >input
	latest <input >want
	logcreate --compact --segment-bytes 64K t
	logappend --null-string NULL -K : t input
	(
		ulimit -f 8
		run_tool 1 logcompact t
		[[ $err == 'logcompact: t/0'*'too large' ]]
	)
	# Some segments may have been done before.
	logcat --null-string NULL -K : t | latest | cmp - want
	[ -z "$(find t -name '*.cleaned')" ]
	run_tool 0 logcompact --include-active t
	values t | cmp - want
}

@test 'who may not' {
	run_tool 2 logcompact
	run_tool 2 logcompact --policy none t
	run_tool 2 logcompact --memory 1K t
	run_tool 2 logcompact --retention soon t
	run_tool 2 logcompact --drop-key a --before 3 t
	run_tool 2 logcompact --before 3 --retention 1d t
	run_tool 1 logcompact nope
	[[ $err == 'logcompact: nope: no such topic' ]]
	mkdir plain
	run_tool 1 logcompact plain
	cp -r "$ROOT/tests/golden/compacted/"*-0 . 2>/dev/null ||
		cp -r "$ROOT"/tests/golden/*/*-0 .
	foreign=$(printf '%s\n' ./*-0 | head -n 1)
	run_tool 1 logcompact "$foreign"
	[[ $err == *'not a topic, nor a partition of one' ]]
}

@test 'a follower sees every record in order while segments are replaced' {
	logcreate --compact --segment-bytes 4K t
	pairs 3000 50 | grep -v NULL >input
	start seen logtail -f -o start -F '%o\n' t
	while read -r line; do
		echo "$line"
	done <input | logappend -K : --batch-bytes 300 t
	for i in 1 2 3 4 5; do
		logcompact t
		logappend -K : t <<<"again:$i"
	done
	wait_for grep -qx "$(($(lines input) + 4))" seen.out
	kill "$seen_pid"
	wait_exit 143 "$seen_pid"
	sort -n -c seen.out
	[ "$(tail -n 1 seen.out)" -eq $(($(lines input) + 4)) ]
	[ ! -s seen.err ]
}
