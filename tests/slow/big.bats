# A large access log goes in and comes out identical, whatever way it takes;
# memory stays small on a topic of ten times that.
#	BIG_LINES=8000000	lines of the log (about 1 GB)

load ../helpers
TOOL_TIMEOUT=600

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	awk -v n="${BIG_LINES:-8000000}" 'BEGIN {
		srand(7)
		for (i = 0; i < n; i++)
			printf "203.0.113.%d - user%d [23/Nov/2026:%02d:%02d:%02d +0000] \"GET /item/%d?q=%x HTTP/1.1\" %d %d \"-\" \"Mozilla/5.0 (X11; Linux)\"\n",
			    i % 251, i % 9973, i / 3600 % 24, i / 60 % 60,
			    i % 60, i * 7919 % 100003, rand() * 4294967295,
			    rand() < 0.9 ? 200 : 404, rand() * 100000
	}' >access.log
	cc -O2 -o peak "${BATS_TEST_FILENAME%/*}/peak.c"
}

setup() {
	helpers_setup
	log=$BATS_FILE_TMPDIR/access.log
	peak=$BATS_FILE_TMPDIR/peak
}

@test 'text, and each codec' {
	for codec in none gzip:1 snappy lz4 zstd:1; do
		logappend -z "$codec" --create t "$log"
		logcat t | cmp - "$log"
		rm -r t
	done
}

@test 'envelopes and batches' {
	logappend --create t "$log"
	logcat -J t | logappend -J --create u
	logcat u | cmp - "$log"
	rm -r u
	logcat -B t | logappend -B --create u
	logcat u | cmp - "$log"
}

@test 'memory under 32 MiB on a topic of ten times that' {
	for i in 1 2 3 4 5 6 7 8 9 10; do
		"$peak" logappend --create t "$log" 2>>peaks
	done
	{
		"$peak" logcat t
		"$peak" logcat -J -c 1000000 t
		"$peak" logtail t
		"$peak" logcat -k nobody t
		"$peak" logcat -n 1000 t
	} 2>>peaks >/dev/null
	cat peaks
	[ "$(wc -l <peaks)" -eq 15 ]
	[ "$(sort -n peaks | tail -n 1)" -lt 32768 ]
}
