# logreplicate --checksum: what the last batch does not tell.
load ../helpers

# Two logs that differ in one record in the middle and in nothing else.
differ_inside() {
	logcreate --segment-bytes 4096 a
	cp -r a e
	for t in a e; do
		seq 1 1000 | logappend --timestamp 1 --batch-bytes 100 "$t"
		echo "only $t" | logappend --timestamp 1 "$t"
		seq 1 1000 | logappend --timestamp 1 --batch-bytes 100 "$t"
	done
}

# flip FILE POS: another byte there.
flip() {
	printf '\377' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "what differs in the middle is found, named and cut" {
	differ_inside
	run_tool 0 logreplicate a b
	run_tool 0 logreplicate e b
	run_tool 0 logreplicate --checksum a b
	run_tool 4 logreplicate --checksum e b
	same "$err" 'logreplicate: e/0: diverged: from offset 1000 on it is not what the source has (--on-diverge truncate)'
	run_tool 4 logreplicate -n --checksum --on-diverge truncate e b
	has "$err" 'would be cut'
	same "$(logcat b)" "$(logcat a)"
	run_tool 0 logreplicate --checksum --on-diverge truncate e b
	has "$err" 'cut from offset 1000 on'
	same "$(logcat b)" "$(logcat e)"
	same "$(cat b/0/lost+found/* | strings | grep -c 'only a')" 1
	run_tool 0 logfsck b
	run_tool 0 logreplicate -v --stats --checksum e b
	has "$out" 'e/0: offsets 0 to 2000 compared, '
	has "$out" ' bytes compared'
}

@test "damage of the copy is found, and made good" {
	logcreate --segment-bytes 4096 -P 2 a
	seq 1 1000 | logappend -p 0 --batch-bytes 100 a
	seq 1 1000 | logappend -p 1 --batch-bytes 100 a
	run_tool 0 logreplicate a b
	# In records, and in a header that says where the next batch is.
	segments=(b/0/*.log)
	flip "${segments[1]}" 2000
	segments=(b/1/*.log)
	flip "${segments[2]}" 8
	run_tool 0 logreplicate a b
	run_tool 3 logreplicate --checksum a b
	has "$err" 'a/0: the copy is damaged: from offset '
	has "$err" 'a/1: the copy is damaged: from offset '
	echo more | logappend -p 0 a
	run_tool 0 logreplicate --checksum --on-diverge truncate a b
	cmp <(logcat b) <(logcat a)
	run_tool 0 logfsck b
	# All of it, where nothing is whole.
	first=(b/0/*.log)
	flip "${first[0]}" 70
	run_tool 0 logreplicate --checksum --on-diverge truncate a b
	has "$err" 'a/0: cut from offset 0 on'
	cmp <(logcat b) <(logcat a)
}

@test "damage of the source takes nothing from the copy" {
	logcreate --segment-bytes 4096 a
	seq 1 1000 | logappend --batch-bytes 100 a
	run_tool 0 logreplicate a b
	segments=(a/0/*.log)
	flip "${segments[1]}" 2000
	run_tool 3 logreplicate --checksum --on-diverge truncate a b
	has "$err" 'damaged at byte'
	same "$(logcat b)" "$(seq 1 1000)"
}

@test "what compaction has taken from the source is not compared" {
	logcreate --compact --segment-bytes 4096 a
	for i in 1 2 3; do
		seq 1 300 | sed 's/.*/k&:v&/' | logappend -K : --batch-bytes 200 a
	done
	run_tool 0 logreplicate a b
	run_tool 0 logcompact a
	run_tool 0 logreplicate --checksum --stats a b
	has "$out" ' of them compacted'
	# But damage there is damage.
	flip b/0/00000000000000000000.log 70
	run_tool 3 logreplicate --checksum a b
	has "$err" 'a/0: the copy is damaged: from offset 0 on'
	# A copy of what is left is compared as any other.
	run_tool 0 logreplicate a c
	run_tool 0 logreplicate --checksum --stats a c
	[[ $out != *compacted* ]]
}

@test "retention on either side is no difference" {
	logcreate --segment-bytes 4096 a
	seq 1 1000 | logappend --batch-bytes 100 a
	run_tool 0 logreplicate a b
	run_tool 0 logcompact --policy delete --before 500 a
	run_tool 0 logreplicate --checksum a b
	run_tool 0 logreplicate --cleanup mirror a c
	run_tool 0 logreplicate --checksum a c
	same "$(logcat c)" "$(logcat a)"
	seq 1 10 | logappend a
	run_tool 0 logreplicate --checksum c b
	run_tool 0 logreplicate --checksum a b
	same "$(logcat b | tail -n 1)" 10
}
