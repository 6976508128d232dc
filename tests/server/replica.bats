# Copies that come to logserve by the API of its own, Replicate: who may, and
# what becomes of those who may not.

load server

REPLICA=$ROOT/build/tests/server/replica

setup() {
	helpers_setup
	mkdir root
	(umask 077 && echo '0123456789abcdefghij' >secret)
	serve --replica-secret secret
}

# replica STEP...: what comes of each, in $out.
replica() {
	run_tool 0 "$REPLICA" "$address" secret "$@"
}

# Another server, with other options.
serve_with() {
	stop_serving
	serve "$@"
}

@test 'it is there only for who has given a secret' {
	call ApiVersions 0
	grep -q 'api_key=10000' <<<"$out"
	serve_with
	call ApiVersions 0
	run ! grep -q 'api_key=10000' <<<"$out"
	replica nonce
	same "$out" 'nonce closed'
}

@test 'a secret that is none, or that others know' {
	stop_serving
	run_tool 1 logserve --check-config --replica-secret nothing root
	same "$err" 'logserve: nothing: No such file or directory'
	chmod 640 secret
	run_tool 1 logserve --check-config --replica-secret secret root
	same "$err" 'logserve: secret: others than its owner may use it (chmod 600)'
	chmod 600 secret
	echo short >secret
	run_tool 1 logserve -l localhost:0 --replica-secret secret root
	has "$err" 'logserve: secret: shorter than 16 bytes: not a secret'
	run_tool 1 logserve --check-config --replica-secret secret root
	same "$err" 'logserve: secret: shorter than 16 bytes: not a secret'
}

@test 'proofs, right and wrong' {
	replica begin alive
	same "$out" "$(printf '%s\n' 'nonce ok' 'proof ok' 'mine ok' \
	    'alive ok ALIVE')"
	replica nonce bad-proof alive
	same "$out" "$(printf '%s\n' 'nonce ok' \
	    'bad-proof error 58 another secret' 'alive closed')"
	replica begin again nonce old-proof
	same "$(tail -n 1 <<<"$out")" 'old-proof error 58 another secret'
	(umask 077 && echo 'another secret than before' >other)
	run_tool 0 "$REPLICA" "$address" other nonce proof hello
	same "$(tail -n 2 <<<"$out")" "$(printf '%s\n' \
	    'proof error 58 another secret' 'hello closed')"
	grep -q 'replica refused: client=127.0.0.1:[0-9]* why="another secret"' server.err
}

@test 'out of turn' {
	replica hello
	same "$out" 'hello error 34 out of turn'
	replica proof
	same "$out" 'proof error 34 out of turn'
	replica nonce hello alive
	same "$(tail -n 2 <<<"$out")" \
	    "$(printf '%s\n' 'hello error 34 out of turn' 'alive closed')"
	replica nonce nonce
	same "$(tail -n 1 <<<"$out")" 'nonce error 34 out of turn'
	replica begin proof
	same "$(tail -n 1 <<<"$out")" 'proof error 34 out of turn'
	replica short-nonce
	same "$out" 'short-nonce error 42 not a nonce'
}

@test 'messages that were changed, repeated or left out' {
	local how
	for how in same changed skipped untagged; do
		replica begin hello $how alive
		same "$(tail -n 2 <<<"$out")" "$(printf '%s\n' \
		    "$how error 58 not what the replica has sent" \
		    'alive closed')"
	done
}

# The last step of a replica that is trusted is answered with this.
answers() {
	local want=$1
	shift
	replica begin "$@"
	same "$(tail -n 1 <<<"$out")" "${!#} ok $want"
	# The server is well.
	call Metadata 1 topics=NULL
}

@test 'frames that cannot be' {
	answers 'ERROR 1 not understood: a frame is too long' hello huge
	answers 'HELLO ERROR 1 not understood: CREDIT' credit
	answers 'ERROR 1 not understood: HELLO' hello hello
	answers 'ERROR 1 not understood: TOPIC' hello topic=0,1,
	answers 'ERROR 1 logserve '* hello ask=mode=receive,path=t,new=1 ||
	    grep -q 'does not know what it is asked: new=1' <<<"$out"
	answers 'ERROR 1 OFFER: a frame that a sender does not send now' \
	    hello ask=mode=receive,path=t offer=0,0
	answers 'ERROR 1 TOPIC: more topics and partitions than are taken' \
	    hello ask=mode=receive,path=/,named=1,dry-run=1 topic=0,100000,a \
	    topic=1,100000,b
}

@test 'paths that it may not have' {
	answers 'ERROR 1 it only receives; to read from it is for kafka://' \
	    hello ask=mode=send,path=t
	answers 'ERROR 1 not a name of a topic' hello ask=mode=receive,path=../t
	answers 'ERROR 1 not a name of a topic' hello ask=mode=receive,path=/tmp
	answers 'ERROR 1 not a name of a topic' \
	    hello ask=mode=receive,path=.logserve
	answers 'ERROR 1 one topic cannot be the root' \
	    hello ask=mode=receive,path=/
	answers 'ERROR 1 TOPIC: a topic that cannot be' \
	    hello ask=mode=receive,path=/,named=1 topic=0,1,../t
	answers 'ERROR 1 TOPIC: a topic that cannot be' \
	    hello ask=mode=receive,path=/,named=1 topic=0,1,.logserve
	same "$(ls root)" ''
}

@test 'a server that is only read, and too many' {
	serve_with --replica-secret secret --read-only
	replica nonce proof
	same "$(tail -n 1 <<<"$out")" 'proof error 31 the server is read-only'
	serve_with --replica-secret secret
	local i
	for i in {1..16}; do
		start "r$i" "$REPLICA" "$address" secret begin wait
	done
	for i in {1..16}; do
		wait_for has_lines "r$i.out" 3
	done
	replica nonce proof
	same "$(tail -n 1 <<<"$out")" 'proof error 31 too many replicas at a time'
	for i in {1..16}; do
		eval "kill -9 \$r${i}_pid"
	done
	wait_for is_taken
}

is_taken() {
	replica nonce proof
	[ "$(tail -n 1 <<<"$out")" = 'proof ok' ]
}
