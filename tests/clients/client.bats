# What a client of Kafka's protocol can do with the broker: one test is one row
# of the matrix.  $CLIENT names the client (make check-clients sets it); its
# driver is build/clients/$CLIENT/driver, whose commands README.md tells.
# Each client has topics and groups of its own, so that they can share a broker.

load ../helpers
load broker
TOOL_TIMEOUT=${CLIENT_TIMEOUT:-90}
# How long a fetch may wait where a record must wake it: past any patience here.
LONG_WAIT=200000

setup_file() {
	[ -z "${BROKER_ADDRESS:-}" ] || return 0
	broker_start "$BATS_FILE_TMPDIR/broker" && own_broker=yes
}

teardown_file() {
	[ "${own_broker:-no}" = no ] || broker_stop
}

setup() {
	helpers_setup
	driver=$ROOT/build/clients/$CLIENT/driver
	[ -x "$driver" ] || skip "$CLIENT is not installed"
	export BROKER_ADDRESS
	topic=${CLIENT//./-}-$BATS_TEST_NUMBER
}

# drive COMMAND [ARG]...: the client does it; its output is $out and out.txt.
drive() {
	drive_to 0 "$@"
}

# refused CODE COMMAND [ARG]...: the broker answers it with that error.
refused() {
	local want=$1
	shift
	drive_to 1 "$@"
	same "$(grep '^error ' out.txt)" "error $want"
}

drive_to() {
	local want=$1 got=0
	shift
	timeout -k 5 "$TOOL_TIMEOUT" "$driver" "$@" >out.txt 2>err.txt ||
		got=$?
	[ "$got" -ne 77 ] || skip "the client cannot: $(tail -n 1 err.txt)"
	out=$(cat out.txt)
	[ "$got" -eq "$want" ] && return 0
	echo "$CLIENT $*: exit status $got, not $want"
	head -c 3000 err.txt | sed 's/^/stderr: /'
	head -c 1000 out.txt | sed 's/^/stdout: /'
	return 1
}

# What is beside the point of a test is done by another client where this one
# cannot.
other() {
	local got=0
	timeout "$TOOL_TIMEOUT" "$driver" "$@" >out.txt 2>err.txt || got=$?
	[ "$got" -ne 77 ] || {
		got=0
		# The file that is read, from its beginning.
		timeout "$TOOL_TIMEOUT" "$ROOT/build/clients/librdkafka/driver" \
		    "$@" >out.txt 2>err.txt </dev/stdin || got=$?
	}
	out=$(cat out.txt)
	[ "$got" -eq 0 ] || head -c 2000 err.txt
	return "$got"
}

# make_topic PARTITIONS [NAME=VALUE]...  Records with a time of long ago need
# retention.ms=-1: the broker may delete them at any moment.
make_topic() {
	other create "$topic" "$@"
}

# records COUNT [PARTITIONS]: lines to produce, values 0 1 2 ...
records() {
	awk -v n="$1" -v p="${2:-1}" 'BEGIN {
	    for (i = 0; i < n; i++)
		printf "%d\t-\tkey-%d\t%d\t\n", i % p, i % 7, i }'
}

# There and back: produce the file sent, read partition 0, compare all but time.
there_and_back() {
	local n
	n=$(lines sent)
	drive produce "$topic" "$@" <sent
	same "$out" "$(seq -f '0 %.0f' 0 $((n - 1)))"
	drive consume "$topic" 0 0 "$n"
	cut -f 1,3- out.txt >got
	awk -F '\t' -v OFS='\t' '{ print NR - 1, $3, $4, $5 }' sent >want
	cmp got want || {
		diff got want | cut -c 1-200 | head -n 20
		return 1
	}
}

# The batches that the broker stored in a partition.
stored() {
	local names
	mapfile -t names < <(broker_segments "$topic" "$1")
	python3 "$ROOT/tests/clients/batches.py" "${names[@]}" >batches
}

codec() {
	make_topic 1
	# Long enough to shrink alone: else a client leaves a batch as it is.
	awk 'BEGIN {
	    for (i = 0; i < 20; i++)
		text = text " much the same"
	    for (i = 0; i < 2000; i++)
		printf "0\t-\tkey-%d\tevent %d%s\t\n", i % 7, i, text }' >sent
	there_and_back "codec=$1"
	stored 0
	same "$(cut -d ' ' -f 3 batches | sort -u)" "$1"
	same "$(awk '{ n += $2 } END { print n }' batches)" 2000
	[ "$(lines batches)" -lt 1000 ]
}

