# logfsck: what it says, and how it ends.  That it finds all there is to find
# is tests/unit/check_test.c's.

load ../helpers

setup() {
	helpers_setup
	seq 600 >input
	logcreate --segment-bytes 2K --partitions 1 t
	logappend -q --batch-bytes 200 t input
	segments=(t/0/*.log)
	[ "${#segments[@]}" -gt 3 ]
}

# spoil FILE POS: change a byte of it.
spoil() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf '%b' "\\x$(printf %x $((byte ^ 64)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# last_batch FILE: where it begins.
last_batch() {
	local next=0 pos=0 size
	size=$(wc -c <"$1")
	while [ "$next" -lt "$size" ]; do
		pos=$next
		next=$((pos + 12 + 0x$(od -An -tx1 -j $((pos + 8)) -N 4 "$1" |
			tr -d ' ')))
	done
	echo "$pos"
}

@test 'a topic without damage: nothing is said, 0' {
	run_tool 0 logfsck t
	[ -z "$out$err" ]
	run_tool 0 logfsck -v t t/0
	[ "$out" = $'t/0: clean\nt/0: clean' ]
	run_tool 0 logfsck -y t
	[ -z "$out$err" ]
	[ ! -e t/0/lost+found ]
	# A copy, and one of another age.
	cp -r t u
	run_tool 0 logfsck u
	[ -z "$out$err" ]
}

@test 'damage: told and 4; repaired and 1; then 0' {
	spoil "${segments[1]}" 300
	find t -type f -exec sha256sum {} + >before
	run_tool 4 logfsck t
	[[ $out == "${segments[1]}: byte "*" bytes, offsets "*" to "*": crc does not match" ]]
	sha256sum --quiet -c before
	from=${out#*offsets }
	from=${from%% *}
	to=${out#* to }
	to=${to%%:*}
	pos=${out#*byte }
	pos=${pos%%,*}
	dd if="${segments[1]}" bs=1 skip="$pos" status=none >bytes

	run_tool 1 logfsck -y t
	[[ $out == "${segments[1]}: byte "*"; kept in lost+found/"*" (repaired)" ]]
	lost=$(echo t/0/lost+found/*)
	cmp -n "$(wc -c <"$lost")" "$lost" bytes
	run_tool 0 logfsck -v t
	[ "$out" = 't/0: clean' ]
	awk -v a="$from" -v b="$to" 'NR <= a || NR > b + 1' input >want
	logcat t >got
	cmp got want
	logappend t <<<more
	[ "$(logtail -n 1 -F '%o' t)" = 600 ]
}

@test '-J: the same as objects' {
	spoil "${segments[0]}" 70
	rm "${segments[1]%.log}.index"
	run_tool 4 logfsck -J t
	jq -e -s 'length == 2 and .[0].what == "crc does not match" and
	    .[0].position == 0 and .[0].offset == 0 and .[0].repaired == false
	    and .[1].what == "missing" and .[1].position == null and
	    .[1].saved == null' <<<"$out"
	run_tool 1 logfsck -J -y t
	jq -e -s 'all(.repaired) and .[0].partition == "0" and
	    .[0].topic == "t"' <<<"$out"
	test -e "t/0/$(jq -r -s '.[0].saved' <<<"$out")"
}

@test 'an index, the state, epochs: made again' {
	echo 'not an index' >"${segments[0]%.log}.index"
	head -c 12 /dev/zero >"${segments[2]%.log}.timeindex"
	dd if=/dev/zero of=t/0/partition.state bs=1 count=4096 conv=notrunc \
		status=none
	rm t/0/leader-epoch-checkpoint
	run_tool 4 logfsck t
	for part in .index .timeindex partition.state leader-epoch-checkpoint; do
		has "$out" "$part: "
	done
	run_tool 1 logfsck -y t
	run_tool 0 logfsck t
	logcat t | cmp - input
	logappend t <<<more
	run_tool 0 logfsck t
	[ "$(logtail -n 1 t)" = more ]
}

@test 'nothing is said to be saved of a lost segment that was empty' {
	logcreate --compact e
	logappend -K : e <<<k:v
	logcompact --include-active e
	rm e/0/00000000000000000001.log
	run_tool 1 logfsck -J -y e
	jq -e -s 'length == 1 and .[0].repaired and .[0].saved == null' \
		<<<"$out"
	run_tool 0 logfsck e
}

@test 'damage that hides another is repaired in one run' {
	logcompact --before 250 t
	left=(t/0/*.log)
	# Without the state the log starts where the segment does, below what
	# the epochs reach down to; that shows when the segment can be read.
	rm t/0/partition.state
	spoil "${left[0]}" 100
	run_tool 1 logfsck -y t
	has "$out" 'leader-epoch-checkpoint: offsets 144 to'
	run_tool 0 logfsck t
}

@test 'a checkpoint of epochs that is of another version, or no file' {
	cp -a t u
	printf 1 | dd of=u/0/leader-epoch-checkpoint bs=1 conv=notrunc \
		status=none
	mkdir v
	cp -a t/topic.properties t/0 v
	rm v/0/leader-epoch-checkpoint
	mkdir v/0/leader-epoch-checkpoint
	printf 1 | dd of=t/0/leader-epoch-checkpoint bs=1 conv=notrunc \
		status=none
	for topic in t u v; do
		run_tool 4 logfsck "$topic"
		has "$out" "$topic/0/leader-epoch-checkpoint: "
		run_tool 1 logfsck -y "$topic"
		has "$out" 'kept in lost+found/leader-epoch-checkpoint.'
		run_tool 0 logfsck "$topic"
		logappend "$topic" <<<more
		[ "$(logtail -n 1 -F '%o %v' "$topic")" = '600 more' ]
	done
}

@test 'a copy of which the last offset has changed: nobody goes on behind it' {
	cp -a t u
	log=u/${segments[-1]#t/}
	pos=$(last_batch "$log")
	spoil "$log" $((pos + 6))
	run_tool 3 logcat u
	run_tool 3 logappend u <<<more
	run_tool 4 logfsck u
	[[ $out == "$log: byte $pos, "*': a bit of its header has changed' ]]
	run_tool 1 logfsck -y u
	run_tool 0 logfsck u
	logcat u | cmp - input
	logappend u <<<more
	[ "$(logtail -n 1 -F '%o %v' u)" = '600 more' ]
}

@test 'a lost segment, in the middle and at both ends: readers go on' {
	count=${#segments[@]}
	for i in 0 1 $((count - 1)); do
		rm -rf u
		cp -a t u
		rm "u/${segments[i]#t/}"
		run_tool 4 logfsck u
		[[ $out == *'missing'* || $out == *'ends before'* ]]
		run_tool 1 logfsck -y u
		run_tool 0 logcat u
		[ "$(lines "$tool_out")" -gt 400 ]
		logappend u <<<more
		[ "$(logtail -n 1 -F %o u)" -ge 600 ]
		run_tool 0 logfsck u
	done
}

@test 'the active segment is lost, and a repair of that was killed' {
	logcreate u
	logappend -q u input
	for topic in t u; do
		logs=("$topic"/0/*.log)
		rm "${logs[-1]}"
		# What it had made before any state named it.
		for suffix in log index timeindex; do
			: >"$topic/0/00000000000000000600.$suffix"
		done
		run_tool 4 logfsck "$topic"
		[[ $out == "${logs[-1]}: offsets "*' to 599: '*' missing' ]]
		run_tool 1 logfsck -y "$topic"
		run_tool 0 logfsck "$topic"
		logappend "$topic" <<<more
		[ "$(logtail -n 1 -F '%o %v' "$topic")" = '600 more' ]
	done
}

@test 'the positions of groups are checked too' {
	logcat -g readers t >/dev/null
	log=$(echo t/groups/*.log)
	spoil "$log" 65
	run_tool 4 logfsck t
	[[ $out == "$log: byte 0,"* ]]
	run_tool 0 logfsck -p 0 t
	run_tool 1 logfsck -y t
	run_tool 0 logfsck t
	logcat -g readers -c 1 t
}

@test 'what cannot be checked is 8, usage is 16' {
	run_tool 8 logfsck nothing
	[[ $err == *nothing* ]]
	run_tool 16 logfsck
	run_tool 16 logfsck -n -y t
	run_tool 16 logfsck --wrong t
	run_tool 8 logfsck -y "$ROOT/tests/golden/txn/txn-0"
	run_tool 8 logfsck "${segments[0]}"
	mv "${segments[2]}" elsewhere
	ln -s ../../elsewhere "${segments[2]}"
	for option in -n -y; do
		run_tool 8 logfsck "$option" t
		same "$err" "logfsck: ${segments[2]}: not a regular file"
	done
	mv elsewhere "${segments[2]}"
	spoil "${segments[1]}" 300
	# Statuses add up.
	run_tool 12 logfsck nothing t
	[ ! -w /dev/full ] || {
		status=0
		logfsck t >/dev/full 2>err || status=$?
		[ "$status" -eq 8 ]
	}
	mv t/0 t/x
	run_tool 4 logfsck t
	[ "$out" = 't/0: missing' ]
}

@test 'partitions of a Kafka broker are clean' {
	for dir in "$ROOT"/tests/golden/*/*-0; do
		case $dir in
		*/old-*) run_tool 8 logfsck "$dir" ;;
		*) run_tool 0 logfsck "$dir" ;;
		esac
		[ -z "$out" ]
	done
}

@test 'no false alarm while others write, roll and compact' {
	logcreate --segment-bytes 4K --compact u
	(
		i=0
		while [ ! -e stop ]; do
			seq -f '%g:x' $((i += 7)) $((i + 40)) |
				logappend -q -K : --batch-bytes 300 u || exit
			logcompact --include-active u || exit
		done
	) 2>writer &
	for _ in $(seq 15); do
		run_tool 0 logfsck u
		[ -z "$out" ]
	done
	touch stop
	wait $! || cat writer
	[ ! -s writer ]
	run_tool 0 logfsck -y u
	[ -z "$out" ]
}

@test 'a partition that is not there is not clean' {
	logcreate -P 2 plain
	run_tool 8 logfsck -p 1-2 plain
	same "$err" 'logfsck: plain: no partition 2 (it has 2)'
	run_tool 0 logfsck -p 1 plain
}
