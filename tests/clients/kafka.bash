# A real Kafka broker for tests: KRaft, broker and controller in one process,
# on loopback, on ports that were free, its data in a directory of the caller's.
#
#	. tests/clients/kafka.bash
#	kafka_need			skip the test where java or jars are missing
#	kafka_start DIR [PROP=VALUE]...	$KAFKA_BROKER is HOST:PORT, $kafka_pid
#	kafka_stop			as an operator would
#
# PROP=VALUE are lines of its server.properties.  The jars come from
# tests/golden/make/jars, which fetches them at the first call.

kafka_root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# Seconds that a start or a stop may take.
kafka_patience=${KAFKA_PATIENCE:-180}
# More options of StorageTool, when the data is made.
kafka_format=()
# Of java: what starts fast, and is small.
kafka_options='-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC'

kafka_need() {
	command -v java >/dev/null || skip 'java is not installed'
	[ -n "${KAFKA_JARS:-}" ] || command -v mvn >/dev/null ||
		skip 'maven is not installed'
}

# COUNT ports of loopback that were free a moment ago, on one line: none of those
# that the system gives to who asks for any.
kafka_free_ports() {
	perl -MIO::Socket::INET -e '
	    my ($count, @s) = shift;
	    for (1 .. 1000) {
		my $s = IO::Socket::INET->new(Listen => 1,
		    LocalAddr => "127.0.0.1", LocalPort => 10000 + int(rand(20000)));
		push @s, $s if $s;
		last if @s == $count;
	    }
	    @s == $count or die "no free port";
	    print join(" ", map { $_->sockport } @s), "\n";' "$1"
}

# In a subshell: it becomes java.
kafka_java() {
	# shellcheck disable=SC2086 # words
	exec java $kafka_options -cp "$kafka_jars/*" "$@"
}

# kafka_config DIR PORT CONTROLLER_PORT [PROP=VALUE]...: server.properties.
kafka_config() {
	local dir=$1 port=$2 controller=$3
	shift 3
	cat <<-END
		process.roles=broker,controller
		node.id=1
		listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
		controller.listener.names=CONTROLLER
		controller.quorum.voters=1@127.0.0.1:$controller
		log.dirs=$dir/data
		auto.create.topics.enable=false
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=1
		group.initial.rebalance.delay.ms=0
		log.cleaner.dedupe.buffer.size=2097152
	END
	# A property that is said twice counts as it was said last.
	[ $# -eq 0 ] || printf '%s\n' "$@"
}

# kafka_until CONDITION [ARG]...: try it until it holds, so long as patience
# lasts; as wait_for of helpers.bash, for those who have no helpers.
kafka_until() {
	local end=$((SECONDS + kafka_patience))
	until "$@" 2>/dev/null; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.01
	done
}

# Also where it has ended, and nobody has asked how: what a test leaves behind
# may have a parent that never does.
kafka_gone() {
	local state
	read -r state <"/proc/$kafka_pid/stat" || return 0
	state=${state##*) }
	[ "${state%% *}" = Z ]
}

# It, and nobody who has taken its port since that was free.  What connects
# before it serves is answered when it does.
kafka_listens() {
	local port inode
	printf -v port ':%04X$' "${KAFKA_BROKER##*:}"
	while read -r inode; do
		[ -z "$(find "/proc/$kafka_pid/fd" \
		    -lname "socket:\[$inode\]")" ] || return 0
	done < <(awk -v port="$port" '$4 == "0A" && $2 ~ port { print $10 }' \
	    /proc/net/tcp /proc/net/tcp6)
	return 1
}

kafka_listens_or_gone() {
	kafka_listens || kafka_gone
}

# An id as Kafka makes them: one never begins with a hyphen, which would make
# it an option to some of its tools.
kafka_cluster_id() {
	{
		printf l
		head -c 15 /dev/urandom
	} | basenc --base64url | tr -d =
}

# kafka_format_data DIR: if there is none yet.
kafka_format_data() {
	[ -e "$1/data/meta.properties" ] ||
		(kafka_java kafka.tools.StorageTool format \
		    "--cluster-id=$(kafka_cluster_id)" \
		    -c "$1/server.properties" "${kafka_format[@]}") \
		    >"$1/format.out" 2>&1 || {
		cat "$1/format.out"
		return 1
	}
}

# kafka_try DIR [PROP=VALUE]...: start it, at ports that are free now.
kafka_try() {
	local dir=$1 ports
	shift
	ports=$(kafka_free_ports 2) || return 1
	# shellcheck disable=SC2086 # two words
	kafka_config "$dir" $ports "$@" >"$dir/server.properties"
	kafka_format_data "$dir" || return 1
	(kafka_java kafka.Kafka "$dir/server.properties") \
	    >"$dir/broker.out" 2>&1 3>&- &
	kafka_pid=$!
	KAFKA_BROKER=127.0.0.1:${ports% *}
	kafka_until kafka_listens_or_gone && ! kafka_gone 2>/dev/null
}

kafka_start() {
	local dir
	dir=$(mkdir -p "$1" && cd "$1" && pwd) || return 1
	shift
	kafka_jars=$("$kafka_root/tests/golden/make/jars") || return 1
	# It ends where somebody else has taken a port since.
	for _ in 1 2 3; do
		! kafka_try "$dir" "$@" || return 0
		kafka_stop
	done
	echo "kafka_start: no broker:"
	tail -n 20 "$dir/broker.out"
	return 1
}

kafka_stop() {
	[ -n "${kafka_pid:-}" ] || return 0
	kill "$kafka_pid" 2>/dev/null
	kafka_until kafka_gone || kill -9 "$kafka_pid" 2>/dev/null
	wait "$kafka_pid" 2>/dev/null
	kafka_pid=
}
