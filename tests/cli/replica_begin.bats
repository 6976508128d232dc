# logreplicate -o and -S: where a copy that is new begins.
load ../helpers

# A log of 1000 in many segments and batches.
many() {
	logcreate --segment-bytes 4096 a
	seq 0 999 | logappend --batch-bytes 100 a
}

# begins OFFSET: the copy b has what a has from there on, and grows as it does.
begins() {
	same "$(logstat -J b | jq .first_offset)" "$1" || return 1
	cmp <(logcat b) <(logcat -o "$1" a) || return 1
	run_tool 0 logreplicate --checksum a b
	same "$(logstat -J b | jq .first_offset)" "$1" || return 1
	echo more | logappend a
	run_tool 0 logreplicate a b
	cmp <(logcat b) <(logcat -o "$1" a) || return 1
	same "$(logstat -J b | jq .first_offset)" "$1" || return 1
	run_tool 0 logfsck b
}

@test "-o: an offset, so many before the end, start and end" {
	many
	run_tool 0 logreplicate -n -o 500 a b
	has "$out" 'offsets 49'
	run_tool 0 logreplicate -o 500 a b
	begins 500
	rm -r b
	run_tool 0 logreplicate -o -10: a b
	begins 991
	rm -r b
	run_tool 0 logreplicate -o end a b
	same "$(logcat b)" ''
	begins 1002
	rm -r b
	run_tool 0 logreplicate -o 5000 a b
	begins 1003
	rm -r b
	run_tool 0 logreplicate -o start a b
	begins 0
	# No more of it than there has to be.
	rm -r b
	run_tool 0 logreplicate --stats -o -1 a b
	has "$out" '72 bytes in '
}

@test "-S and -o @TIME: from a time on, pulled as well" {
	logcreate --segment-bytes 4096 a
	for day in 1 2 3; do
		seq 100 | logappend --batch-bytes 100 \
		    --timestamp "2026-01-0${day}T00:00Z" a
	done
	run_tool 0 logreplicate -S 2026-01-02T12:00Z a b
	begins 200
	cat >ssh <<'END'
#!/bin/sh
shift
exec sh -c "$*"
END
	chmod +x ssh
	rm -r b
	run_tool 0 logreplicate --rsh ./ssh -o @2026-01-02T00:00Z "host:$PWD/a" b
	begins 100
	rm -r b
	run_tool 0 logreplicate --rsh ./ssh -o -5 "host:$PWD/a" b
	begins 297
}

# names_alike SOURCE COPY [ARG...]: what is said of both ways is the same.
names_alike() {
	local from=$1 to=$2 how push
	shift 2
	for how in -n -v; do
		rm -rf "$to"
		run_tool 0 logreplicate "$how" "$@" "$from" "$to" || return 1
		push=$out
		rm -rf "$to"
		run_tool 0 logreplicate "$how" "$@" --rsh ./ssh \
		    "host:$PWD/$from" "$to" || return 1
		same "$out" "$push" || return 1
	done
}

@test "a pull names the same offsets as a push" {
	printf '#!/bin/sh\nshift\nexec sh -c "$*"\n' >ssh
	chmod +x ssh
	many
	names_alike a b
	names_alike a b -o -5
	names_alike a b -o 500
	# What begins late is a source like any other.
	names_alike b c
	names_alike a b -o end
	names_alike b c
	same "$out" 'b: made, 1 partition'
}

has_two() {
	[ "$(logcat "$1" | wc -l)" -eq 2 ]
}

@test "-o: one that is there goes on, one that is new while following is whole" {
	many
	run_tool 0 logreplicate -o 300 a b
	seq 10 | logappend a
	run_tool 0 logreplicate -o 900 a b
	begins 300
	start rep logreplicate -f -o end a c
	wait_for test -e c/0/00000000000000001011.log
	logcreate --grow-to 2 a
	echo first | logappend -p 1 a
	echo last | logappend -p 0 a
	wait_for has_two c
	kill "$rep_pid"
	wait_for process_gone "$rep_pid"
	same "$(logcat c | sort | tr '\n' ' ')" 'first last '
}

has_any() {
	[ -n "$(logcat -c 1 "$1")" ]
}

# broken OPTION...: a run that is killed when a part of it is there.
broken() {
	start rep logreplicate --bwlimit 20K "$@" a b
	wait_for has_any b
	kill -9 "$rep_pid"
	wait_for process_gone "$rep_pid"
	[ "$(logcat b | wc -l)" -lt 50000 ]
}

@test "a copy that was broken off begins where it was to begin" {
	logcreate --segment-bytes 40960 a
	seq 0 59999 | logappend --batch-bytes 1000 a
	broken -o 505
	# What stands in the same batch before that is not to be seen.
	wait_for run_tool 0 logreplicate a b
	begins 505
	rm -r b
	logcompact -q --before 1234 a
	broken
	wait_for run_tool 0 logreplicate a b
	begins 1234
	run ! grep begin. b/replica.properties
}

@test "-o: what cannot be" {
	run_tool 2 logreplicate -o 5:10 a b
	has "$err" 'a copy goes on to the end'
	run_tool 2 logreplicate -o stored a b
	run_tool 2 logreplicate -o x a b
	run_tool 2 logreplicate -S x a b
}
