#!/bin/sh
# dump_log_test.sh: dump_log.sh passes what Kafka wrote and finds damage.
#
# Reads the golden partitions with Kafka's own tool, then copies of them with
# one flipped bit in a file of each kind. Prints TAP.
set -eu

for program in java mvn; do
	if ! command -v "$program" >/dev/null; then
		echo "1..0 # SKIP $program is not installed"
		exit 0
	fi
done
here=$(cd "$(dirname "$0")" && pwd)
golden=$here/../golden
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
count=0
failed=0

# expect STATUS NAME ARG ...: dump_log.sh ARG ... exits with STATUS.
expect()
{
	want=$1
	name=$2
	shift 2
	rc=0
	"$here/dump_log.sh" "$@" >"$tmp/out" 2>&1 || rc=$?
	count=$((count + 1))
	if [ "$rc" -eq "$want" ]; then
		echo "ok $count - $name"
	else
		failed=$((failed + 1))
		echo "not ok $count - $name (exit $rc, not $want)"
		grep -v '^ok ' "$tmp/out" | sed 's/^/# /'
	fi
}

# flip FILE POS: turn over the lowest bit of the byte at POS.
flip()
{
	old=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\$(printf %03o $((old ^ 1)))" |
	    dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# damaged CASE FILE POS: such a flip is found, and the file is named.
damaged()
{
	rm -rf "$tmp/copy"
	cp -R "$golden/$1/$1-0" "$tmp/copy"
	flip "$tmp/copy/$2" "$3"
	expect 1 "$1: a flipped bit in $2 at $3" "$tmp/copy"
	count=$((count + 1))
	if grep -q "^not ok .*/$2\$" "$tmp/out"; then
		echo "ok $count - $2 is named"
	else
		failed=$((failed + 1))
		echo "not ok $count - $2 is named"
	fi
}

z=00000000000000000
set --
for dir in "$golden"/*/*-0; do
	case $dir in
	*/compacted*|*/damaged/*)
		;;
	*)
		set -- "$@" "$dir" ;;
	esac
done
expect 0 "golden partitions pass" "$@"
expect 0 "compacted ones pass with -g" -g "$golden/compacted/compacted-0" \
    "$golden/compacted-txn/compacted-txn-0"
expect 1 "compacted ones fail without -g" "$golden/compacted/compacted-0"
expect 1 "a directory without a segment fails" "$tmp"

damaged codec-none ${z}000.log 200
damaged codec-gzip ${z}000.log 200
damaged codec-zstd ${z}000.log 11
damaged segments ${z}110.log 5000
damaged segments ${z}110.index 7
damaged segments ${z}110.timeindex 7
damaged txn ${z}025.snapshot 20

echo "1..$count"
[ "$failed" -eq 0 ]