@test 'create, list, delete topics' {
	drive create "$topic" 3
	wait_for topic_has 3
	drive topics
	grep -qxF "$topic" out.txt
	refused 36 create "$topic" 3
	drive delete "$topic"
	wait_for topic_gone
	refused 3 delete "$topic"
}

topic_has() {
	drive count "$topic" && [ "$out" = "$1" ]
}

topic_gone() {
	drive topics && ! grep -qxF "$topic" out.txt
}

@test 'keys and values' {
	make_topic 1
	printf '0\t-\t%s\t%s\t\n' k v 'clé' 'значение' 'k k' '{"a": "b c"}' \
	    k v >sent
	there_and_back
}

@test 'empty keys, empty values' {
	make_topic 1
	printf '0\t-\t%s\t%s\t\n' '' '' k '' '' v >sent
	there_and_back
}

@test 'null keys, null values' {
	make_topic 1
	printf '0\t-\t%s\t%s\t\n' k '~' '~' v k v >sent
	there_and_back
}

@test 'key and value both null' {
	make_topic 1
	printf '0\t-\t~\t~\t\n' >sent
	there_and_back
}

@test 'headers' {
	make_topic 1
	printf '0\t-\tk\tv\t%s\n' '' a=b a=b,c=d a= c=1,a=2,b= 'é=ü' >sent
	there_and_back
}

@test 'headers of one name, in order' {
	make_topic 1
	printf '0\t-\tk\tv\t%s\n' a=1,a=2,b=3,a=0 >sent
	there_and_back
}

@test 'headers without a value' {
	make_topic 1
	printf '0\t-\tk\tv\t%s\n' a=~ a=~,b=1 >sent
	there_and_back
}

@test 'timestamps' {
	make_topic 1 retention.ms=-1
	printf '0\t%s\tk\tv\t\n' 1700000000000 1700000000000 1699999999999 \
	    1700001000000 >sent
	drive produce "$topic" <sent
	drive consume "$topic" 0 0 4
	same "$(cut -f 2 out.txt)" "$(cut -f 2 sent)"
}

@test 'the time of now, where none is given' {
	local before after
	make_topic 1
	records 1 >sent
	before=$(date +%s%3N)
	drive produce "$topic" <sent
	after=$(date +%s%3N)
	drive consume "$topic" 0 0 1
	[ "$(cut -f 2 out.txt)" -ge "$before" ]
	[ "$(cut -f 2 out.txt)" -le "$after" ]
}

@test 'uncompressed' {
	codec none
}

@test 'gzip' {
	codec gzip
}

@test 'snappy' {
	codec snappy
}

@test 'lz4' {
	codec lz4
}

@test 'zstd' {
	codec zstd
}

@test 'a record of 1,000,000 bytes; one over the limit' {
	make_topic 1
	{
		printf '0\t-\tk\t'
		head -c 1000000 /dev/zero | tr '\0' x
		printf '\t\n'
	} >sent
	there_and_back max=1040000
	sed 's/x/xx/g' sent >twice
	refused 10 produce "$topic" max=3000000 <twice
	other offset "$topic" 0 latest
	same "$out" 1
}

@test 'idempotent producer' {
	make_topic 1
	records 500 >sent
	there_and_back idempotent=yes
	drive produce "$topic" idempotent=yes <sent
	stored 0
	# An id for each of the two, and sequences without a gap.
	awk '$4 < 0 || $5 < 0 || $6 != next_of[$4] { exit 1 }
	    { next_of[$4] = $6 + $2 }
	    END { for (id in next_of) { n++; if (next_of[id] != 500) exit 1 }
		  exit n != 2 }' batches || {
		head batches
		return 1
	}
}

@test 'read from an offset' {
	make_topic 1
	records 20 >sent
	drive produce "$topic" <sent
	drive consume "$topic" 0 7 5
	same "$(cut -f 1,4 out.txt | tr '\t\n' '= ')" '7=7 8=8 9=9 10=10 11=11 '
}

