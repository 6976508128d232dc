# logcat -r and --latest: the last first, and the last of each key.

# Scripts of bash -c are meant as they stand.
# shellcheck disable=SC2016

load ../helpers

# state FILE: of lines "OFFSET KEY [VALUE]" the last of each key, by offset,
# but for those without a value; "-" is a null key.
state() {
	awk '$2 != "-" { line[$2] = $0; full[$2] = NF > 2 }
	    END { for (k in line) if (full[k]) print line[k] }' "$1" | sort -n
}

@test '--latest: tombstones, null keys, empty keys and values' {
	logcreate t
	cat >input <<-'END'
		{"key":"a","value":"1"}
		{"key":"b","value":"1"}
		{"key":"a","value":"2"}
		{"key":null,"value":"no key"}
		{"key":"b","value":null}
		{"key":"","value":"of the empty key"}
		{"key":"c","value":"gone"}
		{"key":"c","value":null}
		{"key":"c","value":"back"}
		{"key":"d","value":""}
	END
	logappend -J t input
	offsets() {
		run_tool 0 logcat -F '%o ' "$@" t
		echo "$out"
	}
	same "$(offsets --latest)" '2 5 8 9 '
	same "$(offsets --latest -r)" '9 8 5 2 '
	same "$(offsets --latest -r -c 1)" '9 '
	same "$(offsets --latest -n 2)" '8 9 '
	same "$(offsets --latest -n 3 -r)" '9 8 5 '
	# What is in range counts, and nothing else.
	same "$(offsets --latest -o :4)" '1 2 '
	same "$(offsets --latest -o :8)" '2 5 '
	same "$(offsets --latest -o 1:2)" '1 '
	# Filters choose among what is the latest: they make nothing come back.
	same "$(offsets --latest --grep 1)" ''
	same "$(offsets --latest --grep 2)" '2 '
	same "$(offsets --latest -k b)" ''
	same "$(offsets --latest -k b --invert)" '2 5 8 9 '
	same "$(offsets --latest --key-regex .)" '2 8 9 '
	run_tool 0 logcat --latest --cursor-file c -c 2 t
	[ "$(lines "$tool_out")" -eq 2 ]
	same "$(offsets --latest --cursor-file c)" '8 9 '
	same "$(offsets --latest --cursor-file c)" ''
	run_tool 4 logcat --latest -k b --fail-empty t
}

@test '--latest: the state as of a time' {
	local i t0=170000000
	for i in 1 2 3 4; do
		echo "{\"key\":\"a\",\"value\":\"a$i\",\"timestamp\":$t0${i}000}"
		echo "{\"key\":\"b$i\",\"value\":\"b$i\",\"timestamp\":$t0${i}500}"
	done | logappend -J --create t
	same "$(logcat --latest -U ${t0}2501 t)" $'b1\na2\nb2'
	same "$(logcat --latest -U ${t0}1000 t)" ''
	same "$(logcat --latest -U ${t0}2501 -S ${t0}2000 t)" $'a2\nb2'
	same "$(logcat --latest -r -o :@${t0}3000 t)" $'b2\na2\nb1'
	same "$(logcat -S ${t0}4000 --latest t)" $'a4\nb4'
}

@test '--latest: many passes say the same as one' {
	local key
	# 20,000 keys; 64K hold less than 4,000.
	awk 'BEGIN {
		srand(11)
		for (i = 0; i < 60000; i++)
			printf "k%d:%s\n", rand() * 20000,
			    rand() < .1 ? "-" : "v" i
	}' >input
	logcreate --segment-bytes 200K t
	sed 's/:-$/:/' input |
		jq -Rc 'split(":") | {key: .[0], value: (.[1] |
		    if . == "" then null else . end)}' |
		logappend -J --batch-bytes 8000 t
	logcat -F '%o %k %s\n' t | sed 's/ $//' >all
	state all >want
	[ "$(lines want)" -gt 15000 ]
	for options in '' '--memory 64K' '--memory 200K'; do
		# shellcheck disable=SC2086 # two words
		logcat --latest $options -F '%o %k %s\n' t | cmp - want
		# shellcheck disable=SC2086
		logcat --latest $options -r -F '%o %k %s\n' t |
			cmp - <(tac want)
	done
	logcat --latest --memory 64K -n 5000 -F '%o %k %s\n' t |
		cmp - <(tail -n 5000 want)
	# The log was read again and again, in that memory.
	is_san || {
		bytes() {
			strace -f -e trace=pread64 -o calls "$@" >/dev/null
			awk '{ n += $NF } END { print n + 0 }' calls
		}
		[ "$(bytes logcat --latest --memory 64K t)" -gt \
		    $((3 * $(bytes logcat --latest t))) ]
	}
	# In several partitions, one by one and together.
	logcreate -P 3 p
	logcat -J t | logappend -J p
	logcat --latest p >one
	logcat --latest --memory 64K p | cmp - one
	logcat --latest -m p >merged
	logcat --latest -m --memory 200K p | cmp - merged
	logcat --latest -m -r --memory 64K p | cmp - <(tac merged)
	cmp <(sort one) <(sort merged)
	[ "$(lines one)" -eq "$(lines want)" ]
}

