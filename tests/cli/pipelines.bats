# The examples folder: each pipeline is run.

load ../helpers

@test 'access-log.sh counts what the log says' {
	local i
	for ((i = 0; i < 300; i++)); do
		printf '192.0.2.%d - - [23/Nov/2026:10:00:%02d +0000] ' \
		    $((i % 250)) $((i % 60))
		printf '"GET /page/%d HTTP/1.1" %d 512 "-" "curl"\n' "$i" \
		    $((i % 3 == 0 ? 404 : 200))
	done >access.log
	run_tool 0 "$ROOT/examples/access-log.sh" hits access.log
	[ "$out" = $'200 200\n100 404' ]
	logcat hits | cmp - access.log
	run_tool 0 "$ROOT/examples/access-log.sh" hits access.log
	[ "$out" = $'400 200\n200 404' ]
}

@test 'audit-log.sh grants once, however many ask' {
	local i
	for ((i = 0; i < 8; i++)); do
		"$ROOT/examples/audit-log.sh" audit alice read >"out.$i" &
		"$ROOT/examples/audit-log.sh" audit "user$i" write >>others &
	done
	wait
	[ "$(cat out.? | grep -c granted)" -eq 1 ]
	[ "$(cat out.? | grep -c already)" -eq 7 ]
	[ "$(logcat audit | grep -c '^alice')" -eq 1 ]
	[ "$(logcat audit | wc -l)" -eq 9 ]
}

@test 'package-log.sh takes what is new' {
	cat >dpkg.log <<-'END'
	2026-01-02 03:04:05 startup archives unpack
	2026-01-02 03:04:06 install libc6:amd64 <none> 2.36-9
	2026-01-02 03:04:07 status installed libc6:amd64 2.36-9
	END
	run_tool 0 "$ROOT/examples/package-log.sh" packages dpkg.log
	[ "$out" = '3 lines in packages, 0 were there' ]
	printf "%s\n" "2026-01-03 00:00:00 upgrade tar:amd64 1 \"2\\" >>dpkg.log
	run_tool 0 "$ROOT/examples/package-log.sh" packages dpkg.log
	[ "$out" = '4 lines in packages, 3 were there' ]
	logcat packages | cmp - dpkg.log
	[ "$(logcat -k libc6:amd64 packages | wc -l)" -eq 2 ]
	[ "$(logcat --utc -S 2026-01-03 packages | wc -l)" -eq 1 ]
}

@test 'demo.sh ends well' {
	BIN=$LOGKIT_BIN run_tool 0 "$ROOT/examples/demo.sh"
	[ "${out##*$'\n'}" = 'All done.' ]
	[ "$(grep -c '^identical' <<<"$out")" -ge 4 ]
	grep -q '^same order' <<<"$out"
}
