# kafka:// places without a real broker: what is refused, and the main things
# against the cluster that librdkafka has for tests.  What only a real one can
# show is in tests/clients/places.bats.

load ../helpers

# Nobody listens there.
nobody=kafka://127.0.0.1:1/t

# mock TOPIC:PARTITIONS...: such a cluster, at $brokers, until the test ends.
mock() {
	need cc
	cc -o mock "$ROOT/tests/clients/mock.c" -lrdkafka ||
		skip 'librdkafka-dev is not installed'
	start mock ./mock "$@"
	wait_for has_lines mock.out 1
	brokers=$(cat mock.out)
}

@test 'directories do not load the client' {
	need strace
	# LeakSanitizer cannot run under strace.
	export ASAN_OPTIONS=detect_leaks=0
	logcreate t
	for command in 'logappend t' 'logcat t' 'logstat t'; do
		# shellcheck disable=SC2086 # a list of words
		strace -f -o trace -e trace=openat $command <<<x
		run ! grep rdkafka trace
	done
	strace -f -o trace -e trace=openat logcat kafka://h/ 2>err || true
	run ! grep rdkafka trace
	strace -f -o trace -e trace=openat logcat --timeout 1ms \
	    kafka://127.0.0.1:1/t 2>err || true
	grep -q rdkafka trace
}

@test 'without the library, or with an old one' {
	need cc
	mkdir none old
	: >none/librdkafka.so.1
	run_tool 1 env LD_LIBRARY_PATH="$PWD/none" logcat kafka://h/t
	has "$err" 'logcat: kafka://'
	has "$err" 'librdkafka.so.1 is needed'
	same "$(lines "$tool_err")" 1
	echo 'int rd_kafka_version(void) { return 0; }' >old.c
	cc -shared -o old/librdkafka.so.1 old.c
	run_tool 1 env LD_LIBRARY_PATH="$PWD/old" logcat kafka://h/t
	has "$err" '2.0 or later is needed'
}

@test 'what is no place is a usage error' {
	for place in kafka:// kafka:///t kafka://h kafka://h/ kafka://h:0/t \
	    kafka://h:x/t kafka://h:99999/t kafka://h,/t kafka://,h/t \
	    'kafka://h h/t' kafka://h/t/x kafka://h/t/-1 kafka://h/t/1/2 \
	    'kafka://h/t%' kafka://[::1/t kafka+tls:// kafka://h/..; do
		run_tool 2 logcat "$place"
		has "$err" "logcat: $place: "
		run_tool 2 logappend "$place"
	done
	run_tool 1 logcat kafka:/h/t
	has "$err" 'not a local place'
	run_tool 2 logcat -b h kafka://g/t
	run_tool 2 logcat -b 'h h' t
	run_tool 2 logcat --timeout 0 kafka://h/t
	run_tool 2 logcat --timeout soon kafka://h/t
}

@test 'what a cluster cannot do is refused by its name' {
	check() {
		local name=$1
		shift
		run_tool 2 "$@"
		has "$err" "$name"
	}
	check --control logcat --control kafka://h/t
	check --latest logcat --latest kafka://h/t
	check -r logcat -r kafka://h/t
	check --exec logtail -g g --exec : kafka://h/t
	check --expect-offset logappend --expect-offset 3 kafka://h/t
	check --fsync logappend --fsync none kafka://h/t
	check --report logappend -a 0 --report kafka://h/t
	check -a logappend -a 1 t
	check -a logappend -a 2 kafka://h/t
	check --first-offset logcreate --first-offset 3 kafka://h/t
	check --replicas logcreate --replicas 3 t
	check --segments logstat --segments kafka://h/t
	check --drop-key logcompact --drop-key k kafka://h/t
	check --policy logcompact --policy both --before 3 kafka://h/t
	check --include-active logcompact --include-active --before 3 kafka://h/t
	check --before logcompact kafka://h/t
	check promote logadmin topic promote kafka://h/t
	check -g logcat -g g kafka://h/t t
	check -g logcat -g g kafka://h/t kafka://i/t
	check -g logcat -g g kafka://h/t/1
}

@test 'secrets do not belong on a command line' {
	for name in sasl.password ssl.key.password ssl.keystore.password; do
		run_tool 2 logcat -X $name=hush kafka://h/t
		has "$err" "-X $name: no secrets"
		run ! grep hush "$tool_err"
	done
	for name in group.id bootstrap.servers enable.auto.commit isolation.level; do
		run_tool 2 logcat -X $name=x kafka://h/t
		has "$err" "-X $name: "
	done
	run_tool 2 logcat -X nosuch=x kafka://h/t
	has "$err" 'No such configuration property: "nosuch"'
	run_tool 2 logcat -X socket.timeout.ms=x kafka://h/t
	run_tool 2 logcat -X nothing kafka://h/t
}

