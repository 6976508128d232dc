# logappend: what goes in, what is refused, what is promised.

load ../helpers

holds() {
	logcat "$1" | grep -q "$2"
}

values() {
	logcat -F '%k=%v\n' --null-string NULL "$1"
}

@test 'lines: empty ones, a last one without newline, delimiters' {
	printf 'a\n\nb' | logappend --create t
	[ "$(logcat -F '<%v>' t)" = '<a><><b>' ]
	printf 'x\0y\nz\0' | logappend -0 --create u
	[ "$(logcat -F '<%v>' u)" = $'<x><y\nz>' ]
	printf 'a--b--' | logappend -D -- --create v ||
		printf 'a::b::' | logappend -D :: --create v
	[ "$(logcat v | wc -l)" -eq 2 ]
}

@test 'keys, nulls, tombstones, headers' {
	printf 'k:v\n:empty\nN:x\nk:N\n' |
		logappend -K : --null-string N --create t
	[ "$(values t)" = $'k=v\n=empty\nNULL=x\nk=NULL' ]
	printf 'k\nl\n' | logappend --delete t
	[ "$(values t | tail -n 2)" = $'k=NULL\nl=NULL' ]
	echo x | logappend -k key -H a=1 -H a -H b= t
	[ "$(logcat -F %h --null-string null -o -1 t)" = 'a=1,a=null,b=' ]
}

@test 'a line without a separator is bad, with its number' {
	printf 'a:1\nb:2\nbad\nc:3\n' >in
	run_tool 1 logappend -K : --create t in
	[ "$err" = 'logappend: in:3: no key separator' ]
	[ "$(values t)" = $'a=1\nb=2' ]
	run_tool 1 logappend -K : --on-bad skip t - <in
	[ "$err" = 'logappend: stdin:3: no key separator' ]
	[ "$(values t | tail -n 3)" = $'a=1\nb=2\nc=3' ]
}

@test 'malformed NDJSON is told by line, and nothing behind it is stored' {
	printf '{"value":"1"}\n{"value":}\n{"value":"3"}\n' >in
	run_tool 1 logappend -J --create t in
	[[ $err == 'logappend: in:2: '* ]]
	[ "$(logcat t)" = 1 ]
	for bad in '{"key":"k"}' '{"value":1,"value":2}' '[1]' '{"value":"\ud800"}' \
	    '{"value":1' '{"value":1} x' "{\"value\":\"$(printf '\377')\"}"; do
		run_tool 1 logappend -J t <<<"$bad"
		[ "$(wc -l <<<"$err")" -eq 1 ]
	done
	[ "$(logcat t)" = 1 ]
}

@test 'key and time from JSON fields' {
	echo '{"user":{"id":"u\u0031"},"at":"2026-01-02T03:04:05Z","n":7}' |
		logappend --key-field .user.id --time-field .at --create t
	[ "$(logcat -F '%k %d' t)" = 'u1 2026-01-02T03:04:05.000Z' ]
	echo '{"n":7}' | logappend --key-field .n t
	[ "$(logcat -F %k -o -1 t)" = 7 ]
	run_tool 1 logappend --key-field .x t <<<'{"n":7}'
	[[ $err == *'stdin:1: '*'no such field'* ]]
	run_tool 2 logappend --key-field x t
	# The record's own, then the field, then --timestamp, from which it counts.
	printf '{"timestamp":%s,"value":{"at":%s}}\n' 7 5 null 1769860800123 \
	    null '"2026-01-31 12:00Z"' null '"-2h"' >in
	logappend -J --time-field .at --timestamp 100000 --create u in
	same "$(logcat -F '%T ' u)" '7 1769860800123 1769860800000 92800000 '
	for bad in null 1.5 true '""' '"then"'; do
		run_tool 1 logappend --time-field .at u <<<"{\"at\":$bad}"
		has "$err" 'stdin:1: --time-field: not a time'
	done
	for option in -K: --key-field=.a --delete -B; do
		run_tool 2 logappend -k x "$option" u
	done
}