@test '--latest: one batch of more keys than fit' {
	awk 'BEGIN { for (i = 0; i < 12000; i++) print i % 9000 ":v" i }' >input
	logappend -K : --create --batch-bytes 900K t input
	[ "$(logcat -B t | wc -c)" -lt 400000 ]
	logcat --latest t >want
	[ "$(lines want)" -eq 9000 ]
	logcat --latest --memory 64K t | cmp - want
	logcat --latest --memory 64K -r t | cmp - <(tac want)
}

@test '--latest: a key in two partitions has one in each' {
	logcreate -P 2 t
	printf 'k:a\n' | logappend -K : -p 0 t
	printf 'k:b\nk:c\n' | logappend -K : -p 1 t
	same "$(logcat --latest t)" $'a\nc'
	same "$(logcat --latest -r t)" $'c\na'
	# Of two topics each has its own.
	cp -r t u
	same "$(logcat --latest t u)" $'a\nc\na\nc'
}

@test '-r: the exact reverse, whatever is chosen' {
	logcreate -P 2 --segment-bytes 100K t
	# Times go to and fro; batches of all sizes.
	awk 'BEGIN {
		srand(5)
		long = "x"
		while (length(long) < 9000)
			long = long long
		for (i = 0; i < 20000; i++) {
			printf "{\"key\":\"%d\",\"timestamp\":%.0f,\"value\":\"",
			    rand() * 50, 1700000000000 + i + rand() * 300
			print (rand() < .001 ? long : "v") i "\"}"
		}
	}' >input
	logappend -J --batch-bytes 3000 -z lz4 t input
	for options in '' -m '-p 1' '-n 777' '-n 50 --per-partition' \
	    '-o 100:9000' '-o -5000 -m' '-k 7' '-k 7 --invert -m' \
	    '--grep 77 -m' '-S 1700000005000 -U 1700000006000 -m'; do
		# shellcheck disable=SC2086 # several words
		logcat $options t >want
		[ -s want ]
		# shellcheck disable=SC2086
		logcat $options -r t | cmp - <(tac want)
		# shellcheck disable=SC2086
		same "$(logcat $options -r -c 1 t)" "$(tail -n 1 want)"
	done
	same "$(logtail -r t)" "$(logtail t | tac)"
	logcat -r -c 0 t | cmp - /dev/null
	# Without indexes, and as a copy without state.
	logcat t | tac >want
	cp -a t bare
	rm bare/*/*.index bare/*/*.sum
	logcat -r bare | cmp - want
	rm bare/*/partition.state
	logcat -r bare | cmp - want
	logcat -r "$(find bare/0 -name '*.log' | sort | tail -n 1)" |
		cmp - <(logcat -r bare/0 | head -n "$(logcat \
		    "$(find bare/0 -name '*.log' | sort | tail -n 1)" | wc -l)")
}

@test '-r: indexes that lie cost time, not records' {
	logcreate --segment-bytes 2M t
	seq 400000 | logappend --batch-bytes 2000 t
	logcat t | tac >want
	[ "$(find t -name '*.log' | wc -l)" -gt 1 ]
	for what in zero short foreign; do
		rm -rf u
		cp -a t u
		for index in u/0/*.index; do
			case $what in
			zero) truncate -s 0 "$index"
				truncate -s 8000 "$index" ;;
			short) truncate -s 80 "$index" ;;
			foreign) cp "$(find t/0 -name '*.index' | sort |
				head -n 1)" "$index" ;;
			esac
		done
		logcat -r u | cmp - want
	done
}

@test '-r: of the end no more is read than it takes' {
	need strace
	logcreate --segment-bytes 1M t
	awk 'BEGIN { for (i = 0; i < 300000; i++) print i ":value of it" }' |
		logappend -K : --batch-bytes 4000 t
	[ "$(find t -name '*.log' | wc -l)" -gt 5 ]
	# LeakSanitizer cannot run under strace.
	ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=openat,pread64 \
	    -o calls logcat -r -c 10 t >got
	cmp got <(logcat t | tail -n 10 | tac)
	[ "$(awk '/pread64/ { n += $NF } END { print n + 0 }' calls)" \
	    -lt 300000 ]
	[ "$(grep -c '"0000' calls)" -le 6 ]
	# One partition after the other: the last comes first.
	logcreate -P 3 p
	logcat t | logappend --batch-bytes 4000 p
	strace -f -e trace=pread64 -o calls \
	    env ASAN_OPTIONS=detect_leaks=0 logcat -r -c 10 p >got
	[ "$(awk '/pread64/ { n += $NF } END { print n + 0 }' calls)" \
	    -lt 300000 ]
}

@test '-r: a batch larger than any block, and many small ones' {
	logcreate -X max.message.bytes=20M t
	head -c 6000000 /dev/zero | tr '\0' x >large
	seq 1000 | logappend t
	logappend --max-record 20M t large
	seq 1000 2000 | logappend --batch-bytes 100 t
	logappend --max-record 20M t large
	logcat t | tac >want
	logcat -r t | cmp - want
}

@test '-r and --latest: what Kafka wrote, with transactions' {
	local dir n=0
	for dir in "$ROOT"/tests/golden/*/*-0; do
		logcat -F '%o %k{hex} %v{hex}\n' "$dir" >all 2>err || continue
		n=$((n + 1))
		logcat -r -F '%o %k{hex} %v{hex}\n' "$dir" |
			cmp - <(tac all) || { echo "$dir"; return 1; }
		logcat -r --uncommitted --control -F '%o\n' "$dir" |
			cmp - <(logcat --uncommitted --control -F '%o\n' \
			    "$dir" | tac)
		logcat -J "$dir" | jq -s -c 'map(.k = (.key_base64 // .key)) |
		    map(select(.k != null)) | group_by(.k) |
		    map(max_by(.offset)) |
		    map(select(.value != null or has("value_base64")).offset) |
		    sort[]' >want
		logcat --latest -F '%o\n' "$dir" | cmp - want
		logcat --latest -r -F '%o\n' "$dir" | cmp - <(tac want)
	done
	[ "$n" -ge 13 ]
}

