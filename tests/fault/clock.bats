# The wall clock jumps by hours to ten years, forward and back, under programs
# that run and between runs.  Clocks decide about timestamps and what retention
# says of them, nothing else.  SEED= repeats a run, CLOCK_RUNS= is its length.

load ../helpers

setup() {
	helpers_setup
	for lib in /usr/lib/*/faketime/libfaketimeMT.so.1 \
	    /usr/lib/faketime/libfaketimeMT.so.1; do
		[ -e "$lib" ] && break
	done
	[ -e "$lib" ] || skip "libfaketime is not installed"
	! is_san || skip "a library to load does not go with sanitizers"
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	clock +0
}

# clock OFFSET: from now on it is that much later (+1h, -10y).
clock() {
	echo "$1" >clock.new
	mv clock.new clock
}

# A random offset of up to ten years.
jump() {
	local signs=+- units=hdy
	local -A most=([h]=24 [d]=365 [y]=10)
	local unit=${units:RANDOM % 3:1}

	clock "${signs:RANDOM % 2:1}$((RANDOM % most[$unit] + 1))$unit"
}

# under PROGRAM [ARG]...: run it with that clock.
under() {
	LD_PRELOAD=$lib FAKETIME_TIMESTAMP_FILE=$PWD/clock \
	    FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
	    NO_FAKE_STAT=1 exec "$@"
}

# fed FIFO PROGRAM [ARG]...: the same, for start, which takes the input away.
fed() {
	local fifo=$1
	shift
	under "$@" <"$fifo"
}

# Offsets without gap, these values in this order, nothing damaged.
whole() {
	logcat -F '%o %v\n' t >all
	cut -d' ' -f1 all | cmp - <(seq 0 $(($(wc -l <all) - 1)))
	cut -d' ' -f2 all | cmp - "$1"
	run_tool 0 logfsck t
}

@test 'the clock that is faked is the one that programs see' {
	logcreate t
	clock +10y
	echo later | (under logappend t)
	clock -10y
	echo earlier | (under logappend t)
	logcat -F '%T\n' t >stamps
	now=$(date +%s)
	[ "$(sed -n 1p stamps)" -gt $(((now + 9 * 31536000) * 1000)) ]
	[ "$(sed -n 2p stamps)" -lt $(((now - 9 * 31536000) * 1000)) ]
}

@test 'runs at any time: order, offsets and rolls' {
	logcreate --segment-bytes 600 -X segment.ms=1h t
	for ((i = 0; i < ${CLOCK_RUNS:-200}; i++)); do
		jump
		echo "e$i" >>want
		echo "e$i" | (under logappend t)
	done
	whole want
	# By time: -S and -U print what has such timestamps, whatever the order.
	now=$(date +%Y-%m-%dT%H:%M:%S)
	n=$(logcat -S "$now" t | wc -l)
	m=$(logcat -U "$now" t | wc -l)
	[ $((n + m)) -eq "$i" ]
	[ "$n" -gt 0 ]
	[ "$m" -gt 0 ]
	echo "# $i jumps" >&3
}

@test 'a writer that runs on acknowledges at once, a follower prints at once' {
	logcreate --segment-bytes 600 -X segment.ms=1h t
	mkfifo in
	exec {in}<>in
	start writer fed in logappend --report t {in}>&-
	start follower under logtail -f -g g t {in}>&-
	for ((i = 1; i <= 60; i++)); do
		jump
		echo "e$i" >>want
		echo "e$i" >&"$in"
		wait_for has_lines writer.out "$i"
		wait_for has_lines follower.out "$i"
	done
	exec {in}>&-
	wait_exit 0 "$writer_pid"
	whole want
	cmp follower.out want
	# Its position is committed each second, by a clock that does not jump.
	clock -10y
	committed() {
		logadmin group describe t g | grep -q ' 60 *60 *0 '
	}
	wait_for committed
	[ ! -s writer.err ]
	[ ! -s follower.err ]
}

@test 'times that are waited for pass though the clock goes back' {
	logcreate t
	echo one | logappend t
	start idle under logtail -f --idle 1s t
	wait_for has_lines idle.out 1
	clock -10y
	wait_exit 0 "$idle_pid"
	mkfifo in
	clock +10y
	exec {in}<>in
	start writer fed in logappend --fsync 500ms --report t {in}>&-
	echo two >&"$in"
	clock -10y
	echo three >&"$in"
	wait_for has_lines writer.out 2
	exec {in}>&-
	wait_exit 0 "$writer_pid"
}

@test 'retention deletes what its timestamps say, never earlier' {
	logcreate --segment-bytes 200 --retention 2d t
	seq 20 >want
	logappend --batch-bytes 100 t want
	# Years back, hours and a day ahead: nothing is two days old.
	for c in -10y -5h +1h +1d; do
		clock "$c"
		(under logcompact t)
		whole want
	done
	# What will be written in ten years is not old in three days.
	clock +0
	ms=$((($(date +%s) + 315360000) * 1000))
	echo future | (under logappend --timestamp "$ms" t)
	echo future >>want
	(under logcompact t)
	whole want
	clock +3d
	(under logcompact t)
	logcat -F '%o %v\n' t >left
	[ "$(tail -n 1 left)" = '20 future' ]
	[ "$(wc -l <left)" -lt 10 ]
	clock -10y
	(under logcompact t)
	logcat -F '%o %v\n' t | cmp - left
	echo past | (under logappend t)
	[ "$(logcat -F '%o %v\n' t | tail -n 1)" = '21 past' ]
	run_tool 0 logfsck t
}

@test 'compaction keeps the last of each key' {
	logcreate --compact --segment-bytes 300 -X min.cleanable.dirty.ratio=0 t
	for ((i = 0; i < 40; i++)); do
		jump
		k=k$((RANDOM % 5))
		echo "$k=$i" >>lines
		echo "$k=$i" | (under logappend -K = t)
		[ $((i % 8)) -ne 7 ] || (
			jump
			under logcompact t
		)
	done
	jump
	(under logcompact --include-active t)
	awk -F = '{ last[$1] = $0 } END { for (k in last) print last[k] }' \
	    lines | sort >want
	logcat -K = --latest t | sort | cmp - want
	logcat -K = t | sort | cmp - want
	run_tool 0 logfsck t
}
