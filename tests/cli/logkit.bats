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
	run_tool 0 logkit --help
	run_tool 0 logkit --version
	[[ $out == 'logkit '* ]]
}
