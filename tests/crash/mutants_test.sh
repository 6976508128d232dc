#!/bin/bash
# Faults put into the store on purpose, each of which a lane of tests must
# find: tests/oracle/mutants/NAME.patch, whose first line is "LANE: what it
# does".  Each is built in a copy of the tree, in which the lane runs.
#	MUTANT=NAME	that one alone
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
dir=$(mktemp -d "${TMPDIR:-/tmp}/mutants.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
count=0
failed=0

if ! command -v patch >/dev/null; then
	echo '1..0 # SKIP patch is not installed'
	exit 0
fi

# Objects too: only what differs is compiled anew.
mkdir -p "$dir/tree/build"
cp -a Makefile lib src tests "$dir/tree" &&
	cp -a build/flags build/lib build/src build/tests "$dir/tree/build" ||
	exit 1

# run LANE: in the tree; status 0 if it finds nothing wrong.
run() {
	export LOGKIT_BIN=$PWD/bin
	case $1 in
	power) POWER_STATES=10000 build/tests/crash/power_test ;;
	shutdown) POWER_CUTS=20 bats tests/crash/shutdown.bats ;;
	kills) CRASH_KILLS=1000 bats tests/crash/kills.bats ;;
	damage) bats tests/cli/damage.bats tests/cli/golden.bats ;;
	calls) build/tests/fault/append_test ;;
	sides) build/tests/unit/sender_test && build/tests/unit/search_test &&
		build/tests/unit/replica_test ;;
	copy) bats tests/cli/logreplicate.bats ;;
	links) bats -f unencrypted tests/crash/links.bats ;;
	*) echo "no lane $1" ;;
	esac
}

for patch in "$root"/tests/oracle/mutants/${MUTANT:-*}.patch; do
	name=${patch##*/}
	name=${name%.patch}
	lane=$(sed -n '1s/:.*//p' "$patch")
	count=$((count + 1))
	rm -rf "$dir/mutant"
	cp -a "$dir/tree" "$dir/mutant" && cd "$dir/mutant" || exit 1
	result='not ok'
	if ! patch -s -p1 <"$patch"; then
		echo "# $name: does not apply" >&2
	elif ! make -j2 all units slows >"$dir/log" 2>&1; then
		tail -n 20 "$dir/log" >&2
	elif run "$lane" >"$dir/log" 2>&1; then
		if grep -qi '# skip' "$dir/log"; then
			echo "ok $count - $name # SKIP $lane cannot be run here"
			cd "$root" && continue
		fi
		echo "# $name: $lane found nothing" >&2
	else
		result=ok
	fi
	[ "$result" = ok ] || failed=1
	echo "$result $count - $name is found by $lane"
	cd "$root" || exit 1
done
echo "1..$count"
exit "$failed"
