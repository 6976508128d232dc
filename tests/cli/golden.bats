# Partitions that Apache Kafka wrote (tests/golden): the same records at the
# same offsets as its own consumers got.

load ../helpers

cases() {
	local dir
	for dir in "$ROOT"/tests/golden/*/; do
		dir=${dir%/}
		[ ! -d "$dir/${dir##*/}-0" ] || echo "${dir##*/}"
	done | grep -v -e '^old-' -e '^make$'
}

setup() {
	helpers_setup
	cp -rL "$ROOT/tests/golden" golden
	chmod -R u+w golden
}

# lossless TOPIC [OPTION]...: what logcat prints, in the form of expected.jsonl.
lossless() {
	logcat -J --value base64 "$@" | jq -c '{offset, timestamp,
	    key_base64: (if has("key_base64") then .key_base64
	        elif .key == null then null else .key | @base64 end),
	    value_base64: (if has("value_base64") then .value_base64
	        else null end),
	    headers: [(.headers // [])[] | {
	        key_base64: (.key_base64 // (.key | @base64)),
	        value_base64: (if has("value_base64") then .value_base64
	            elif .value == null then null
	            else .value | @base64 end)}]}'
}

same_records() {
	lossless "$1" "${@:3}" >got
	jq -c '{offset, timestamp, key_base64, value_base64, headers}' "$2" >want
	cmp got want
}

@test 'values as the console consumer printed them' {
	local c
	for c in $(cases); do
		logcat --null-string null "golden/$c/$c-0" >got
		cmp got "golden/$c/expected.values" || return 1
	done
	[ "$(cases | wc -l)" -ge 13 ]
}

@test 'every key, value, header, timestamp and offset' {
	local c
	for c in $(cases); do
		same_records "golden/$c/$c-0" "golden/$c/expected.jsonl" ||
			return 1
	done
}

@test 'uncommitted: aborted and open transactions, too' {
	same_records golden/txn/txn-0 golden/txn/expected.uncommitted.jsonl \
	    --uncommitted
	[ "$(wc -l <want)" -gt "$(wc -l <golden/txn/expected.jsonl)" ]
}

@test 'the same without indexes, and with foreign ones' {
	local c f
	for c in $(cases); do
		rm -f "golden/$c/$c-0"/*.index
		for f in "golden/$c/$c-0"/*.timeindex; do
			head -c 240 /dev/urandom >"$f"
		done
		same_records "golden/$c/$c-0" "golden/$c/expected.jsonl" ||
			return 1
	done
}

# offsets_of CASE STEP: of every STEPth offset the three from there on.
offsets_of() {
	local c=$1 from want
	jq .offset "golden/$c/expected.jsonl" >offsets
	for ((from = 0; from < 300; from += $2)); do
		want=$(awk -v from="$from" '$1 >= from && n++ < 3' offsets)
		run_tool 0 logcat -q -o "$from:" -c 3 -F '%o\n' \
		    "golden/$c/$c-0" || return 1
		[ "$out" = "$want" ] || {
			echo "$c from $from: $out, not $want"
			return 1
		}
	done
}

@test 'from each offset, in gaps and inside transactions as well' {
	local c step=7
	! is_san || step=31
	for c in txn compacted segments; do
		offsets_of "$c" "$step"
	done
}

# times_of STEP: every STEPth of all times.
times_of() {
	local c time offset i=0
	for c in $(cases); do
		[ -s "golden/$c/expected.times" ] || continue
		while read -r time offset; do
			[[ $time =~ ^[0-9]{13}$ ]] || continue
			[ "$offset" -ge 0 ] || continue
			((++i % $1 == 0)) || continue
			run_tool 0 logcat --uncommitted --control \
			    -o "@$time:" -c 1 -F '%o\n' \
			    "golden/$c/$c-0" || return 1
			[ "$out" = "$offset" ] || {
				echo "$c at $time: $out, not $offset"
				return 1
			}
		done <"golden/$c/expected.times"
	done
	[ "$i" -gt 0 ]
}

@test 'times as the broker answered them' {
	local step=4	# golden_test looks at all of them
	! is_san || step=20
	times_of "$step"
}

@test 'one segment file of several' {
	local f=golden/segments/segments-0
	set -- "$f"/*.log
	[ $# -gt 1 ]
	for f; do
		logcat --null-string null "$f" >>got
	done
	cmp got golden/segments/expected.values
}

@test 'batches pass as they are' {
	logcat -B golden/codec-zstd/codec-zstd-0 >batches
	logappend -B --create copy <batches
	logcat --null-string null copy | cmp - golden/codec-zstd/expected.values
	logcat -B golden/compacted/compacted-0 | logappend -B --create packed
	logcat --null-string null packed | cmp - golden/compacted/expected.values
}

@test 'message sets of version 0 and 1 are told, not read' {
	local c
	for c in old-v0 old-v1 old-mixed; do
		run_tool 3 logcat "golden/$c/$c-0"
		[ "$(wc -l <<<"$err")" -eq 1 ]
		[[ $err == *'message format version 0 or 1'* ]]
	done
	run_tool 3 logcat --skip-corrupt golden/old-mixed/old-mixed-0
	[ -n "$out" ]
}

@test 'a broker that is there is not written to' {
	run_tool 1 logappend golden/segments/segments-0
	[[ $err == *'not a topic'* ]]
}