@test 'partitions: by key as Kafka does, or as told' {
	logcreate -P 12 t
	for k in a ab abc kafka foobar; do
		echo "$k" | logappend -k "$k" t
	done
	[ "$(logcat -F '%v%p ' t)" = 'ab2 abc3 a4 kafka4 foobar6 ' ]
	logcreate -P 12 c
	echo x | logappend -k kafka --partitioner crc32 c
	[ "$(logcat -F %p c)" = 11 ]
	echo y | logappend -p 7 c
	echo z | logappend c/8
	[ "$(logcat -p 7,8 -F '%v%p ' c)" = 'y7 z8 ' ]
	run_tool 1 logappend -p 12 c </dev/null
	# Said twice is fine, said otherwise is not.
	run_tool 2 logappend -p 7 c/8 <<<x
	has "$err" 'logappend: -p 7 does not go with c/8 '
	run_tool 0 logappend -p 8 c/8 <<<w
	run_tool 2 logappend -J --keep-partition -p 1 c <<<'{"value":"x"}'
	run_tool 2 logappend -J --keep-partition c/1 <<<'{"value":"x"}'
	[ "$(logcat -p 7,8 -F '%v%p ' c)" = 'y7 z8 w8 ' ]
	# A partition that is not there is the record's fault.
	printf '{"value":"a","partition":%s}\n' 12 3 >in
	run_tool 1 logappend -J --keep-partition c in
	same "$err" 'logappend: in:1: no partition 12 (the topic has 12)'
	run_tool 1 logappend -J --keep-partition --on-bad skip c in
	[ "$(logcat -k x --invert -p 3 -F '%v%p' c)" = a3 ]
	# What is not used is not looked at.
	run_tool 0 logappend -J -p 9 c <<<'{"value":"b","partition":"none"}'
	[ "$(logcat -p 9 c)" = b ]
	run_tool 1 logappend -J --keep-partition c <<<'{"value":"b","partition":""}'
	has "$err" 'stdin:1: partition is no number'
}

@test '--report and -T speak when it is durable' {
	logcreate -P 2 t
	run_tool 0 logappend --report -p 1 t <<<$'a\nb'
	[ "$out" = $'t\t1\t0\nt\t1\t1' ]
	run_tool 0 logappend -T t <<<$'a\nb'
	[ "$out" = $'a\nb' ]
}

@test '--expect-offset: whole and there, or not at all' {
	run_tool 0 logappend --create --expect-offset 0 t <<<$'a\nb'
	run_tool 4 logappend --expect-offset 1 t <<<c
	run_tool 0 logappend --expect-offset 2 t <<<c
	seq 400000 >many
	run_tool 2 logappend --expect-offset 3 t many
	[ "$(logcat t | wc -l)" -eq 3 ]
	logcreate -P 2 p
	for n in 0 1; do
		run_tool 2 logappend --expect-offset "$n" p <<<x
		has "$err" 'needs -p N'
	done
	[ -z "$(logcat p)" ]
	run_tool 0 logappend --expect-offset 0 p/1 <<<x
	run_tool 4 logappend --expect-offset 0 -p 1 p <<<x
	# Nothing to append: the condition has to hold all the same.
	run_tool 4 logappend --expect-offset 2 -p 1 p
	same "$err" 'logappend: p: the partition does not end at offset 2'
	run_tool 4 logappend -J --expect-offset 0 p/1 <<<''
	run_tool 0 logappend --expect-offset 1 -p 1 p
	run_tool 0 logappend --expect-offset 0 -p 0 p
	seq 100001 >many
	run_tool 2 logappend --report -z zstd --expect-offset 1 -p 1 p many
	[ -z "$out" ]
	same "$(logcat p)" x
}

