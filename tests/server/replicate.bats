# logreplicate to a logserve: as to a directory, and clients of the server see
# what comes.

load server

setup() {
	helpers_setup
	mkdir root
	(umask 077 && echo '0123456789abcdefghij' >secret)
	serve --replica-secret secret
}

# copy CODE ARG...: logreplicate to the server.
copy() {
	local code=$1
	shift
	run_tool "$code" logreplicate --replica-secret secret "$@"
}

# same_log A B: the same segment files with the same bytes, and sound.
same_log() {
	local file dir
	for dir in "$1"/[0-9]*; do
		dir=${dir##*/}
		compgen -G "$1/$dir/*.log" >/dev/null || continue
		same "$(cd "$1/$dir" && echo *.log)" \
		    "$(cd "$2/$dir" && echo *.log)" || return 1
		for file in "$1/$dir"/*.log; do
			cmp "$file" "$2/$dir/${file##*/}" || return 1
		done
	done
	run_tool 0 logfsck "$2"
}

@test 'a topic, nothing, and what is new' {
	logcreate -P 3 --segment-bytes 4096 --retention 7d a
	seq 1 3000 | logappend a
	seq 1 3000 | logappend -z zstd a
	copy 0 -v a "kafka://$address/b"
	has "$out" ': offsets 0 to '
	same_log a root/b
	copy 0 -v a "kafka://$address/b"
	same "$out" ''
	echo more | logappend -p 1 a
	logcreate --grow-to 4 a
	echo new | logappend -p 3 a
	copy 0 -v a "kafka://$address/b"
	same "$(wc -l <<<"$out")" 3
	has "$out" 'a: grown to 4 partitions'
	same "$(logstat -J --replicas -p 3 root/b | jq -c '[.source, .lag]')" \
	    "[\"$(hostname):$PWD/a\",0]"
	same_log a root/b
	same "$(logcat "kafka://$address/b" | sort)" "$(logcat a | sort)"
	has "$(logadmin topic describe root/b)" 604800000
	run_tool 1 grep 'replica failed' server.err
}

@test 'batches and frames larger than a request' {
	logcreate --set max.message.bytes=100000000 a
	head -c 40000000 /dev/zero | tr '\0' x | logappend --whole a
	echo small | logappend a
	copy 0 a "kafka://$address/b"
	same_log a root/b
}

@test 'a root: chosen topics, and positions of groups' {
	mkdir src
	logcreate src/a src/b src/no
	seq 1 10 | logappend src/a
	seq 1 20 | logappend src/b
	echo no | logappend src/no
	logcat -g g -c 7 src/a >/dev/null
	copy 0 --groups --exclude no src "kafka://$address/"
	same "$(ls root)" "$(printf 'a\nb')"
	same_log src/a root/a
	same_log src/b root/b
	same "$(logcat -g g "kafka://$address/a")" "$(printf '8\n9\n10')"
	copy 1 src/a "kafka://$address/"
	same "$err" "logreplicate: $address: one topic cannot be the root"
	copy 1 src "kafka://$address/c"
	same "$err" "logreplicate: $address: many topics cannot be one"
}

@test 'what has diverged' {
	logcreate a
	seq 1 10 | logappend a
	copy 0 a "kafka://$address/b"
	logadmin topic promote root/b
	echo 'not in a' | logappend root/b
	echo 'not in b' | logappend a
	copy 4 a "kafka://$address/b"
	has "$err" "a: kafka://$address/b/0: it was promoted"
	# The server's directories are told by what is asked of it.
	mkdir many
	cp -r a many/b
	copy 4 many "kafka://$address/"
	has "$err" "b: kafka://$address/b/0: it was promoted"
	logadmin topic demote root/b
	copy 4 a "kafka://$address/b"
	has "$err" 'a/0: diverged: from offset 10 on'
	grep -q 'replica failed: partition=b/0 why="diverged' server.err
	copy 0 --on-diverge truncate a "kafka://$address/b"
	has "$err" 'a/0: cut from offset 10 on'
	same "$(logcat root/b)" "$(logcat a)"
	run_tool 0 logfsck root/b
	grep -q 'replica cut: partition=b/0 offset=10' server.err
}

