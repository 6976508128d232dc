# completions/bash: what is offered at the end of a line.

load ../helpers

setup() {
	helpers_setup
	# shellcheck source=completions/bash
	. "$ROOT/completions/bash"
	logcreate orders clicks
	mkdir -p more/deep
	logcreate more/audit
	: >lines.txt
	: >"odd name.txt"
}

# offered LINE: what is offered at its end, sorted, on one line.
offered() {
	COMP_LINE=$1
	COMP_POINT=${#1}
	take_apart "$1"
	_logkit "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" ''
	printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | paste -sd ' '
}

# As readline does: at blanks, and around = and : as words of their own.
take_apart() {
	local rest=$1
	COMP_WORDS=()
	while [[ $rest =~ ^[\ ]*([=:]+|[^\ =:]+)(.*)$ ]]; do
		COMP_WORDS+=("${BASH_REMATCH[1]}")
		rest=${BASH_REMATCH[2]}
	done
	[[ $1 != *' ' ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
}

@test "options of a program, by its help" {
	same "$(offered 'logcreate --ret')" '--retention-bytes= --retention='
	same "$(offered 'logcreate --dry')" '--dry-run'
	same "$(offered 'logkit create --dry')" '--dry-run'
	has " $(offered 'logcreate -')" ' --compact '
}

@test "topics, and ways to them" {
	same "$(offered 'logappend ')" 'clicks more/ orders'
	same "$(offered 'logappend o')" 'orders'
	same "$(offered 'logappend more/')" 'more/audit more/deep/'
	same "$(offered 'logappend orders/')" 'orders/0'
	same "$(offered 'logkit append c')" 'clicks'
	same "$(offered 'logtail -f orders cl')" 'clicks'
}

@test "a Kafka broker's partition" {
	mkdir broker
	cp -r "$ROOT/tests/golden/codec-none/codec-none-0" broker/events-0
	same "$(offered 'logcat broker/')" 'broker/events-0'
}

@test "files behind the topic" {
	same "$(offered 'logappend orders li')" 'lines.txt'
	same "$(offered 'logappend -p 0 orders li')" 'lines.txt'
	same "$(offered 'logappend -k KEY or')" 'orders'
	same "$(offered 'logappend orders od')" 'odd\ name.txt'
}

@test "where a topic may be made, and topics that may grow" {
	same "$(offered 'logcreate mo')" 'more/'
	same "$(offered 'logcreate --grow-to 2 or')" 'orders'
}

@test "settings and their values" {
	same "$(offered 'logcreate -X retention.')" \
	    'retention.bytes= retention.ms='
	same "$(offered 'logcreate -X compression.type=z')" 'zstd'
	same "$(offered 'logcreate --set cleanup.policy=')" \
	    'compact delete delete,compact'
	same "$(offered 'logcreate --set=segment.b')" 'segment.bytes='
}

@test "values of options" {
	same "$(offered 'logappend -z ')" 'gzip lz4 none snappy zstd'
	same "$(offered 'logappend --fsync ')" 'always batch none'
	same "$(offered 'logappend --fsync=al')" 'always'
	same "$(offered 'logappend --partitioner m')" 'murmur2'
	same "$(offered 'logappend --on-bad s')" 'skip'
	same "$(offered 'logcreate --progress n')" 'never'
	same "$(offered 'logcat --value b')" 'base64'
	same "$(offered 'logcreate --compression pr')" 'producer'
	same "$(offered 'logcat --cursor-file li')" 'lines.txt'
	same "$(offered 'logappend --timestamp ')" ''
}

@test "topics and files that options name" {
	same "$(offered 'logcreate --like ')" 'clicks more/ orders'
	same "$(offered 'logappend --dead-letter=o')" 'orders'
	same "$(offered 'logcat --config li')" 'lines.txt'
}

@test "logadmin: an object, its verbs, topics" {
	same "$(offered 'logadmin ')" 'group topic'
	same "$(offered 'logadmin -J t')" 'topic'
	same "$(offered 'logadmin topic ')" 'demote describe ls promote rm set'
	same "$(offered 'logkit admin -o end group ')" 'describe ls rm seek'
	same "$(offered 'logadmin nothing ')" ''
	same "$(offered 'logadmin topic rm ')" 'clicks more/ orders'
	same "$(offered 'logadmin topic rm clicks or')" 'orders'
}

# The verbs in the completion are those of the table in the source.
@test "every verb is offered" {
	local object
	for object in topic group; do
		same "$(offered "logadmin $object ")" \
		    "$(sed -nE "s/^    \{\"$object\", \"([a-z]+)\",.*/\1/p" \
			"$ROOT/src/logadmin/main.c" | LC_ALL=C sort | paste -sd ' ')"
	done
}

@test "a separator that readline takes apart is one argument" {
	same "$(offered 'logappend -K : or')" 'orders'
	same "$(offered 'logappend -K = or')" 'orders'
}

@test "logkit's own line" {
	same "$(offered 'logkit ap')" 'append'
	same "$(offered 'logkit ')" '--help --version admin append cat compact create fsck replicate serve stat tail'
}

# The list in the completion is the table in the source.
@test "every setting is offered" {
	sed -nE 's/^    \[PROPERTIES_[A-Z0-9_]+\] = \{"([a-z0-9.]+)".*/\1=/p' \
	    "$ROOT/lib/store/properties.c" | LC_ALL=C sort >table
	same "$(offered 'logcreate -X ')" "$(paste -sd ' ' table)"
	[ "$(lines table)" -gt 20 ]
}

# Of a list of values, each is accepted: the completion cannot be out of date.
@test "values offered are values taken" {
	local name value
	for name in cleanup.policy compression.type message.timestamp.type \
	    preallocate unclean.leader.election.enable; do
		for value in $(_logkit_setting_values "$name"); do
			logcreate --dry-run -X "$name=$value" new
		done
	done
	for value in $(_logkit_option_values --compression); do
		logcreate --dry-run --compression "$value" new
	done
	logcreate topic
	for value in $(_logkit_option_values --partitioner); do
		echo x | logappend --partitioner "$value" topic
	done
	for value in $(_logkit_option_values -z); do
		echo x | logappend -z "$value" topic
	done
	for value in $(_logkit_option_values --fsync); do
		echo x | logappend --fsync "$value" topic
	done
	for value in $(_logkit_option_values --on-bad); do
		echo x | logappend --on-bad "$value" topic
	done
	for value in $(_logkit_option_values --value); do
		logcat -J -c 1 --value "$value" topic || [ "$value" = json ]
	done
	for value in $(_logkit_option_values --progress); do
		logcat --progress "$value" topic
	done
}

@test "behind --, and after letters in one word" {
	same "$(offered 'logcat -- ')" 'clicks more/ orders'
	same "$(offered 'logappend -Jk x o')" 'orders'
	same "$(offered 'logappend -Jz g')" 'gzip'
	same "$(offered 'logappend -- orders li')" 'lines.txt'
}