@test 'each codec; a topic may ask for one' {
	seq 20000 >in
	for codec in none gzip:9 snappy lz4 lz4:9 zstd zstd:12; do
		rm -rf t
		logappend -z "$codec" --create t in
		logcat t | cmp - in
	done
	logcreate --compression zstd z
	logappend z in
	[ "$(stat -c %s z/0/*.log)" -lt 60000 ]
	run_tool 2 logappend -z rar z
	run_tool 2 logappend -z zstd:99 z
}

@test 'a record over the limit is bad, the others are stored' {
	logcreate -X max.message.bytes=1000 t
	{ echo a; head -c 5000 /dev/zero | tr '\0' x; echo; echo b; } >in
	run_tool 1 logappend t in
	same "$err" 'logappend: in:2: record is over the limit (max.message.bytes is 1000)'
	[ "$(logcat t)" = a ]
	run_tool 1 logappend --on-bad skip t in
	[ "$(logcat t)" = $'a\na\nb' ]
	run_tool 1 logappend --max-record 2 t <<<abc
	same "$err" 'logappend: stdin:1: record of 3 bytes (--max-record 2)'
	# Neither separator nor what it takes to store it count.
	run_tool 1 logappend --on-bad skip --max-record 2 -K : t <<<$'d:ef\ng:h'
	has "$err" 'stdin:1: record of 3 bytes'
	run_tool 0 logappend --max-record 2 t <<<ij
	[ "$(logcat -n 2 t)" = $'h\nij' ]
	run_tool 2 logappend -B --max-record 2 t <in
}

@test 'topics that are not there, or are no topics' {
	run_tool 1 logappend t </dev/null
	[ "$err" = 'logappend: t: no such topic (logcreate t, or --create)' ]
	mkdir dir
	run_tool 1 logappend dir </dev/null
	echo x >file
	run_tool 1 logappend file </dev/null
	[ "$(cat file)" = x ]
	run_tool 2 logappend
	run_tool 2 logappend --no-such t
	run_tool 2 logappend -K : -J t
	run_tool 2 logappend -J -Z t
	run_tool 2 logappend -B -z zstd t
	run_tool 2 logappend -0 -J t
	run_tool 2 logappend --fsync never t
	run_tool 1 logappend --create t nofile
	[[ $err == *nofile* ]]
}

@test 'a slow pipe shows what it has at once' {
	logcreate t
	mkfifo pipe
	logappend t <pipe &
	exec 9>pipe
	echo one >&9
	wait_for holds t 'one'
	printf 'half' >&9
	echo ' two' >&9
	wait_for holds t 'half two'
	exec 9>&-
	wait
	[ "$(logcat t)" = $'one\nhalf two' ]
}

@test 'TERM: whole lines are kept, an unfinished one is counted' {
	logcreate t
	mkfifo pipe
	logappend t <pipe 2>err &
	pid=$!
	exec 9>pipe
	# At once, which the shell's own printf does not do.
	printf 'one\ntwo\nunfini' >text
	cat text >&9
	wait_for holds t 'two'
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	exec 9>&-
	[ "$status" -eq 143 ]
	grep -q '6 bytes of an unfinished record' err
	[ "$(logcat t)" = $'one\ntwo' ]
}

# interrupted CODE [OPTION]...: INT comes between one and two.  What a shell
# begins in the background ignores it if nobody says otherwise.
interrupted() {
	local want=$1
	shift
	rm -rf t pipe
	logcreate t
	mkfifo pipe
	env --default-signal=INT logappend "$@" t <pipe 9>&- &
	pid=$!
	exec 9>pipe
	echo one >&9
	wait_for holds t 'one'
	kill -INT "$pid"
	[ "$want" -eq 0 ] || wait_for process_gone "$pid"
	(echo two >&9) 2>/dev/null || true
	exec 9>&-
	wait_exit "$want" "$pid"
}