@test 'what the source deletes, and a run that changes nothing' {
	logcreate --segment-bytes 4096 a
	seq 1 5000 | logappend --batch-bytes 1000 a
	copy 0 -n a "kafka://$address/b"
	same "$out" "$(printf 'a: made, 1 partition\na/0: offsets 0 to 4999')"
	same "$(ls root)" ''
	copy 0 a "kafka://$address/b"
	logcompact --before 3000 -p 0 a
	copy 0 --cleanup mirror a "kafka://$address/b"
	same "$(logcat "kafka://$address/b")" "$(logcat a)"
}

# What a client of the server has seen.
seen() {
	[ "$(lines seen.out)" -ge "$1" ]
}

@test '-f: clients see it, cannot write to it, and may after a promotion' {
	logcreate a
	echo 1 | logappend a
	start rep logreplicate -f --replica-secret secret a "kafka://$address/b"
	wait_for test -e root/b/0/partition.state
	start seen logtail -f -o start "kafka://$address/b"
	wait_for seen 1
	seq 2 1000 | logappend --batch-bytes 100 a
	wait_for seen 1000
	same "$(cat seen.out)" "$(seq 1 1000)"
	run_tool 1 logappend "kafka://$address/b" <<<no
	has "$err" 'Topic authorization failed'
	run_tool 0 logadmin topic promote root/b
	run_tool 0 logappend "kafka://$address/b" <<<1001
	wait_for seen 1001
	# The copy is no copy any more.
	echo 'not there' | logappend a
	wait_for test -s rep.err
	has "$(cat rep.err)" 'logreplicate: a/0: '
	same "$(cat seen.out)" "$(seq 1 1001)"
}

@test '-f goes on with a server that has come back' {
	local first=$address
	logcreate a
	echo 1 | logappend a
	start rep logreplicate -f --replica-secret secret a "kafka://$address/b"
	wait_for same_text 1
	stop_serving
	echo 2 | logappend a
	wait_for grep -q 'once more' rep.err
	serve -l "$first" --replica-secret secret
	wait_for same_text 2
	same_log a root/b
}

# What b has are the numbers up to N.
same_text() {
	[ "$(logcat root/b)" = "$(seq 1 "$1")" ]
}

@test 'examples/replica.sh' {
	mkdir here
	for t in a b; do seq 10 | logappend --create "here/$t"; done
	FOLLOW='' OPTIONS='--replica-secret secret' run_tool 0 \
	    "$ROOT/examples/replica.sh" here/a here/b "kafka://$address"
	same "$(logcat root/a root/b | wc -l)" 20
}

@test 'what is said when it cannot be' {
	local first=$address
	logcreate a
	run_tool 2 logreplicate a "kafka://$address/b"
	has "$err" "kafka://$address/b: --replica-secret FILE"
	(umask 077 && echo 'another secret than before' >other)
	run_tool 1 logreplicate --replica-secret other a "kafka://$address/b"
	same "$err" "logreplicate: $address: the server says: another secret"
	# It is not tried again.
	run_tool 1 logreplicate -f --replica-secret other a "kafka://$address/b"
	copy 2 a "kafka://$address/b/0"
	has "$err" '-p says which partitions'
	chmod 644 secret
	copy 1 a "kafka://$address/b"
	same "$err" \
	    'logreplicate: secret: others than its owner may use it (chmod 600)'
	chmod 600 secret
	stop_serving
	copy 1 a "kafka://$address/b"
	same "$err" "logreplicate: $address: Connection refused"
	serve -l "$first"
	copy 1 a "kafka://$first/b"
	has "$err" 'it is to be a logserve with --replica-secret'
	same "$(ls root)" ''
}
