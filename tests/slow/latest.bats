# logcat --latest and -r on a large topic: right, and in the memory given.
#	LATEST_RECORDS=10000000	records, of a tenth as many keys

load ../helpers
TOOL_TIMEOUT=600

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	awk -v n="${LATEST_RECORDS:-10000000}" 'BEGIN {
		srand(7)
		for (i = 0; i < n; i++)
			printf "key-%07d:%d of what there is to say of it\n",
			    int(rand() * n / 10), i
	}' >input
	logappend -K : --create t input
	awk -F : '{ last[$1] = NR } END { for (k in last) print last[k] }' \
	    input | sort -n |
		awk 'NR == FNR { want[$1]; next } FNR in want' - input >want
	cc -O2 -o peak "${BATS_TEST_FILENAME%/*}/peak.c"
}

setup() {
	helpers_setup
	dir=$BATS_FILE_TMPDIR
}

# peak_of [OPTION]...: KiB that logcat took at most; its output is compared.
peak_of() {
	"$dir/peak" logcat -K : "$@" "$dir/t" 2>peaks >got
	cmp got "${want:-$dir/want}"
	cat peaks
}

@test '--latest keeps to --memory' {
	local most
	most=$(peak_of --latest)
	echo "in one pass: $most KiB"
	[ "$most" -lt 65536 ]
	# What it takes besides the keys: blocks, a batch, what is printed.
	for memory in 16384 8192; do
		most=$(peak_of --latest --memory ${memory}K)
		echo "of $memory KiB: $most KiB"
		[ "$most" -lt $((memory + 10240)) ]
	done
	tac "$dir/want" >reversed
	most=$(want=reversed peak_of --latest -r --memory 16M)
	echo "of 16384 KiB, the last first: $most KiB"
	[ "$most" -lt $((16384 + 10240)) ]
}

@test '-r takes no more memory than the other way' {
	tac "$dir/input" >reversed
	most=$(want=reversed peak_of -r)
	echo "all: $most KiB"
	[ "$most" -lt 16384 ]
	head -n 10 reversed >few
	most=$(want=few peak_of -r -c 10)
	echo "ten: $most KiB"
	[ "$most" -lt 8192 ]
	rm "$dir"/t/0/*.index
	most=$(want=reversed peak_of -r)
	echo "without indexes: $most KiB"
	[ "$most" -lt 16384 ]
}
