# logstat: lines, counts that are what logcat prints, roots, the verdict.

load ../helpers

# How many records logcat gets of a place.
read_count() {
	logcat -q -F '%o\n' "$@" | wc -l
}

# How many logstat says, in all partitions.
stat_count() {
	logstat -q "$@" | awk '{ n += $5 } END { print n + 0 }'
}

golden_cases() {
	local dir name
	for dir in "$ROOT"/tests/golden/*/; do
		name=$(basename "$dir")
		[ ! -d "$dir$name-0" ] || echo "$name"
	done | grep -v '^old-'
}

@test "a line per partition, under titles" {
	logcreate -P 2 orders
	seq 10 | logappend -p 1 --timestamp 2026-01-31T12:00Z orders
	run_tool 0 logstat --utc orders
	[ "$(wc -l <<<"$out")" -eq 3 ]
	same "$(sed -n 1p <<<"$out" | tr -s ' ')" \
	    'TOPIC PARTITION FIRST END RECORDS BYTES OLDEST NEWEST'
	same "$(sed -n 2p <<<"$out" | tr -s ' ')" 'orders 0 0 0 0 0 - -'
	same "$(sed -n 3p <<<"$out" | tr -s ' ')" "orders 1 0 10 10 $(
	    stat -c %s orders/1/*.log) 2026-01-31T12:00:00.000Z 2026-01-31T12:00:00.000Z"
	# Aligned: each line's last column begins where the titles' does.
	same "$(awk '{ print length($0) - length($NF) }' <<<"$out" | uniq -c |
		awk '{ print $1 }' | paste -sd ' ')" '3'
}

@test "times have their zone" {
	logcreate t
	echo x | logappend --timestamp 2026-01-31T12:00:00.123Z t
	[[ $(TZ=XYZ-5:30 logstat -q t) == *' 2026-01-31T17:30:00.123+05:30' ]]
	[[ $(TZ=XYZ3 logstat -q t) == *' 2026-01-31T09:00:00.123-03:00' ]]
	[[ $(TZ=XYZ3 logstat -q --utc t) == *' 2026-01-31T12:00:00.123Z' ]]
	# What is printed can be given back.
	time=$(TZ=XYZ-5:30 logstat -q t | awk '{ print $NF }')
	[ "$(read_count -S "$time" t)" -eq 1 ]
}

@test "JSON" {
	need jq
	logcreate -P 2 t
	seq 5 | logappend -p 0 --timestamp 1795414032471 t
	run_tool 0 logstat -J t
	[ "$(wc -l <"$tool_out")" -eq 2 ]
	same "$(sed -n 1p "$tool_out")" '{"topic":"t","partition":0,"first_offset":0,"end_offset":5,"records":5,"bytes":'"$(
	    stat -c %s t/0/*.log)"',"oldest":1795414032471,"newest":1795414032471,"segments":1,"last_stable_offset":5}'
	same "$(sed -n 2p "$tool_out" | jq -c '[.oldest, .newest, .records]')" \
	    '[null,null,0]'
}

@test "segments add up" {
	need jq
	logcreate --segment-bytes 1K t
	seq 2000 | logappend --batch-bytes 300 t
	logcompact --before 100 t
	run_tool 0 logstat --segments -J t
	same "$(jq -r .segment <"$tool_out")" "$(cd t/0 && printf '%s\n' *.log)"
	same "$(jq -s 'map(.records) | add' <"$tool_out")" 1900
	same "$(jq -s 'map(.bytes) | add' <"$tool_out")" \
	    "$(logstat -J t | jq .bytes)"
	same "$(jq -s 'map(.bytes) | add' <"$tool_out")" \
	    "$(cat t/0/*.log | wc -c)"
	# Each begins where the one before it ends.
	same "$(jq .first_offset <"$tool_out" | tail -n +2)" \
	    "$(jq .end_offset <"$tool_out" | head -n -1)"
	same "$(jq .first_offset <"$tool_out" | head -n 1)" 100
	same "$(jq .end_offset <"$tool_out" | tail -n 1)" 2000
	run_tool 0 logstat --segments t
	[[ $(head -n 1 "$tool_out") == *SEGMENT ]]
}

@test "counts of what Kafka wrote: transactions, compacted, every codec" {
	local c
	for c in $(golden_cases); do
		cp -rL "$ROOT/tests/golden/$c" .
		same "$c $(stat_count "$c/$c-0")" \
		    "$c $(read_count "$c/$c-0")" || return 1
	done
	[ "$(golden_cases | wc -l)" -ge 13 ]
}

@test "old formats are told" {
	run_tool 3 logstat "$ROOT/tests/golden/old-v1/old-v1-0"
	[[ $err == *'message format version 0 or 1'* ]]
	[ -z "$out" ]
}

@test "a broker's directory is a root of its partitions" {
	mkdir broker
	cp -rL "$ROOT/tests/golden/segments/segments-0" broker/events-2
	cp -rL "$ROOT/tests/golden/txn/txn-0" broker/events-10
	run_tool 0 logstat -q broker
	same "$(awk '{ print $1, $2 }' "$tool_out" | paste -sd ,)" \
	    'events 2,events 10'
}

@test "roots" {
	mkdir -p topics/other topics/lost+found
	logcreate topics/b topics/a10 topics/a9 topics/.hidden
	: >topics/file
	ln -s b topics/link
	run_tool 0 logstat -q topics
	same "$(awk '{ print $1 }' "$tool_out" | paste -sd ' ')" 'a9 a10 b b'
	[ -z "$err" ]
	same "$(cd topics && logstat -q)" "$(logstat -q topics)"
	same "$(cd topics && logstat -q .)" "$(logstat -q topics)"
	run_tool 0 logstat topics/other
	[ -z "$out" ]
	[ "$err" = 'logstat: topics/other: no topics' ]
	run_tool 0 logstat -q topics/b/0
	same "$(awk '{ print $1, $2 }' "$tool_out")" 'b 0'
}

@test "partitions chosen" {
	logcreate -P 4 t
	same "$(logstat -q -p 0,2-3 t | awk '{ print $2 }' | paste -sd ' ')" \
	    '0 2 3'
	run_tool 1 logstat -p 4 t
	[ "$err" = 'logstat: t: no partition 4 (it has 4)' ]
	run_tool 0 logstat -q -p 3 .
	[ "$(wc -l <"$tool_out")" -eq 1 ]
}

@test "what is not there, and usage" {
	run_tool 1 logstat nope
	[ "$err" = 'logstat: nope: no such topic' ]
	logcreate t
	run_tool 1 logstat nope t
	[ "$(wc -l <"$tool_out")" -eq 2 ]
	: >file
	run_tool 1 logstat file
	run_tool 1 logstat host:t
	[[ $err == *'not a local place'* ]]
	run_tool 2 logstat --nope
	run_tool 2 logstat -p x t
	run_tool 2 logstat --max-age 5m t
	run_tool 2 logstat -X t
}

@test "under appends: always a count that was true meanwhile" {
	local before after got i
	logcreate --segment-bytes 4K t
	# shellcheck disable=SC2016 # it is not this shell's
	start writer bash -c \
	    'while [ ! -e stop ]; do seq 50 | logappend --batch-bytes 200 t; done'
	for ((i = 0; i < 40; i++)); do
		before=$(read_count t)
		got=$(stat_count t)
		after=$(read_count t)
		[ "$before" -le "$got" ] && [ "$got" -le "$after" ] || {
			echo "$before, $got, $after"
			return 1
		}
	done
	: >stop
	wait_exit 0 "$writer_pid"
	same "$(stat_count t)" "$(read_count t)"
	[ "$(stat_count t)" -gt 0 ]
}

@test "after kill -9 of writers" {
	local i pid
	logcreate --segment-bytes 4K t
	for ((i = 0; i < 15; i++)); do
		# It never ends by itself.
		logappend --fsync none --batch-bytes 200 t < <(exec yes) 3>&- &
		pid=$!
		want=$((i * 20))
		wait_for more_than "$want"
		kill -9 "$pid"
		wait "$pid" || true
		same "$(stat_count t)" "$(read_count t)" || return 1
		same "$(logstat -J t | sed 's/.*"end_offset":\([0-9]*\).*/\1/')" \
		    "$(logcat -F '%o\n' -n 1 t | awk '{ print $1 + 1 }')"
	done
}