@test '-i ignores INT' {
	interrupted 130
	same "$(logcat t)" one
	interrupted 0 -i
	same "$(logcat t)" $'one\ntwo'
}

@test 'a full disk: an error, nothing lost, appends resume' {
	[ "$(id -u)" -eq 0 ] || skip 'needs root to mount'
	mkdir small
	mount -t tmpfs -o size=2M tmpfs small || skip 'cannot mount'
	logcreate small/t
	seq 1000 | logappend small/t
	head -c 1600000 /dev/zero >small/ballast
	status=0
	seq 1000000 2000000 | logappend small/t 2>err || status=$?
	rm small/ballast
	logcat small/t >got
	seq 5 | logappend small/t
	logcat small/t | tail -n 5 >last
	head -n 1000 got >first
	umount small
	[ "$status" -eq 1 ]
	grep -q 'No space left' err
	[ "$(wc -l <err)" -eq 1 ]
	seq 1000 | cmp - first
	seq 5 | cmp - last
}

@test 'a torn tail is moved aside, with a warning' {
	seq 5 | logappend --create t
	printf torn >>t/0/00000000000000000000.log
	run_tool 0 logappend t <<<6
	[[ $err == *'lost+found'* ]]
	seq 6 | cmp - <(logcat t)
	[ "$(cat t/0/lost+found/*)" = torn ]
}

@test 'damage below what was synced stops a writer' {
	seq 50000 | logappend --create t
	truncate -s 100 t/0/00000000000000000000.log
	run_tool 3 logappend t <<<x
	[[ $err == *'00000000000000000000.log'*'shorter than its synced'* ]]
	[ "$(stat -c %s t/0/00000000000000000000.log)" -eq 100 ]
}

@test 'a closed stdout is an error' {
	for option in --report -T; do
		run_tool 1 bash -c "echo a | logappend --create $option t >&-"
		same "$err" 'logappend: stdout: Bad file descriptor'
		run_tool 1 bash -c "echo a | logappend $option t >/dev/full"
		same "$err" 'logappend: stdout: No space left on device'
	done
	same "$(logcat t)" $'a\na\na\na'
}

@test 'a limit on file sizes is an error like a full disk' {
	logcreate t
	seq 100000 >input
	(
		ulimit -f 100
		run_tool 1 logappend t input
		[[ $err == 'logappend: t: '*'too large' ]]
	)
	logcat t >stored
	head -n "$(lines stored)" input | cmp - stored
	run_tool 0 logappend t <<<more
	same "$(logcat t | tail -n 1)" more
}