@test 'properties from a file' {
	export HOME=$PWD
	at=$nobody
	printf '# mine\n\nclient.id=me\ngroup.id=g\n' >bad
	run_tool 1 logcat --config bad "$at"
	same "$err" 'logcat: bad:4: -g names the group'
	run_tool 1 logcat --config missing "$at"
	same "$err" 'logcat: missing: No such file or directory'
	echo nosuch=1 >unknown
	run_tool 2 logcat --config unknown "$at"
	LOGKIT_CONFIG=unknown run_tool 2 logcat "$at"
	run_tool 2 logcat --config /dev/fd/3 "$at" 3<unknown
	mkdir -p .config/logkit
	cp unknown .config/logkit/config
	run_tool 2 logcat "$at"
	# What is named wins over what lies there, and a secret may be in it.
	echo sasl.password=hush >good
	run_tool 1 logcat --timeout 200ms --config good "$at"
	has "$err" 'no answer within 200 ms'
}

@test 'a broker that is not there' {
	local commands=(logcat 'logtail -f' 'logcat -g g' 'logcreate' logstat
	    'logcompact --before 3' 'logadmin topic rm' 'logadmin topic ls'
	    logappend) i pid
	# All at once: it takes a while until they know that they are refused.
	for i in "${!commands[@]}"; do
		# shellcheck disable=SC2086 # a list of words
		set -- ${commands[i]}
		start "c$i" "$1" --timeout 3s "${@:2}" "$nobody"
	done
	start check logstat --check --timeout 3s "$nobody"
	# No label is that long, so that nobody has to be asked.
	start named logcat --timeout 3s \
	    "kafka://$(printf '%064d' 0 | tr 0 x)/t"
	for i in "${!commands[@]}"; do
		pid=c${i}_pid
		wait_exit 1 "${!pid}"
		has "$(<"c$i.err")" "${commands[i]%% *}: $nobody: no answer within 3000 ms: "
		has "$(<"c$i.err")" 'Connection refused'
		same "$(lines "c$i.err")" 1
	done
	wait_exit 3 "$check_pid"
	has "$(<check.out)" 'no answer within 3000 ms'
	wait_exit 1 "$named_pid"
	has "$(<named.err)" 'resolve'
}

@test 'records there and back' {
	mock t:3 empty:2
	# It tells no settings, which are waited for: hence --timeout.
	at=kafka://$brokers/t
	printf '%s\n' '{"key":"a","value":null}' '{"key":null,"value":""}' \
	    '{"key":"","value":"x","headers":[{"key":"h","value":null}]}' \
	    '{"key_base64":"AP8=","value_base64":"gIGC/w=="}' >in
	logcreate -P 3 t
	logappend -J --timestamp 2020-01-01 -p 1 t in
	run_tool 0 logappend --timeout 2s -J --timestamp 2020-01-01 -p 1 --report \
	    "$at" in
	same "$out" "$(printf 't\t1\t%d\n' 0 1 2 3)"
	run_tool 0 logcat -J "$at"
	logcat -J t | diff - "$tool_out"
	for codec in none zstd; do
		seq 1000 | logappend --timeout 2s -z "$codec" -p 2 "$at"
	done
	run_tool 0 logcat -p 2 "$at"
	for _ in 1 2; do seq 1000; done | diff -q - "$tool_out"
	run_tool 0 logcat -n 2 "$at/2"
	same "$out" "$(printf '999\n1000')"
	run_tool 0 logtail -b "$brokers" -p 2 -o -1 t
	same "$out" 1000
	run_tool 0 logcat "kafka://$brokers/empty"
	same "$out" ''
	run_tool 1 logcat "kafka://$brokers/nosuch"
	same "$err" "logcat: kafka://$brokers/nosuch: no such topic"
	run_tool 1 logappend "kafka://$brokers/nosuch"
	has "$err" 'no such topic (logcreate'
}

@test 'followed, and shared by a group' {
	mock t:4
	at=kafka://$brokers/t
	start follower logtail -o start -f -c 3 "$at"
	start member logtail -f -g g -c 3 "$at"
	for i in 1 2 3; do
		echo "$i" | logappend --timeout 2s -p $((i % 4)) "$at"
	done
	wait_exit 0 "$follower_pid"
	same "$(sort follower.out)" "$(seq 3)"
	wait_exit 0 "$member_pid"
	same "$(sort member.out)" "$(seq 3)"
	run_tool 0 logcat -g g "$at"
	same "$out" ''
	echo 4 | logappend --timeout 2s "$at"
	run_tool 0 logcat -g g "$at"
	same "$out" 4
}
