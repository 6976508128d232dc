# logcat: by offset, by time, by key; order; damage.

# Scripts of bash -c, and formats made of bytes, are meant as they stand.
# shellcheck disable=SC2016,SC2059

load ../helpers

# 100 records, one second apart, keys k0 to k9, in batches of a few.
make() {
	local i
	# By way of a file: where a pipe pauses, a batch would end.
	for ((i = 0; i < 100; i++)); do
		printf '{"timestamp":%d,"key":"k%d","value":"v%d"}\n' \
		    $((1700000000000 + i * 1000)) $((i % 10)) "$i"
	done >made
	logappend -J --batch-bytes 200 --create "$1" <made
}

# ranges RANGE...: of t they are what they say.
ranges() {
	local range from to i
	for range; do
		from=${range%%:*}
		to=${range#*:}
		[ "$from" != start ] || from=0
		[ -n "$from" ] || from=0
		[ "$from" -ge 0 ] || from=$((100 + from))
		[ -n "$to" ] && [ "$to" != end ] || to=100
		[ "$to" -ge 0 ] || to=$((100 + to))
		[ "$to" -le 100 ] || to=100
		logcat -o "$range" t >got
		for ((i = from; i < to; i++)); do echo "v$i"; done >want
		cmp got want || { echo "$range"; return 1; }
	done
}

@test 'ranges of offsets' {
	make t
	ranges 5:8 95: :3 -2: 0:1 97:200 -3:-1 start:2 98:end 50:50
	[ "$(logcat -o 98 t)" = $'v98\nv99' ]
	run_tool 2 logcat -o 5:x t
	run_tool 2 logcat -o stored t
}

@test 'times: -S -U are exact, -o @T is a position' {
	make t
	[ "$(logcat -S 1700000095000 t)" = $'v95\nv96\nv97\nv98\nv99' ]
	[ "$(logcat -S 1700000095001 -U 1700000097001 t)" = $'v96\nv97' ]
	[ "$(logcat -o @1700000097500 t)" = $'v98\nv99' ]
	[ "$(logcat -o @1700000010000:@1700000012000 t)" = $'v10\nv11' ]
	[ "$(logcat --utc -S 2023-11-14T22:14:58 t)" = $'v98\nv99' ]
	[ -z "$(logcat -S now t)" ]
	run_tool 2 logcat -S tomorrow-ish t
	# Timestamps that do not ascend.
	printf '{"timestamp":5,"value":"old"}\n' | logappend -J t
	[ "$(logcat -U 10 t)" = old ]
}

@test 'without -U there is no end of time' {
	printf '{"key":"k","value":"last","timestamp":%s}\n' \
	    9223372036854775806 9223372036854775807 | logappend -J --create t
	for what in '' '-k k' '--grep last' '--key-regex k' '-S 2026-01-01' \
	    '-r -k k'; do
		# shellcheck disable=SC2086 # several words
		run_tool 0 logcat $what t
		same "$out" $'last\nlast'
	done
	run_tool 0 logcat --latest -F '%T\n' t
	same "$out" 9223372036854775807
	run_tool 0 logcat -k k -U 2026-01-01 t
	same "$out" ''
}

@test '-c, -n, --fail-empty' {
	make t
	[ "$(logcat -c 2 t)" = $'v0\nv1' ]
	[ -z "$(logcat -c 0 t)" ]
	[ "$(logcat -n 2 t)" = $'v98\nv99' ]
	[ "$(logcat -n 2 -k k3 t)" = $'v83\nv93' ]
	[ "$(logcat -n 1000 t | wc -l)" -eq 100 ]
	run_tool 4 logcat --fail-empty -k none t
	run_tool 0 logcat --fail-empty -k k1 t
}

@test 'keys and patterns' {
	make t
	[ "$(logcat -k k7 t | wc -l)" -eq 10 ]
	[ "$(logcat --grep '^v[0-4]$' t | tr '\n' ' ')" = 'v0 v1 v2 v3 v4 ' ]
	[ "$(logcat -k k7 --grep 7$ -c 1 t)" = v7 ]
	printf '{"key":"k7","value":null}\n' | logappend -J t
	[ "$(logcat -k k7 -F '%V ' t | tail -c 4)" = ' -1 ' ]
	[ -z "$(logcat --grep . -o 100 t)" ]
	run_tool 2 logcat --grep '(' t
	logcreate -P 5 p
	logcat -J t | logappend -J p
	[ "$(logcat -k k3 --key-partition p | wc -l)" -eq 10 ]
	[ "$(logcat -k k3 p | wc -l)" -eq 10 ]
}

@test 'order of partitions, and -m by time' {
	logcreate -P 3 t
	for i in 5 1 9; do
		echo "p0-$i" | logappend -p 0 --timestamp "170000000${i}000" t
		echo "p2-$i" | logappend -p 2 --timestamp "170000000${i}500" t
	done
	[ "$(logcat t | tr '\n' ' ')" = 'p0-5 p0-1 p0-9 p2-5 p2-1 p2-9 ' ]
	[ "$(logcat -m t | tr '\n' ' ')" = 'p0-5 p0-1 p2-5 p2-1 p0-9 p2-9 ' ]
	[ "$(logcat -n 3 t | tr '\n' ' ')" = 'p2-1 p0-9 p2-9 ' ]
	[ "$(logcat -n 1 --per-partition t | tr '\n' ' ')" = 'p0-9 p2-9 ' ]
	[ "$(logcat -p 2 t | wc -l)" -eq 3 ]
	[ "$(logcat -p 1-2 t | wc -l)" -eq 3 ]
	[ "$(logcat t/0 | wc -l)" -eq 3 ]
	[ "$(logcat -p 0-1 t/0 | wc -l)" -eq 3 ]
	run_tool 2 logcat -p 1 t t/0
	has "$err" '-p 1 does not go with t/0, which is partition 0'
	run_tool 1 logcat -p 3 t
	run_tool 2 logcat -p x t
	run_tool 2 logcat -B t
}

@test 'forms of output' {
	printf '{"timestamp":1700000000123,"key":"k","value":null,"headers":[{"key":"h","value":"v"}]}\n' |
		logappend -J --create t
	[ "$(logcat -J t)" = '{"topic":"t","partition":0,"offset":0,"timestamp":1700000000123,"key":"k","value":null,"headers":[{"key":"h","value":"v"}]}' ]
	[ "$(logcat -K = -Z t)" = k=NULL ]
	[ "$(logcat --null-string - t)" = - ]
	[ "$(logcat -F '%t/%p@%o %T %d %k %V %h' t)" = \
	    't/0@0 1700000000123 2023-11-14T22:13:20.123Z k -1 h=v' ]
	run_tool 2 logcat -J -K = t
	run_tool 2 logcat -F %q t
	run_tool 2 logcat -B -k k t
	printf '\377\n{"a": [1]}\n[1,\n' | logappend t
	[ "$(logcat -J -o 1 t | jq -r '.value_base64 // .value | tostring')" = \
	    $'/w==\n{"a":[1]}\n[1,' ]
	[[ $(logcat -J --value string -o 2:3 t) == *'"value":"{\"a\": [1]}"'* ]]
	[ "$(logcat -o 1:2 -F '%v{hex} %v{base64}' t)" = 'ff /w==' ]
}

@test 'a cursor file: where it stopped it goes on' {
	make t
	run_tool 0 logcat --cursor-file c -c 40 t
	[ "$(wc -l <<<"$out")" -eq 40 ]
	[ "$(cut -d ' ' -f 1-3 c)" = 't 0 40' ]
	[ "$(logcat --cursor-file c -c 1 t)" = v40 ]
	logcat --cursor-file c t >/dev/null
	run_tool 0 logcat --cursor-file c t
	[ -z "$out" ]
	[ "$(cut -d ' ' -f 1-3 c)" = 't 0 100' ]
	[ "$(logcat --cursor-file c -o 98: t)" = $'v98\nv99' ]
	echo junk >c
	run_tool 1 logcat --cursor-file c t
}

@test '-B copies batches, cuts those at the ends' {
	make t
	logcat -B t >all
	cmp all t/0/00000000000000000000.log
	logcat -B -o 7:93 t | logappend -B --create u
	logcat -o 7:93 t | cmp - <(logcat u)
	logcat -B -c 5 t | logappend -B --create five
	[ "$(logcat five | wc -l)" -eq 5 ]
	head -c 100 all >piece
	run_tool 1 logappend -B five piece
	[[ $err == *'ends inside a batch'* ]]
	echo garbage >piece
	run_tool 1 logappend -B five piece
}

@test 'damage is told with its place, and passed over on request' {
	make t
	log=t/0/00000000000000000000.log
	# Ten batches of ten: in the sixth, bytes that its CRC covers.
	[ "$(stat -c %s $log)" -eq 1900 ]
	printf '%040d' 7 | dd of=$log bs=1 seek=1050 conv=notrunc status=none
	run_tool 3 logcat t
	[[ $err == "logcat: $log: damaged at byte "*', from offset '* ]]
	[ "$(wc -l <<<"$err")" -eq 1 ]
	cp "$tool_out" before
	head -n "$(wc -l <before)" <(for i in {0..99}; do echo "v$i"; done) |
		cmp - before
	run_tool 3 logcat --skip-corrupt t
	[[ $err == *'skipped offsets'* ]]
	[ "$(tail -n 1 <<<"$out")" = v99 ]
	[ "$(wc -l <<<"$out")" -gt 80 ]
}

@test 'every byte below the end flipped: told, or the same output' {
	make t
	log=t/0/00000000000000000000.log
	logcat -J t >want
	step=1
	! is_san || step=3
	# The shell would start seven processes for each byte.
	perl -e '
	    my ($log, $step) = @ARGV;
	    local $/;
	    open(my $want, "<", "want") or die;
	    $want = <$want>;
	    open(STDERR, ">", "err") or die;
	    open(my $f, "+<", $log) or die;
	    binmode $f;
	    my $bytes = <$f>;
	    sub put {
		sysseek($f, $_[0], 0);
		syswrite($f, $_[1]) == 1 or die;
	    }
	    for (my $at = 0; $at < length($bytes) && $at < 260; $at += $step) {
		my $byte = substr($bytes, $at, 1);
		put($at, $byte ^ "\x40");
		my $got = `logcat -J t`;
		my $status = $?;
		put($at, $byte);
		next if $status == 3 << 8 || $got eq $want;
		print "byte $at: status $status\n";
		exit 1;
	    }' "$log" "$step"
	logcat -J t | cmp - want
}

@test 'what is not there, or not to be read' {
	run_tool 2 logcat
	run_tool 1 logcat nope
	[ "$err" = 'logcat: nope: no such topic' ]
	mkdir dir
	run_tool 1 logcat dir
	run_tool 2 logcat --no-such t
	run_tool 1 logcat host:topic
	make t
	run_tool 1 bash -c 'logcat t >/dev/full'
	run_tool 1 bash -c 'logcat t >&-'
	[ "$(id -u)" -eq 0 ] || {
		chmod 0 t
		run_tool 1 logcat t
		chmod 700 t
	}
}

@test 'head closes the pipe: quietly' {
	seq 1000000 | logappend --create t
	run_tool 0 bash -c 'logcat t 2>err | head -n 1 >/dev/null
	    [ "${PIPESTATUS[0]}" -eq 141 ] && [ ! -s err ]'
	run_tool 0 bash -c 'trap "" PIPE; logcat t 2>err | head -n 1 >/dev/null
	    [ "${PIPESTATUS[0]}" -eq 1 ] && [ ! -s err ]'
}

@test 'in 300 segments one record takes a handful of files' {
	logcreate --segment-bytes 1K t
	seq 12000 | logappend --batch-bytes 100 t
	[ "$(find t -name '*.log' | wc -l)" -gt 300 ]
	[ "$(logcat -o 5000 -c 1 t)" = 5001 ]
	# LeakSanitizer cannot run under strace.
	ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=openat -o calls \
	    logcat -o 5000 -c 1 t
	[ "$(grep -c '"0000' calls)" -le 4 ]
	cp -a t u
	[ "$(logcat u | wc -l)" -eq 12000 ]
}

@test 'a damaged state hides nothing, and does not mislead a writer' {
	local at
	for at in 0 20 70 500 2048 2068 2118 2548; do
		rm -rf t
		logcreate --segment-bytes 2K t
		for n in 1 2 3; do
			seq 100 | logappend --batch-bytes 200 t
		done
		printf '\377\376' | dd of=t/0/partition.state bs=1 seek="$at" \
		    conv=notrunc status=none
		[ "$(logcat t | wc -l)" -eq 300 ]
		echo more | logappend -q t
		[ "$(logcat t | wc -l)" -eq 301 ]
		[ "$(logcat -F '%o\n' t | sort -nu | wc -l)" -eq 301 ]
	done
}

# stamped TOPIC TIME...: an event of each time, in a segment of its own
stamped() {
	local topic=$1
	shift
	printf '{"timestamp":%d,"value":"at such a time"}\n' "$@" |
	    logappend -J -q --batch-bytes 1 "$topic"
}

@test 'times are found after a state was lost, or came with a copy' {
	local how
	for how in lost 'lost, and a sum' 'lost, and what tells of times' old; do
		rm -rf s t
		logcreate --segment-bytes 80 s
		stamped s 60000 50000
		cp s/0/partition.state old
		stamped s 100000 50001 50002 50003
		[ "$(find s -name '*.log' | wc -l)" -eq 6 ]
		cp -a s t
		case $how in
		old) cp old t/0/partition.state ;;
		*) rm t/0/partition.state ;;
		esac
		case $how in
		*sum) rm t/0/*4.sum ;;
		*times) rm t/0/*2.sum t/0/*2.timeindex ;;
		esac
		stamped t {60000..60011}
		[ "$(logcat -o @80 -c 1 -F '%o' t)" = 2 ]
		[ "$(logcat -S 80 -F '%o' t)" = 2 ]
		[ "$(logcat -S 1970-01-01T00:01:00.010Z -U 99 -F '%o\n' t)" = \
		    $'16\n17' ]
		case $how in
		lost | old) logfsck -q t ;;
		esac
	done
}

@test 'keys and headers that match, and what does not' {
	logcreate t
	cat >input <<-'END'
		{"key":"alice","value":"one","headers":[{"key":"h","value":"1"},{"key":"h","value":"2"}]}
		{"key":"bob","value":"two","headers":[{"key":"h","value":null}]}
		{"key":null,"value":"three"}
		{"key":"alan","value":null,"headers":[{"key":"hh","value":"1"}]}
		{"key":"","value":"five","headers":[{"key":"h","value":""}]}
	END
	logappend -J t input
	offsets() {
		run_tool 0 logcat -F '%o ' "$@" t
		echo "$out"
	}
	same "$(offsets --key-regex '^al')" '0 3 '
	same "$(offsets --key-regex '')" '0 1 3 4 '
	same "$(offsets --match-header h)" '0 1 4 '
	same "$(offsets --match-header h=2)" '0 '
	same "$(offsets --match-header h=)" '4 '
	same "$(offsets --match-header none)" ''
	same "$(offsets --key-regex '^al' --grep one)" '0 '
	same "$(offsets --key-regex '^al' --invert)" '1 2 4 '
	same "$(offsets --key-regex '^al' --grep one --invert)" '1 2 3 4 '
	same "$(offsets -k bob --invert)" '0 2 3 4 '
	same "$(offsets --match-header h --invert -o 3:)" '3 '
	same "$(offsets -n 2 --key-regex .)" '1 3 '
	run_tool 2 logcat --invert t
	run_tool 2 logcat --key-regex '(' t
	run_tool 2 logcat -B --match-header h t
	run_tool 2 logcat --invert -k a --key-partition t
}

@test 'a cursor file knows topics of one name apart' {
	mkdir p1 p2
	seq 5 | logappend --create p1/t
	seq 11 13 | logappend --create p2/t
	[ "$(logcat --cursor-file c -c 4 p1/t | tail -n 1)" = 4 ]
	[ "$(logcat --cursor-file c -c 1 p2/t)" = 11 ]
	[ "$(logcat --cursor-file c p1/t p2/t | paste -sd ' ')" = '5 12 13' ]
	# Made anew it is another one.
	rm -r p1/t
	seq 21 22 | logappend --create p1/t
	[ "$(logcat --cursor-file c p1/t | paste -sd ' ')" = '21 22' ]
	# A line of an older version, and a link.
	echo 't 0 1' >d
	ln -s d e
	[ "$(logcat --cursor-file e p1/t)" = 22 ]
	[ -L e ]
	[ "$(cut -d ' ' -f 1-3 d)" = 't 0 2' ]
	run_tool 1 logcat --cursor-file nowhere/c p1/t
	[ -z "$out" ]
	[[ $err == *nowhere/c* ]]
}

@test 'said twice, or where it means nothing' {
	echo '{"a":1}' | logappend --create -k x t
	for option in -k --grep --key-regex --match-header; do
		run_tool 2 logcat "$option" a "$option" b t
		has "$err" "logcat: $option is given twice"
	done
	for options in '--value string' '-B --value none' --per-partition \
	    '-J -Z' '-B --null-string x' '-K a -K b' '-J -B'; do
		# shellcheck disable=SC2086
		run_tool 2 logcat $options t
		[ -z "$out" ]
	done
	same "$(logcat -J -J t)" "$(logcat -J t)"
	for format in '%T{big32}' '%o{hex}' '%v{big32}' '%V{json}' '%k{x}'; do
		run_tool 2 logcat -F "$format" t
		has "$err" 'a modifier that this field does not take'
	done
	# Elsewhere a brace is a brace.
	same "$(logcat -F '%o{%p}' t)" '0{0}'
}

@test 'a signal ends it though its reader takes nothing' {
	logcreate t
	seq 400000 | logappend t
	mkfifo pipe
	exec 9<>pipe
	for options in '' '-g g' '--cursor-file seen'; do
		# shellcheck disable=SC2086 # several words, or none
		logcat $options t >pipe 3>&- 9>&- &
		pid=$!
		wait_for grep -q 'State:.S' "/proc/$pid/status"
		kill "$pid"
		wait_exit 143 "$pid"
		# Full by now, if it did not sleep before: nothing more goes in.
		dd if=/dev/zero of=pipe bs=512 oflag=nonblock 2>/dev/null ||
			true
	done
	exec 9>&-
	# What nobody has taken is not done.
	run_tool 0 logcat -g g t
	same "$(wc -l <"$tool_out")" 400000
}
