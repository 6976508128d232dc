#!/bin/bash
# Faults put into the store on purpose, each of which a lane of tests must
# find: tests/oracle/mutants/NAME.patch, whose first line is "LANE: what it
# does".  Each is built in a copy of the tree, in which the lane runs.  Before
# that each lane runs in a copy without any, and must find nothing: one that
# cannot run there would find them all.
#	MUTANT=NAME	that one alone, and its lane
set -o pipefail
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
	cp -a build/flags build/gen build/lib build/src build/tests \
	    "$dir/tree/build" ||
	exit 1

# needs LANE: the targets of make that it runs.
needs() {
	case $1 in
	power) echo all build/tests/crash/power_test ;;
	calls) echo all build/tests/fault/append_test \
		build/tests/fault/fault_preload.so ;;
	shutdown) echo all build/tests/fault/fault_preload.so ;;
	sides) echo build/tests/unit/{sender,search,replica}_test ;;
	*) echo all ;;
	esac
}

# Tests, until one of them fails.
tests() {
	bats --formatter tap "$@" | while IFS= read -r line; do
		printf '%s\n' "$line"
		case $line in 'not ok '*) exit 1 ;; esac
	done
}

# run LANE: in the tree; status 0 if it finds nothing wrong.
run() {
	export LOGKIT_BIN=$PWD/bin TMPDIR=$dir TAP_FIRST=1
	case $1 in
	power) POWER_STATES=10000 build/tests/crash/power_test ;;
	shutdown) POWER_CUTS=60 tests tests/crash/shutdown.bats ;;
	kills) CRASH_KILLS=5000 tests tests/crash/kills.bats ;;
	damage) tests tests/cli/damage.bats tests/cli/golden.bats ;;
	calls) build/tests/fault/append_test ;;
	sides) build/tests/unit/sender_test && build/tests/unit/search_test &&
		build/tests/unit/replica_test ;;
	copy) tests tests/cli/logreplicate.bats ;;
	links)
		# Bits alone; who waits for what a wrong one said is found, too.
		FLAKY_KINDS=flip LINK_FAULTS=40 LINK_SECONDS=150 \
		    tests -f unencrypted tests/crash/links.bats
		;;
	*) echo "no lane $1" ;;
	esac
}

# The same with little to do: does it run, and find nothing?
run_briefly() {
	export LOGKIT_BIN=$PWD/bin TMPDIR=$dir
	case $1 in
	power) POWER_STATES=500 build/tests/crash/power_test ;;
	kills | shutdown) CRASH_KILLS=500 tests tests/crash/kills.bats ;;
	calls) FAULT_ONLY='fresh sync:1:EIO' build/tests/fault/append_test ;;
	links)
		FLAKY_KINDS=flip LINK_FAULTS=2 \
		    tests -f unencrypted tests/crash/links.bats
		;;
	*) run "$1" ;;
	esac
}

# tell RESULT TEXT: a line of TAP.
tell() {
	count=$((count + 1))
	[[ $1 = ok ]] || failed=1
	echo "$1 $count - $2"
}

# lane_of PATCH
lane_of() {
	sed -n '1s/:.*//p' "$1"
}

# shellcheck disable=SC2206 # names of ours
patches=("$root"/tests/oracle/mutants/${MUTANT:-*}.patch)
lanes=$(for patch in "${patches[@]}"; do lane_of "$patch"; done | sort -u)
cd "$dir/tree" || exit 1
for lane in $lanes; do
	result='not ok'
	# shellcheck disable=SC2046 # words
	if make -j2 $(needs "$lane") >"$dir/log" 2>&1 &&
		(run_briefly "$lane") >"$dir/log" 2>&1; then
		result=ok
	else
		tail -n 20 "$dir/log" >&2
	fi
	tell "$result" "without a fault $lane finds nothing"
done

for patch in "${patches[@]}"; do
	name=${patch##*/}
	name=${name%.patch}
	lane=$(lane_of "$patch")
	rm -rf "$dir/mutant"
	cp -a "$dir/tree" "$dir/mutant" && cd "$dir/mutant" || exit 1
	result='not ok'
	if ! patch -s -p1 <"$patch"; then
		echo "# $name: does not apply" >&2
	elif
		# shellcheck disable=SC2046 # words
		! make -j2 $(needs "$lane") >"$dir/log" 2>&1
	then
		tail -n 20 "$dir/log" >&2
	elif run "$lane" >"$dir/log" 2>&1; then
		if grep -qi '# skip' "$dir/log"; then
			tell ok "$name # SKIP $lane cannot be run here"
			cd "$root" && continue
		fi
		echo "# $name: $lane found nothing" >&2
	elif ! grep -q '^not ok ' "$dir/log"; then
		echo "# $name: $lane could not be run:" >&2
		tail -n 20 "$dir/log" >&2
	else
		result=ok
	fi
	tell "$result" "$name is found by $lane"
	cd "$root" || exit 1
done
echo "1..$count"
exit "$failed"
