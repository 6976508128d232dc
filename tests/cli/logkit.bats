# logkit NAME runs logNAME.

load ../helpers

@test 'it runs its neighbours' {
	run_tool 0 logkit create t
	run_tool 0 logkit append t <<<x
	run_tool 0 logkit cat t
	[ "$out" = x ]
	run_tool 1 logkit cat nope
	[ "$err" = 'logcat: nope: no such topic' ]
	run_tool 2 logkit
	run_tool 2 logkit nosuchthing
	run_tool 2 logkit ../cat
	for name in '' -q; do
		run_tool 2 logkit "$name" cat t
		[[ $err == 'logkit: '*' (try logkit --help)' ]]
	done
	run_tool 0 logkit --help
	same "$(grep -c -e '^ *-' <<<"$out")" 2
	run_tool 0 logkit --version
	[[ $out == 'logkit '* ]]
}