@test 'damage: told once, from where it is met' {
	seq 0 99 | awk '{ print "k" $1 % 30 ":" $1 }' >input
	logappend -K : --batch-bytes 200 --create t input
	log=t/0/00000000000000000000.log
	# Into the records of a batch in the middle.
	at=$(($(stat -c %s $log) / 2))
	printf '\377\377\377\377\377\377\377\377\377\377' |
		dd of=$log bs=1 seek="$at" conv=notrunc status=none
	run_tool 3 logcat -F '%o\n' t
	cp "$tool_out" before
	run_tool 3 logcat -F '%o\n' --skip-corrupt t
	cp "$tool_out" rest
	skipped=$(grep -o 'skipped.*' <<<"$err")
	run_tool 3 logcat -r -F '%o\n' t
	same "$(lines "$tool_err")" 1
	has "$err" "damaged at byte"
	cmp "$tool_out" <(tac rest | head -n \
	    "$(($(lines rest) - $(lines before)))")
	run_tool 3 logcat -r -F '%o\n' --skip-corrupt t
	same "$(grep -o 'skipped.*' <<<"$err")" "$skipped"
	cmp "$tool_out" <(tac rest)
	# What is the latest cannot be known where some is not to be read.
	run_tool 3 logcat --latest t
	[ -z "$out" ]
	same "$(lines "$tool_err")" 1
	run_tool 3 logcat --latest --skip-corrupt -F '%o\n' t
	same "$(grep -o 'skipped.*' <<<"$err")" "$skipped"
	same "$(lines "$tool_err")" 2
	awk -F '[k:]' 'NR == FNR { there[$1]; next }
	    FNR - 1 in there { last[$2] = FNR - 1 }
	    END { for (k in last) print last[k] }' rest input | sort -n >want
	cmp "$tool_out" want
	run_tool 3 logcat --latest --skip-corrupt -r -F '%o\n' t
	same "$(lines "$tool_err")" 2
	cmp "$tool_out" <(tac want)
	# These are all behind it.
	run_tool 0 logcat --latest -n 5 -F '%o\n' t
	cmp "$tool_out" <(tail -n 5 want)
	run_tool 3 logcat --latest --skip-corrupt -n 31 -F '%o\n' t
	cmp "$tool_out" <(tail -n 31 want)
	run_tool 3 logcat --skip-corrupt -r -m -F '%o\n' t t
	[ "$(lines "$tool_out")" -eq $((2 * $(lines rest))) ]
}

@test 'what does not go together' {
	logcreate t
	run_tool 2 logcat -r -f t
	run_tool 2 logtail -r -f t
	run_tool 2 logcat -r -g g t
	run_tool 2 logcat -r -B t
	run_tool 2 logcat -r --cursor-file c t
	[ ! -e c ]
	run_tool 2 logcat --latest -f t
	run_tool 2 logcat --latest -g g t
	run_tool 2 logcat --latest -B t
	run_tool 2 logcat --latest --control t
	run_tool 2 logcat --memory 1M t
	run_tool 2 logcat --latest --memory 63K t
	run_tool 2 logcat --latest --memory x t
	run_tool 0 logcat --latest -r t
	[ -z "$out$err" ]
}
