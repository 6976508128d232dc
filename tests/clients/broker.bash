# The broker that clients are tested with, on loopback, on a port that was free.
#
#	. tests/clients/broker.bash
#	broker_start DIR	BROKER=kafka: Apache Kafka; BROKER=logserve (the
#				default): bin/logserve.  $BROKER_ADDRESS is
#				HOST:PORT, $BROKER_DATA holds the logs
#	broker_stop
#	broker_segments TOPIC PARTITION	print the names of its .log files
#
# What it says is in DIR, and at the end of the process that started it the
# broker must be stopped by the same.

# shellcheck source-path=SCRIPTDIR source=kafka.bash
. "${BASH_SOURCE[0]%/*}/kafka.bash"

BROKER=${BROKER:-logserve}

broker_start() {
	mkdir -p "$1/data" || return 1
	BROKER_DATA=$(cd "$1/data" && pwd)
	case $BROKER in
	kafka) broker_start_kafka "$1" ;;
	logserve) broker_start_logserve "$1" ;;
	*)
		echo "BROKER=$BROKER: neither kafka nor logserve"
		return 1
		;;
	esac || return 1
	export BROKER BROKER_ADDRESS BROKER_DATA broker_pid
}

broker_start_kafka() {
	kafka_start "$1" || return 1
	BROKER_ADDRESS=$KAFKA_BROKER
	broker_pid=$kafka_pid
}

# It says the address that it is bound to when it is ready.
broker_start_logserve() {
	local ready end=$((SECONDS + kafka_patience))
	rm -f "$1/ready"
	mkfifo "$1/ready" || return 1
	exec {ready}<>"$1/ready"
	"${LOGKIT_BIN:-$kafka_root/bin}/logserve" --ready-fd "$ready" \
	    -l localhost:0 "$BROKER_DATA" >"$1/broker.out" 2>&1 3>&- &
	broker_pid=$!
	BROKER_ADDRESS=
	until read -r -t 0.1 -u "$ready" BROKER_ADDRESS; do
		if ! kill -0 "$broker_pid" 2>/dev/null ||
		    [ "$SECONDS" -ge "$end" ]; then
			echo "broker_start: no logserve:"
			tail -n 20 "$1/broker.out"
			broker_stop
			exec {ready}>&-
			return 1
		fi
	done
	exec {ready}>&-
}

broker_stop() {
	[ -n "${broker_pid:-}" ] || return 0
	kafka_pid=$broker_pid
	kafka_stop
	broker_pid=
}

broker_segments() {
	case $BROKER in
	kafka) printf '%s\n' "$BROKER_DATA/$1-$2"/*.log ;;
	*) printf '%s\n' "$BROKER_DATA/$1/$2"/*.log ;;
	esac
}