more_than() {
	[ "$(stat_count t)" -gt "$1" ]
}

@test "compacted, deleted, copied: without sums and states, too" {
	logcreate --compact --segment-bytes 2K t
	seq 3000 | awk '{ print $1 % 17 ":" $1 }' |
		logappend -K : --batch-bytes 300 t
	logcompact t
	same "$(stat_count t)" "$(read_count t)"
	[ "$(stat_count t)" -lt 500 ]
	logcompact --before 2900 t
	same "$(stat_count t)" "$(read_count t)"
	cp -r t u
	same "$(stat_count u)" "$(read_count t)"
	rm u/0/*.sum
	same "$(stat_count u)" "$(read_count t)"
	rm u/0/partition.state
	same "$(stat_count u)" "$(read_count u)"
}

@test "damage is told, the rest is counted" {
	logcreate -P 2 --segment-bytes 1K t
	seq 1000 | logappend -p 0 --batch-bytes 200 t
	seq 10 | logappend -p 1 t
	rm t/0/00000000000000000000.log
	run_tool 3 logstat -q t
	[[ $err == 'logstat: t/0: damaged, offsets 0 to '*': a segment file is missing'* ]]
	same "$(awk '{ print $2, $5 }' "$tool_out")" '1 10'
}

@test "a verdict: well" {
	logcreate t u
	seq 10 | logappend t
	run_tool 0 logstat --check
	same "$out" "LOGSTAT OK: 2 partitions, 10 records | partitions=2 records=10 bytes=$(
	    stat -c %s t/0/*.log)B"
	run_tool 0 logstat --check --max-age 1h t
	[[ $out == 'LOGSTAT OK: 1 partition, 10 records | '*' age='*'s;;3600.000;0' ]]
}

@test "a verdict: age" {
	logcreate -P 2 t
	run_tool 1 logstat --check --max-age 5m t
	[[ $out == 'LOGSTAT WARNING: t: no events | '* ]]
	echo x | logappend -p 0 --timestamp -2h t
	run_tool 2 logstat --check --max-age 5m t
	[[ $out == 'LOGSTAT CRITICAL: t: newest event 2h old (limit 5m) | '* ]]
	# One partition with a new event will do, unless another is asked for.
	echo x | logappend -p 1 t
	run_tool 0 logstat --check --max-age 5m t
	run_tool 2 logstat --check --max-age 5m -p 0 t
	run_tool 2 logstat --check --max-age 5m t/0
	run_tool 0 logstat --check --max-age 3h -p 0 t
}

@test "a verdict: lost+found" {
	logcreate t u
	mkdir t/0/lost+found
	run_tool 0 logstat --check t
	: >t/0/lost+found/tail
	run_tool 2 logstat --check u t
	[[ $out == 'LOGSTAT CRITICAL: t/0/lost+found: 1 file | '* ]]
	run_tool 0 logstat --check u
}

@test "a verdict: damage is critical, all else unknown" {
	logcreate --segment-bytes 1K t
	seq 1000 | logappend --batch-bytes 200 t
	run_tool 3 logstat --check t nope
	[[ $out == 'LOGSTAT UNKNOWN: nope: no such topic | '* ]]
	rm t/0/00000000000000000000.log
	run_tool 2 logstat --check nope t
	[[ $out == 'LOGSTAT CRITICAL: t/0: a segment file is missing'* ]]
	same "$(sed -n 2p "$tool_out")" 'nope: no such topic'
	mkdir none
	run_tool 3 logstat --check none
	run_tool 3 logstat --check -p 5 t
}

@test "a verdict: usage is unknown" {
	logcreate t
	run_tool 3 logstat --check --nope t
	run_tool 3 logstat --nope --check t
	run_tool 3 logstat --check --max-age 5 t
	run_tool 3 logstat --check -J t
	run_tool 3 logstat --check --segments t
	run_tool 3 bash -c 'logstat --check t >/dev/full'
}

@test "a topic of partitions without permission" {
	need_user
	logcreate t
	seq 5 | logappend t
	chmod 0 t/0
	run_tool 1 logstat t
	chmod 700 t/0
}

@test "a log that is read by name is not written to" {
	logcreate t
	seq 5 | logappend t
	chmod -R a-w t
	find t -printf '%p %T@ %s\n' | sort >before
	logstat t
	logstat --check t
	find t -printf '%p %T@ %s\n' | sort | cmp - before
	chmod -R u+w t
}
