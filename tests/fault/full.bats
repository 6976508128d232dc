# Full disks: tmpfs of few bytes and of few inodes.  What was acknowledged
# stays, readers go on, and so do writers once there is space, by themselves.

load ../helpers

setup() {
	helpers_setup
	[ "$(id -u)" -eq 0 ] || skip "only root can mount"
}

teardown() {
	helpers_teardown
	cd /
	! mountpoint -q "$BATS_TEST_TMPDIR/small" ||
		umount "$BATS_TEST_TMPDIR/small"
}

# small OPTIONS: a tmpfs to be in.
small() {
	mkdir small
	mount -t tmpfs -o "$1" tmpfs small || skip "no tmpfs can be mounted"
	cd small || return 1
}

# What the reports in ../acked say is there, at those offsets.
acked_is_there() {
	logcat -F '%o %v\n' t >../all
	[ -z "$(comm -23 <(sort ../acked) <(sort ../all))" ]
}

# append TEXT...: as many lines as go, with their offsets in ../acked.
append() {
	local status=0
	printf '%s\n' "$@" >../lines
	logappend --fsync always --batch-bytes 2000 --report t <../lines \
	    >../report 2>../err || status=$?
	paste -d' ' <(cut -f3 ../report) <(head -n "$(lines ../report)" \
	    ../lines) >>../acked
	return "$status"
}

fill() {
	cat /dev/zero >filler 2>/dev/null || true
}

@test 'no bytes left: nothing acknowledged is lost, and space heals' {
	small size=1m
	logcreate --segment-bytes 20K t
	for ((round = 0; round < 5; round++)); do
		mapfile -t text < <(seq -f "$round-%06g-$(printf %0100d 0)" 15000)
		run ! append "${text[@]}"
		grep -q 'No space left on device' ../err
		[ "$(lines ../err)" -eq 1 ]
		acked_is_there
		# Deleted from the front, by an admin; then it goes on.
		run_tool 0 logcompact --before -100 t
		sort -n -k1 ../acked | tail -n 100 >../kept
		mv ../kept ../acked
		append "after $round"
		acked_is_there
		run_tool 0 logfsck t
	done
}

@test 'no inodes left: a roll, a topic, a group' {
	small nr_inodes=40
	logcreate --segment-bytes 300 t
	append first
	touch f{1..15}
	mapfile -t text < <(seq 1000 1999)
	run ! append "${text[@]}"
	acked_is_there
	run ! append "${text[@]}"
	grep -q 'No space left on device' ../err
	acked_is_there
	run_tool 1 logcreate u
	[ "$(lines "$tool_err")" -eq 1 ]
	run_tool 1 logcat -g g t
	rm -f f*
	append after
	run_tool 0 logcompact --before -1 t
	tail -n 1 ../acked >../kept
	mv ../kept ../acked
	acked_is_there
	run_tool 0 logcat -g g t
	run_tool 0 logcreate --if-not-exists u
	run_tool 0 logfsck t
}

@test 'other commands on a full disk change nothing' {
	small size=1m
	logcreate --segment-bytes 2K --compact t
	for i in {1..20}; do seq 30 | sed 's/$/=v/'; done |
		logappend -K = --batch-bytes 1000 t
	logcat -F '%o %k %v\n' t >../want
	fill
	run -1 logcompact t
	logcat -F '%o %k %v\n' t | cmp - ../want
	run -1 logcreate v
	run -1 logadmin topic set t retention.ms=1d
	run_tool 0 logfsck t
	rm filler
	run_tool 0 logcompact t
	run_tool 0 logadmin topic set t retention.ms=1d
	# What a failed attempt has left stands in nobody's way.
	run_tool 0 logcreate --if-not-exists v
	run_tool 0 logfsck t
	logcat -K = --latest t | sort | cmp - <(seq 30 | sed 's/$/=v/' | sort)
}

@test 'a copy: what fits is sound, and space heals' {
	seq -f "%06g-$(printf %0100d 0)" 30000 |
		logappend --create --batch-bytes 20000 a
	small size=1m
	run_tool 1 logreplicate ../a b
	same "$err" 'logreplicate: a/0: b/0: No space left on device'
	logcat b | cmp - <(logcat ../a) 2>&1 | grep -q 'EOF on -'
	[ "$(logcat b | wc -l)" -gt 1000 ]
	run_tool 1 logreplicate ../a b
	mount -o remount,size=16m .
	run_tool 0 logreplicate ../a b
	cmp ../a/0/00000000000000000000.log b/0/00000000000000000000.log
	run_tool 0 logfsck b
}

@test 'a copy that is kept current waits for space' {
	seq -f "%06g-$(printf %0100d 0)" 30000 |
		logappend --create --batch-bytes 20000 a
	logcreate c
	echo 1 | logappend c
	mkdir root
	mv a c root
	small size=1m
	mkdir b
	logreplicate -f ../root b 2>../rep.err 3>&- &
	rep=$!
	wait_for grep -q 'a/0: No space left on device' ../rep.err
	# It has said it once more, and lives; others go on as they can.
	wait_for has_lines ../rep.err 2
	logcat b/a >../part
	[ "$(lines ../part)" -gt 1000 ]
	logcat ../root/a | head -n "$(lines ../part)" | cmp - ../part
	mount -o remount,size=16m .
	wait_for same_record_count ../root/a b/a
	echo 2 | logappend ../root/c
	wait_for same_record_count ../root/c b/c
	kill "$rep"
	wait "$rep" || true
	cmp ../root/a/0/00000000000000000000.log b/a/0/00000000000000000000.log
	run_tool 0 logfsck b/a b/c
	run ! grep -v 'No space left on device' ../rep.err
}

same_record_count() {
	[ "$(logcat "$1" | wc -l)" -eq "$(logcat "$2" | wc -l)" ]
}
