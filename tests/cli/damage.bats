# A topic's files lost, cut short, or of another kind: told, never hung on,
# and nothing more is lost.

load ../helpers

setup() {
	helpers_setup
	seq 300 >input
	fill t
	segments=(t/0/*.log)
	[ "${#segments[@]}" -gt 4 ]
}

# fill TOPIC: from a file, so that its batches are always the same.
fill() {
	logcreate --segment-bytes 1K "$1"
	logappend -q --batch-bytes 200 "$1" input
}

# offset_of FILE
offset_of() {
	local name
	name=$(basename "$1" .log)
	echo $((10#$name))
}

# lost FROM TO: what is left is printed, and [FROM, TO) is told.
lost() {
	run_tool 3 logcat --skip-corrupt t
	cat "$tool_err"
	[[ $err == *"logcat: "*": skipped offsets $1 to $(($2 - 1))" ]]
	awk -v from="$1" -v to="$2" 'NR <= from || NR > to' input |
		cmp - "$tool_out"
	run_tool 3 logcat t
	head -n "$1" input | cmp - "$tool_out"
	[ "$(wc -l <<<"$err")" -eq 1 ]
}

@test 'a lost segment: the first, one in the middle, the active one, all' {
	for i in 0 2 $((${#segments[@]} - 1)); do
		rm "${segments[i]}"
		next=300
		[ -z "${segments[i + 1]}" ] ||
			next=$(offset_of "${segments[i + 1]}")
		lost "$(offset_of "${segments[i]}")" "$next"
		[[ $err == "logcat: t/0: damaged, offsets "*": a segment file is missing" ]]
		# In the middle of what is gone, and from the end.
		run_tool 3 logcat -o $((next - 1)) t
		run_tool 3 logcat -n 300 t
		rm -r t/0
		fill u
		mv u/0 t/0
		rm -r u
	done
	rm t/0/*.log
	lost 0 300
	run_tool 3 logtail t
	[ -z "$out" ]
	# A writer does not go on as if nothing had been.
	run_tool 3 logappend t <<<x
	[[ $err == *"the active segment is missing" ]]
}

@test 'a segment cut short at a batch: sealed, and active' {
	cp "${segments[1]}" whole
	# Batches of one size each: the second begins where the first ends.
	first=$(($(od -An -tu1 -j 11 -N 1 whole) + 12))
	truncate -s "$first" "${segments[1]}"
	from=$(offset_of "${segments[1]}")
	from=$((from + $(od -An -tu1 -j 26 -N 1 whole) + 1))
	lost "$from" "$(offset_of "${segments[2]}")"
	[[ $err == *".log: damaged at byte $first, offsets $from to "*": cut short" ]]
	cat whole >"${segments[1]}"
	logcat t | cmp - input

	last=${segments[${#segments[@]} - 1]}
	truncate -s 0 "$last"
	lost "$(offset_of "$last")" 300
	[[ $err == *".log: damaged at byte 0, offsets "*": cut short" ]]
	run_tool 3 logappend t <<<x
	[[ $err == *"shorter than its synced position" ]]
}

# misnamed CODE LINES PLACE: nothing behind the line is printed.
misnamed() {
	run_tool "$1" logcat "$3"
	head -n "$2" input | cmp - "$tool_out"
	[ "$1" -eq 0 ] || [ "$(wc -l <<<"$err")" -eq 1 ]
}

@test 'a segment under another base offset: as a place, and in its topic' {
	mkdir kafka-0
	first=$(offset_of "${segments[1]}")
	second=$(offset_of "${segments[2]}")
	third=$(offset_of "${segments[3]}")
	# By itself, and as the last of a directory without state.
	cp "${segments[0]}" kafka-0/00000000000000000500.log
	misnamed 3 0 kafka-0/00000000000000000500.log
	has "$err" "00500.log: damaged at byte 0, from offset 500: "
	misnamed 3 0 kafka-0
	cp "${segments[0]}" "${segments[1]}" kafka-0
	misnamed 3 "$second" kafka-0
	rm kafka-0/*500.log
	misnamed 0 "$second" kafka-0

	# Behind the end of a topic, where nobody looks without being told to.
	cp "${segments[0]}" t/0/00000000000000000500.log
	misnamed 3 0 t/0/00000000000000000500.log
	has "$err" "the segment is past the log end"
	misnamed 0 300 t
	rm t/0/*500.log

	# In the range of the one before it: that is not left out either.
	mv "${segments[2]}" "t/0/$(printf %020d $((first - 3))).log"
	misnamed 3 "$first" t
	has "$err" "offset is above the next segment's base"
	run_tool 3 logcat -o $((first - 1)) t
	[ -z "$out" ]
	run_tool 3 logcat --skip-corrupt t
	sed "$((second + 1)),${third}d" input | cmp - "$tool_out"
	run_tool 3 logcat -r t
	sed "1,${third}d" input | tac | cmp - "$tool_out"
}

@test 'another kind of file in the place of one' {
	local kind name files
	files=(00000000000000000000.log 00000000000000000000.index
	    partition.state partition.lock)
	for kind in fifo directory symlink; do
		for name in "${files[@]}"; do
			rm -rf u
			cp -a t u
			rm "u/0/$name"
			case $kind in
			fifo) mkfifo "u/0/$name" ;;
			directory) mkdir "u/0/$name" ;;
			symlink)
				seq 1000 >other
				ln -s "$PWD/other" "u/0/$name"
				;;
			esac
			echo "$kind $name"
			status=0
			timeout "$TOOL_TIMEOUT" logcat u >got 2>err || status=$?
			cat err
			[ "$status" -eq 0 ] || [ "$status" -eq 1 ] ||
				[ "$status" -eq 3 ]
			[ "$status" -ne 0 ] || cmp got input
			status=0
			timeout "$TOOL_TIMEOUT" logappend u <<<x 2>err || status=$?
			cat err
			[ "$status" -lt 4 ]
			[ "$status" -eq 0 ] || [ "$(lines err)" -eq 1 ]
			# What the link leads to is as it was.
			[ "$kind" != symlink ] || seq 1000 | cmp - other
		done
	done
}

# flip FILE POS: change a bit there.
flip() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf '%b' "\\x$(printf %x $((byte ^ 4)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test 'a bit in a batch: told by readers, and no torn tail to writers' {
	logcreate big
	logappend -q --batch-bytes 200 big input
	log=big/0/00000000000000000000.log
	size=$(stat -c %s "$log")
	for at in 80 $((size / 2)) $((size - 3)); do
		# A copy is scanned by who writes to it first.
		cp -r big copy
		flip "copy/0/${log##*/}" "$at"
		cp "copy/0/${log##*/}" damaged
		run_tool 3 logcat copy
		has "$err" 'crc does not match'
		run_tool 3 logappend copy <<<x
		has "$err" 'crc does not match'
		cmp "copy/0/${log##*/}" damaged
		[ ! -e copy/0/lost+found ]
		rm -r copy
	done
}

@test 'indexes of other segments, and junk: offsets are found all the same' {
	logcreate --set index.interval.bytes=100 big
	logappend -q --batch-bytes 200 big input
	logcreate --set index.interval.bytes=100 other
	tac input | logappend -q --batch-bytes 500 other
	[ "$(stat -c %s big/0/*.index)" -ge 64 ]
	for index in other/0/*.index junk; do
		head -c 160 /dev/urandom >junk
		cp "$index" "big/0/00000000000000000000.index"
		for offset in 0 1 50 99 150 222 299; do
			same "$(logcat -o "$offset" -c 1 big)" $((offset + 1))
		done
	done
}
