# The EXAMPLES of the manual pages: every command ends with status 0 and
# prints what the page says below it, which is nothing if nothing is there.
#
# In a page they stand in literal displays; a line that begins with "$ " is a
# command, "> " goes on with it, all else is its output.  The examples of one
# page are run in order, in one directory.

load ../helpers

# The lines of displays in the EXAMPLES of a page.
displays() {
	mandoc -T ascii "$1" | sed 's/.\x08//g' |
		sed -n '/^EXAMPLES$/,/^[A-Z]/ s/^           //p'
}

# run_command COMMAND WANT: run it, and compare its output.
run_command() {
	local got=0
	timeout -k 5 "$TOOL_TIMEOUT" bash -o pipefail -c "$1" \
	    >"$BATS_TEST_TMPDIR/.out" 2>"$BATS_TEST_TMPDIR/.err" || got=$?
	if [ "$got" -eq 0 ] &&
	    printf %s "$2" | cmp -s - "$BATS_TEST_TMPDIR/.out"; then
		return 0
	fi
	printf '$ %s\nexit status %d\n--- wanted\n%s--- got\n' "$1" "$got" "$2"
	cat "$BATS_TEST_TMPDIR/.out" "$BATS_TEST_TMPDIR/.err"
	return 1
}

# run_page PAGE: all of its examples.
run_page() {
	local line command='' want='' count=0
	need mandoc
	mkdir page
	cd page || return 1
	displays "$ROOT/man/$1" >../displays
	echo '$ ' >>../displays
	while IFS= read -r line; do
		case $line in
		'$ '*)
			if [ -n "$command" ]; then
				run_command "$command" "$want" || return 1
				count=$((count + 1))
			fi
			command=${line#'$ '}
			want=
			;;
		'> '*)
			command+=$'\n'${line#'> '}
			;;
		*)
			want+=$line$'\n'
			;;
		esac
	done <../displays
	echo "$1: $count examples"
	[ "$count" -gt 0 ]
}

@test "examples of logadmin(1)" {
	run_page logadmin.1
}

@test "examples of logfsck(1)" {
	run_page logfsck.1
}

@test "examples of logcompact(1)" {
	run_page logcompact.1
}

@test "examples of logreplicate(1)" {
	run_page logreplicate.1
}

@test "examples of logcreate(1)" {
	run_page logcreate.1
}

@test "examples of logappend(1)" {
	run_page logappend.1
}

@test "examples of logcat(1)" {
	run_page logcat.1
}

@test "examples of logtail(1)" {
	run_page logtail.1
}

@test "examples of logstat(1)" {
	run_page logstat.1
}

@test "examples of logkit(1)" {
	run_page logkit.1
}

@test "examples of logkit(7)" {
	need jq kcat
	run_page logkit.7
}

@test "examples of logserve(8)" {
	need kcat
	run_page logserve.8
}

@test "every page with examples is tested here" {
	local page
	for page in "$ROOT"/man/*.[1-8]; do
		grep -q '^\.Sh EXAMPLES' "$page" || continue
		grep -q "^	run_page ${page##*/}\$" \
		    "$ROOT/tests/cli/examples.bats" || {
			echo "${page##*/} is not"
			return 1
		}
	done
}

# The SYNOPSIS is the usage line of the program's help.
@test "SYNOPSIS and --help agree" {
	local page program
	need mandoc
	for page in "$ROOT"/man/*.[18]; do
		program=${page##*/}
		program=${program%.[18]}
		same "$(mandoc -T ascii -O width=200 "$page" |
			sed 's/.\x08//g' | sed -n '/^SYNOPSIS$/,/^$/ s/^     //p' |
			sed -z "s/\n$program / | /g")" \
		    "$("$program" --help | sed -n '1s/^usage: //p')"
	done
}

# The list of programs in logkit(7) has the programs that are built, and the
# phrase of each page.
@test "logkit(7) lists every program with its phrase" {
	local page
	need mandoc
	mandoc -T ascii "$ROOT/man/logkit.7" | sed 's/.\x08//g' |
		sed -nE '/^PROGRAMS$/,/^[A-Z]/ s/^     (log[a-z]+)\([18]\) +/\1 - /p' |
		sort >listed
	for page in "$ROOT"/man/*.[18]; do
		mandoc -T ascii "$page" | sed 's/.\x08//g' |
			sed -n '/^NAME$/,/^$/ s/^     //p'
	done | sort >pages
	same "$(cat listed)" "$(cat pages)"
	same "$(cut -d ' ' -f 1 listed)" \
	    "$(cd "$LOGKIT_BIN" && printf '%s\n' log* | sort)"
}

# What logcreate(1) says of settings is what the table in the source has.
@test "logcreate(1) lists every setting with its default" {
	local name value want
	need mandoc
	mandoc -T ascii "$ROOT/man/logcreate.1" | sed 's/.\x08//g' |
		sed -nE '/^SETTINGS$/,/^[A-Z]/ s/^     ([a-z0-9.]+) \((.*)\)$/\1 \2/p' \
		    >settings
	same "$(cut -d ' ' -f 1 settings)" "$(setting_names)"
	logcreate plain
	while read -r name value; do
		[ "$value" != 'for ever' ] || value=9223372036854775807
		# Given explicitly, the default makes no difference.
		want=$(logcreate --if-not-exists -X "$name=$value" plain 2>&1) || {
			echo "$name: $value is not the default: $want"
			return 1
		}
	done <settings
}

setting_names() {
	sed -nE 's/^    \[PROPERTIES_[A-Z0-9_]+\] = \{"([a-z0-9.]+)".*/\1/p' \
	    "$ROOT/lib/store/properties.c"
}
