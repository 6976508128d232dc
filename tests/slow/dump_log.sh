#!/bin/sh
# dump_log.sh [-g] DIR ...: have Kafka's own DumpLogSegments read partitions.
#
# Every .log, .index, .timeindex, .txnindex and .snapshot of each partition
# directory is read: records by deep iteration, index entries against the
# log, indexes by Kafka's sanity check. One TAP line per file. Exit 1 if the
# tool has anything to complain of.
#   -g  gaps between offsets are legal (the partitions were compacted)
# Needs mvn once, for the jars, and java.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
class=kafka.tools.DumpLogSegments

usage()
{
	echo "usage: dump_log.sh [-g] dir ..." >&2
	exit 2
}

# run OPTION FILE ...: one run of the tool; prints what it complained of.
run()
{
	option=$1
	shift
	list=$(IFS=,; echo "$*")
	rc=0
	java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$jars/*" "$class" \
	    "$option" --files "$list" </dev/null >"$tmp/out" 2>"$tmp/err" ||
	    rc=$?
	[ "$rc" -eq 0 ] || echo "exit status $rc"
	grep -aE -e '^(baseOffset|offset): .* isvalid: false' \
	    -e ' isValid: false crc: [0-9]+}$' -e 'invalid bytes at' \
	    "$tmp/out" || :
	grep -av '^Picked up ' "$tmp/err" | drop_gaps
	for f; do
		grep -aqxF "Dumping $f" "$tmp/out" || echo "$f: not read"
	done
}

drop_gaps()
{
	if [ "$gaps" = yes ]; then
		grep -avE '^Non-consecutive |^  [0-9]+ is followed by' || :
	else
		cat
	fi
}

# The two runs over indexes say nothing but these lines if all is well.
verify_index()
{
	run --verify-index-only "$@"
	grep -avE '^Dumping |^.* is empty\.$' "$tmp/out" || :
	run --index-sanity-check "$@"
	for f; do
		grep -aqF "$f passed sanity check." "$tmp/out" ||
		    grep -aqF "$f is empty." "$tmp/out" ||
		    echo "$f: no word of its sanity"
	done
}

# complaints FILE ...: all runs that these files call for.
complaints()
{
	indexes=
	others=
	for f; do
		case $f in
		*.index|*.timeindex)
			indexes="$indexes $f" ;;
		*)
			others="$others $f" ;;
		esac
	done
	# Kafka's names are digits and dots: they may be split at blanks.
	# shellcheck disable=SC2086
	[ -z "$others" ] || run --deep-iteration $others
	# shellcheck disable=SC2086
	[ -z "$indexes" ] || verify_index $indexes
}

# All files in few runs; only if there is trouble, file by file.
partition()
{
	dir=$1
	set --
	for f in *.log *.index *.timeindex *.txnindex *.snapshot; do
		[ ! -f "$f" ] || set -- "$@" "$f"
	done
	if [ ! -f "${1-}" ] || [ "${1%.log}" = "$1" ]; then
		report "$dir" "no segment in it"
		return
	fi
	all=$(complaints "$@")
	before=$failed
	for f; do
		if [ -z "$all" ]; then
			report "$dir/$f" ""
		else
			report "$dir/$f" "$(complaints "$f")"
		fi
	done
	[ -z "$all" ] || [ "$failed" -gt "$before" ] || report "$dir" "$all"
}

report()
{
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
	else
		failed=$((failed + 1))
		echo "not ok $count - $1"
		echo "$2" | sed 's/^/# /'
	fi
}

gaps=no
while getopts g opt; do
	case $opt in
	g)	gaps=yes ;;
	*)	usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage

jars=$("$here/../golden/make/jars")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

count=0
failed=0
top=$(pwd)
for dir; do
	cd "$dir"
	partition "$dir"
	cd "$top"
done
echo "1..$count"
[ "$failed" -eq 0 ]
