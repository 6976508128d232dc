# What the benchmarks share: medians, and rows of a table with goals.
# shellcheck shell=bash

missed=()

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# calc EXPRESSION [FORMAT]
calc() {
	awk "BEGIN { printf \"${2:-%.2f}\", $1 }"
}

# row WHAT OURS REFERENCE RATIO GOAL [CONDITION]: CONDITION says in awk's
# words whether the goal is reached.
row() {
	printf '| %s | %s | %s | %s | %s |\n' "${@:1:5}"
	[ $# -lt 6 ] || awk "BEGIN { exit !($6) }" ||
		missed+=("$1: ${4:-$2}, the goal is $5")
}

# The machine, and what else it does.
machine() {
	echo "Linux $(uname -r), $(nproc) processors" \
	    "($(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo))," \
	    "$(stat -f -c %T .), load $(cut -d' ' -f1 /proc/loadavg)."
	[ "$(stat -f -c %T .)" != tmpfs ] || echo 'This is no disk: set BENCH_DIR.'
	[ -z "${BENCH_SMALL:-}" ] ||
		echo 'A small run: starting up weighs more.'
}

# What was not reached.
verdict() {
	local m
	echo
	echo "Load at the end $(cut -d' ' -f1 /proc/loadavg);" \
	    "alone, a run makes 1 to 2."
	[ ${#missed[@]} -gt 0 ] || echo 'All goals reached.'
	for m in "${missed[@]}"; do
		echo "missed: $m"
	done
}