@test 'who closes a segment removes what the topic keeps no longer' {
	seq 10000 >input
	logcreate --segment-bytes 4K --retention-bytes 20K t
	run_tool 0 logappend --batch-bytes 500 t input
	[ -z "$err" ]
	size=$(cat t/0/*.log | wc -c)
	[ "$size" -ge 20480 ] && [ "$size" -lt $((20480 + 2 * 4096)) ]
	logcat t | cmp - <(tail -n "$(logcat t | wc -l)" input)
	logcreate --segment-bytes 4K --retention 1h u
	logappend --timestamp -2h --batch-bytes 500 u input
	first=$(logcat -c 1 -F %o u)
	[ "$first" -gt 9000 ]
	# One that is compacted keeps all.
	logcreate --compact --segment-bytes 4K --retention-bytes 20K v
	logappend --batch-bytes 500 v input
	logcat v | cmp - input
	run_tool 0 logappend --batch-bytes 500 t input
	[ "$(cat t/0/*.log | wc -c)" -lt $((20480 + 2 * 4096)) ]
}

@test '--whole: each file is a record' {
	logcreate t
	printf 'a\nb\n' >one
	head -c 100000 /dev/urandom >two
	: >empty
	printf 'c' >three
	run_tool 0 logappend --whole -k key -H name=x t one two empty - <three
	same "$(logcat -F '%S ' t)" '4 100000 0 1 '
	logcat -o 1 -c 1 -F '%s' t | cmp - two
	logcat -o 0 -c 1 -F '%s' t | cmp - one
	same "$(logcat -o 2 -c 1 -J t | grep -o '"key":"key","value":"","headers":.*')" \
		'"key":"key","value":"","headers":[{"key":"name","value":"x"}]}'
	run_tool 1 logappend --whole --max-record 50K t one two three
	same "$err" 'logappend: two:1: record of 100000 bytes (--max-record 51200)'
	same "$(logcat t | wc -c)" "$(($(logcat -c 4 t | wc -c) + 5))"
	run_tool 1 logappend --whole --on-bad skip --max-record 50K t two three
	same "$(logcat -n 1 t)" c
	run_tool 1 logappend --whole t nope one
	run_tool 2 logappend --whole -J t one
	run_tool 2 logappend --whole -0 t one
	run_tool 0 logappend --whole --null-string '' t empty
	logcat -n 1 -J t | grep -q '"value":null'
}

@test 'a partition named twice, or in two ways' {
	logcreate -P 2 n
	run_tool 2 logappend --expect-offset 0 n <<<x
	run_tool 2 logappend -p 1 n/0 <<<x
	run_tool 2 logappend -J -p 1 --keep-partition n </dev/null
	run_tool 2 logappend -J --keep-partition n/0 </dev/null
	logappend -p 0 n/0/ <<<x
	[ "$(logcat n/0)" = x ]
	ln -s n/1 one
	(cd n/1 && logappend . <<<here)
	logappend one <<<link
	[ "$(logcat n/1)" = $'here\nlink' ]
	run_tool 2 logappend -p 0 one <<<x
	mkdir dir
	run_tool 1 logappend dir <<<x
	has "$err" 'dir: not a topic'
	run_tool 2 logcat -p 1 n/0
	[ "$(logcat -p 0 n/0)" = x ]
}

@test '-B: --on-bad skip passes over a bad batch' {
	for i in 1 2 3; do
		logappend --create t <<<"$i"
	done
	logcat -B t >in
	size=$(($(wc -c <in) / 3))
	printf x | dd of=in bs=1 seek=$((2 * size - 1)) conv=notrunc 2>/dev/null
	run_tool 1 logappend --create -B u in
	same "$err" 'logappend: in:2: crc does not match'
	[ "$(logcat u)" = 1 ]
	# Of what has no length nobody knows the end: the next file goes on.
	head -c 100 /dev/zero >>in
	run_tool 1 logappend -B --on-bad skip u in - < <(logcat -B -c 1 t)
	same "$err" $'logappend: in:2: crc does not match\nlogappend: in:4: not a record batch'
	[ "$(logcat u)" = $'1\n1\n3\n1' ]
}

@test '-B: a largest timestamp that is not that of the records is put right' {
	batch ''
	cp batch.bin good.bin
	# shellcheck disable=SC2016 # perl's
	batch 'substr($_, 35, 8) = pack("q>", 4102444800000)'
	run ! cmp -s good.bin batch.bin
	logappend --create -B t batch.bin
	logcat -B t >stored.bin
	cmp good.bin stored.bin
	# A record that is said to be longer than the batch is.
	# shellcheck disable=SC2016 # perl's
	batch 'substr($_, 61, 1) = "\x7e"'
	run_tool 1 logappend -B t batch.bin
	same "$err" 'logappend: batch.bin:1: records do not add up'
	[ "$(logcat t)" = 'some text' ]
}

@test '--fsync DUR syncs while the input is idle, too' {
	logcreate i
	mkfifo idle
	exec {fd}<>idle
	feed() { exec logappend --fsync 300ms --report i <idle; }
	start fed feed {fd}>&-
	for n in 1 2 3; do
		echo "$n" >&"$fd"
		wait_for has_lines fed.out "$n"
	done
	exec {fd}>&-
	wait_exit 0 "$fed_pid"
}
