# kafka:// places of a cluster that wants TLS and a name with a password: an
# Apache Kafka with certificates that the test makes.

load ../helpers
# shellcheck source=tests/clients/kafka.bash
. "$ROOT/tests/clients/kafka.bash"
TOOL_TIMEOUT=120

# certify NAME SUBJECT [EXTENSION]: NAME.key, and NAME.crt by the authority.
certify() {
	openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -subj "/CN=$2" \
	    -out "$1.csr" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -days 2 \
	    -extfile <(echo "${3:-keyUsage=digitalSignature}") \
	    -out "$1.crt" 2>/dev/null
}

authority() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -days 2 \
	    -subj '/CN=authority' -out "$1.crt" 2>/dev/null
}

# security CLIENT_AUTH: of the listener, which kafka_config calls PLAINTEXT.
security() {
	local jaas=org.apache.kafka.common.security
	printf '%s\n' \
	    listener.security.protocol.map=PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT \
	    inter.broker.listener.name=PLAINTEXT \
	    sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512 \
	    sasl.mechanism.inter.broker.protocol=PLAIN \
	    "listener.name.plaintext.plain.sasl.jaas.config=$jaas.plain.PlainLoginModule required username=\"broker\" password=\"b\" user_broker=\"b\" user_reader=\"secret\";" \
	    "listener.name.plaintext.scram-sha-256.sasl.jaas.config=$jaas.scram.ScramLoginModule required;" \
	    "listener.name.plaintext.scram-sha-512.sasl.jaas.config=$jaas.scram.ScramLoginModule required;" \
	    ssl.keystore.type=PEM "ssl.keystore.location=$PWD/broker.pem" \
	    ssl.truststore.type=PEM "ssl.truststore.location=$PWD/ca.crt" \
	    ssl.client.auth=requested
}

setup_file() {
	export kafka_pid=
	command -v java >/dev/null || return 0
	[ -n "${KAFKA_JARS:-}" ] || command -v mvn >/dev/null || return 0
	command -v openssl >/dev/null || return 0
	cd "$BATS_FILE_TMPDIR" || return 1
	authority ca
	authority foreign
	certify broker localhost 'subjectAltName=IP:127.0.0.1'
	certify reader reader
	cat broker.key broker.crt ca.crt >broker.pem
	kafka_format=(--add-scram
	    'SCRAM-SHA-256=[name=reader,password=secret]'
	    --add-scram 'SCRAM-SHA-512=[name=reader,password=secret]')
	mapfile -t properties < <(security)
	kafka_start "$BATS_FILE_TMPDIR/kafka" "${properties[@]}"
	export broker=$KAFKA_BROKER
}

teardown_file() {
	kafka_stop
}

setup() {
	[ -n "${broker:-}" ] || kafka_need
	[ -n "${broker:-}" ] || skip 'openssl is not installed'
	helpers_setup
	at=kafka://$broker/login-$BATS_TEST_NUMBER
}

# login MECHANISM [PASSWORD] [AUTHORITY]: the file for --config.
login() {
	cat >login <<-END
		security.protocol=SASL_SSL
		ssl.ca.location=$BATS_FILE_TMPDIR/${3:-ca}.crt
		sasl.mechanism=$1
		sasl.username=reader
		sasl.password=${2:-secret}
	END
}

# refused WHY COMMAND...: it fails, says why in one line, and no password.
refused() {
	local why=$1
	shift
	run_tool 1 "$@"
	grep -qi "$why" <<<"$err" || {
		echo "$err"
		return 1
	}
	run ! grep secret <<<"$err"
	[ "$(wc -l <<<"$err")" -eq 1 ] || {
		echo "$err"
		return 1
	}
}

@test 'every tool with TLS, a name and a password' {
	local mechanism
	for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
		login "$mechanism"
		run_tool 0 logcreate --config login "$at-$mechanism"
		seq 100 | run_tool 0 logappend --config login "$at-$mechanism"
		run_tool 0 logcat --config login "$at-$mechanism"
		same "$out" "$(seq 100)"
	done
	for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
		login "$mechanism"
		run_tool 0 logreplicate --config login "$at-$mechanism" \
		    "copy-$mechanism"
		same "$(logcat "copy-$mechanism")" "$(seq 100)"
	done
	# The place says half of it.
	login PLAIN
	sed -i '/security.protocol/s/=.*/=sasl_plaintext/' login
	run_tool 0 logreplicate --config login "${at/kafka:/kafka+tls:}-PLAIN" other
	same "$(logcat other)" "$(seq 100)"
	login PLAIN
	run_tool 0 logtail -n 1 --config login "$at-PLAIN"
	same "$out" 100
	run_tool 0 logstat --config login -q "$at-PLAIN"
	run_tool 0 logadmin --config login topic describe "$at-PLAIN"
	run_tool 0 logcompact --config login --before 50 "$at-PLAIN"
	run_tool 0 logcat --config login -c 1 "$at-PLAIN"
	same "$out" 51
	run_tool 0 logcat --config login -g readers -c 5 "$at-PLAIN"
	same "$out" "$(seq 51 55)"
}

@test 'who is not known is refused, and what is not known is not trusted' {
	for mechanism in PLAIN SCRAM-SHA-256; do
		login "$mechanism" wrong
		refused 'authentic' logcat --config login --timeout 10s "$at"
		# At once, with -f, too.
		refused 'authentication failed' timeout 20 \
		    logreplicate -f --config login "$at" copy
	done
	login PLAIN secret foreign
	refused 'certificate' logcat --config login --timeout 10s "$at"
	refused 'certificate is not trusted: ' timeout 20 \
	    logreplicate -f --config login "$at" copy
	echo security.protocol=PLAINTEXT >login
	refused 'SSL listener' logcat --config login --timeout 5s "$at"
	refused 'the broker speaks TLS (kafka+tls://)' \
	    logreplicate --config login --timeout 5s "$at" copy
	echo security.protocol=SSL >login
	echo "ssl.ca.location=$BATS_FILE_TMPDIR/ca.crt" >>login
	refused 'SASL' logcat --config login --timeout 5s "$at"
	refused 'closed the connection' \
	    logreplicate --config login --timeout 5s "$at" copy
	echo no.such.property=1 >login
	run_tool 2 logcat --config login "$at"
	grep -q 'logcat: no\.such\.property: ' <<<"$err"
	refused 'there' logcat --config there "$at"
}

@test 'a certificate of the client' {
	login PLAIN
	cat >>login <<-END
		ssl.certificate.location=$BATS_FILE_TMPDIR/reader.crt
		ssl.key.location=$BATS_FILE_TMPDIR/reader.key
	END
	run_tool 0 logcreate --config login "$at"
	echo hello | run_tool 0 logappend --config login "$at"
	run_tool 0 logcat --config login "$at"
	same "$out" hello
	run_tool 0 logreplicate --config login "$at" copy
	same "$(logcat copy)" hello
}