@test 'read from a time' {
	make_topic 1 retention.ms=-1
	seq 1000 1000 20000 | awk '{ print "0\t" $1 "\tk\t" NR "\t" }' >sent
	other produce "$topic" <sent
	for try in 1:0 1000:0 5500:5 6000:5 20000:19; do
		drive offset "$topic" 0 "${try%:*}"
		same "$try $out" "$try ${try#*:}"
	done
}

@test 'first and end offsets' {
	make_topic 2
	records 20 >sent
	other produce "$topic" <sent
	for try in 0:earliest:0 0:latest:20 1:earliest:0 1:latest:0; do
		set -- "$topic" ${try//:/ }
		drive offset "$1" "$2" "$3"
		same "$try $out" "$try $4"
	done
}

# A record that did not wake the fetch would be seen after LONG_WAIT.
@test 'a waiting fetch is woken by a record' {
	local i
	make_topic 1
	start reader "$driver" consume "$topic" 0 0 10 wait=$LONG_WAIT
	feed_start
	for i in {0..9}; do
		feed 0
		wait_for has_lines reader.out $((i + 1))
	done
	feed_end
	wait_exit 0 "$reader_pid"
	same "$(cut -f 4 reader.out)" "$(seq 0 9)"
}

# A producer that sends what feed says, and lists what is acknowledged in acked.
feed_start() {
	mkfifo lines
	"$driver" produce "$topic" each=yes <lines >acked 2>acked.err 3>&- &
	feed_pid=$!
	exec 7>lines
	fed=0
}

# feed PARTITION: send one more record and wait until it is acknowledged.
feed() {
	printf '%d\t-\t~\t%d\t\n' "$1" "$fed" >&7
	fed=$((fed + 1))
	wait_for has_lines acked "$fed"
}

feed_end() {
	exec 7>&-
	wait_exit 0 "$feed_pid"
}

# feed_until CONDITION [ARG]...: send records until it holds, then ten more.
feed_until() {
	local end=$((SECONDS + TOOL_TIMEOUT)) more=10
	while [ "$more" -gt 0 ]; do
		feed $((fed % 6))
		if "$@" >/dev/null 2>&1; then
			more=$((more - 1))
		elif [ "$SECONDS" -ge "$end" ]; then
			echo "fed $TOOL_TIMEOUT s until: $*"
			return 1
		fi
	done
}

# join NAME [OPTION]...: a member of the group "$topic-group" ($NAME_pid).
join() {
	local name=$1 pid=${1}_pid
	shift
	start "$name" "$driver" member "$topic-group" "$topic" "$@" 7>&-
	wait_for joined "$name" "${!pid}"
	process_gone "${!pid}" || return 0
	wait_exit 77 "${!pid}" || {
		tail -n 5 "$name.err"
		return 1
	}
	skip "the client cannot: $(tail -n 1 "$name.err")"
}

joined() {
	grep -q '^assigned' "$1.out" || process_gone "$2"
}

# leave NAME...: the members end as they are asked to.
leave() {
	local name pid
	for name; do
		pid=${name}_pid
		kill "${!pid}"
	done
	for name; do
		pid=${name}_pid
		wait_exit 0 "${!pid}" || {
			tail -n 5 "$name.err"
			return 1
		}
	done
}

# The partitions that a member was given last.
given() {
	grep '^assigned' "$1.out" | tail -n 1 | cut -s -d ' ' -f 2-
}

# share COUNT NAME...: do these have so many partitions, each once, and all some?
share() {
	local name count=$1 all
	shift
	for name; do
		[ -n "$(given "$name")" ] || return 1
	done
	all=$(for name; do given "$name"; done | tr ' ' '\n' | sort)
	[ "$all" = "$(seq 0 $((count - 1)))" ]
}

# The values that members have read.
read_by() {
	local name
	for name; do
		grep -v '^assigned' "$name.out" | cut -f 3
	done | sort -nu
}

read_all() {
	local count=$1
	shift
	[ "$(read_by "$@")" = "$(seq 0 $((count - 1)))" ]
}

# Has the member read so many records?  How often it is told what it has is its
# client's affair.
has_read() {
	[ "$(grep -vc '^assigned' "$2.out")" -ge "$1" ]
}

# Have the members committed so many records?  (What one is told while it ends it
# may leave to others.)
committed_all() {
	other committed "$topic-group" "$topic" &&
		[ "$(awk '$2 > 0 { n += $2 } END { print n }' out.txt)" = "$1" ]
}

@test 'group: members join and are killed, nothing is missed' {
	make_topic 6
	join a
	join b
	wait_for share 6 a b
	feed_start
	feed_until true
	join c
	feed_until share 6 a b c
	kill -9 "$a_pid"
	feed_until share 6 b c
	feed_end
	wait_for read_all "$fed" a b c
	wait_for committed_all "$fed"
	leave b c
}

@test 'group: goes on where it was committed' {
	make_topic 2
	records 10 2 >sent
	other produce "$topic" <sent
	join first
	wait_for read_all 10 first
	wait_for committed_all 10
	leave first
	other committed "$topic-group" "$topic"
	same "$(sort out.txt)" $'0 5\n1 5'
	records 4 2 | awk -F '\t' -v OFS='\t' '{ $4 += 10; print }' >sent
	other produce "$topic" <sent
	join second
	wait_for has_read 4 second
	leave second
	same "$(read_by second)" "$(seq 10 13)"
	[ "$(grep -vc assigned second.out)" -eq 4 ]
}

# The one that stays must not be asked to join again.
@test 'group: static membership' {
	local mine rounds
	make_topic 6
	join a instance=one session=45000
	join b instance=two session=45000
	wait_for share 6 a b
	mine=$(given b)
	rounds=$(grep -c '^assigned' a.out)
	kill -9 "$b_pid"
	join c instance=two session=45000
	wait_for share 6 a c
	same "$(given c)" "$mine"
	records 6 6 >sent
	other produce "$topic" <sent
	wait_for read_all 6 a c
	same "$(grep -c '^assigned' a.out)" "$rounds"
	leave a c
}

@test 'list, describe, delete groups' {
	make_topic 1
	join a
	wait_for share 1 a
	drive groups
	grep -qxF "$topic-group" out.txt
	wait_for group_is 'Stable 1'
	refused 68 drop "$topic-group"
	leave a
	wait_for group_is 'Empty 0'
	drive drop "$topic-group"
	drive groups
	run ! grep -qxF "$topic-group" out.txt
	refused 69 drop "$topic-group"
}

group_is() {
	drive group "$topic-group" && [ "$out" = "$1" ]
}

@test 'committed offsets' {
	make_topic 3
	records 20 2 >sent
	other produce "$topic" <sent
	join a
	wait_for read_all 20 a
	wait_for committed_all 20
	leave a
	drive committed "$topic-group" "$topic"
	same "$(sort out.txt | head -n 2)" $'0 10\n1 10'
}

@test 'create partitions' {
	make_topic 1
	drive grow "$topic" 4
	wait_for topic_has 4
	records 4 4 >sent
	drive produce "$topic" <sent
	same "$(sort out.txt)" $'0 0\n1 0\n2 0\n3 0'
	refused 37 grow "$topic" 2
}

@test 'describe and alter configs' {
	drive create "$topic" 1 retention.ms=1234567
	drive config "$topic" retention.ms
	same "$out" 1234567
	drive alter "$topic" retention.ms 7654321
	wait_for config_is retention.ms 7654321
	refused 40 alter "$topic" retention.ms soon
	wait_for config_is retention.ms 7654321
}

config_is() {
	drive config "$topic" "$1" && [ "$out" = "$2" ]
}

@test 'delete records' {
	make_topic 1
	records 20 >sent
	other produce "$topic" <sent
	drive trim "$topic" 0 4
	same "$out" 4
	other offset "$topic" 0 earliest
	same "$out" 4
	drive consume "$topic" 0 4 1
	same "$(cut -f 1,4 out.txt)" $'4\t4'
	refused 1 trim "$topic" 0 21
}

@test 'describe cluster' {
	local node
	drive cluster
	node=$(sed -n "s/^node \([0-9]*\) $BROKER_ADDRESS\$/\1/p" out.txt)
	[ -n "$node" ]
	same "$(grep controller out.txt)" "controller $node"
}
