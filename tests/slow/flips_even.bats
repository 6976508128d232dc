# Each even bit of a log of 64 KiB flipped, and the log cut to each even length:
# logfsck finds it, and readers are told.

load ../helpers

@test 'each even bit of 64 KiB flipped' {
	run env TMPDIR="$BATS_TEST_TMPDIR" CHECK_FLIPS=0 CHECK_ROUNDS=0 \
		"$ROOT/build/tests/unit/check_test"
	printf '# %s\n' "${lines[@]}"
	[ "$status" -eq 0 ]
}
