# DescribeConfigs, AlterConfigs, IncrementalAlterConfigs.

load server

# describe VERSION TYPE NAME [FIELD=VALUE]...
describe() {
	local version=$1 type=$2 name=$3
	shift 3
	call DescribeConfigs "$version" "resources.0.resource_type=$type" \
		"resources.0.resource_name=$name" \
		resources.0.configuration_keys=NULL "$@"
}

# setting NAME FIELD: of the first resource described.
setting() {
	local at
	at=$(sed -n "s/^\(results.0.configs.[0-9]*\).name=$1$/\1/p" <<<"$out")
	field "$at.$2"
}

# alter VERSION [NAME=VALUE]...: all settings of t, by AlterConfigs.
alter() {
	local version=$1 i=0 fields=() pair
	shift
	for pair; do
		fields+=("resources.0.configs.$i.name=${pair%%=*}"
			"resources.0.configs.$i.value=${pair#*=}")
		i=$((i + 1))
	done
	call AlterConfigs "$version" resources.0.resource_type=2 \
		resources.0.resource_name=t "${fields[@]}" ${extra:+"$extra"}
}

# change VERSION [NAME OPERATION VALUE]...: of t, by IncrementalAlterConfigs.
change() {
	local version=$1 i=0 fields=()
	shift
	while [ $# -gt 0 ]; do
		fields+=("resources.0.configs.$i.name=$1"
			"resources.0.configs.$i.config_operation=$2"
			"resources.0.configs.$i.value=$3")
		i=$((i + 1))
		shift 3
	done
	call IncrementalAlterConfigs "$version" resources.0.resource_type=2 \
		resources.0.resource_name=t "${fields[@]}" ${extra:+"$extra"}
}

SET=0 DELETE=1 APPEND=2 SUBTRACT=3
extra=

# settings: those of t that are given.
settings() {
	grep -v -e '^logkit' -e '^#' root/t/topic.properties | tr '\n' ' '
}

@test 'settings of a topic: value, source, type, help' {
	logcreate -X retention.ms=1d root/t
	describe 1 2 t
	is results.0.error_code 0 results.0.resource_type 2 \
		results.0.resource_name t
	same "$(setting retention.ms value)" 86400000
	same "$(setting retention.ms config_source)" 1
	same "$(setting segment.bytes value)" 1073741824
	same "$(setting segment.bytes config_source)" 5
	same "$(setting segment.bytes read_only)" false
	same "$(setting segment.bytes is_sensitive)" false
	same "$(setting segment.bytes config_type)" ''
	same "$(grep -c 'configs.[0-9]*.name' <<<"$out")" 26
	describe 4 2 t include_documentation=true
	while read -r name type; do
		same "$name $(setting "$name" config_type)" "$name $type"
	done <<-'END'
		preallocate 1
		compression.type 2
		message.timestamp.type 2
		max.message.bytes 3
		segment.bytes 3
		min.insync.replicas 3
		retention.bytes 5
		retention.ms 5
		flush.messages 5
		min.cleanable.dirty.ratio 6
		cleanup.policy 7
	END
	same "$(setting retention.ms documentation)" \
		'age at which events go; -1 is never'
	describe 3 2 t
	same "$(setting retention.ms documentation)" NULL
}

@test 'only the settings that are named, with their synonyms if asked' {
	logcreate -X retention.ms=1d root/t
	for v in 1 4; do
		describe $v 2 t resources.0.configuration_keys.0=retention.ms \
			resources.0.configuration_keys.1=no.such
		same "$(setting retention.ms value)" 86400000
		same "$(grep -c 'configs.[0-9]*.name' <<<"$out")" 1
		is results.0.configs.0.synonyms '[]'
	done
	describe 4 2 t 'resources.0.configuration_keys=[]'
	same "$(grep -c 'configs.[0-9]*.name' <<<"$out")" 26
	describe 4 2 t include_synonyms=true \
		resources.0.configuration_keys.0=retention.ms \
		resources.0.configuration_keys.1=segment.ms
	is results.0.configs.0.synonyms.0.source 1 \
		results.0.configs.0.synonyms.0.value 86400000 \
		results.0.configs.0.synonyms.1.source 5 \
		results.0.configs.0.synonyms.1.value -1 \
		results.0.configs.1.synonyms.0.source 5 \
		results.0.configs.1.synonyms.0.value 604800000 \
		results.0.configs.1.synonyms.1.source ''
}

@test 'settings of the server are shown, by its id and by no name' {
	stop_serving
	serve --auto-create 3
	for name in 1 ''; do
		describe 4 4 "$name"
		is results.0.error_code 0
		same "$(setting auto.create.topics.enable value)" true
		same "$(setting num.partitions value)" 3
		same "$(setting num.partitions read_only)" true
		same "$(setting num.partitions config_source)" 4
		same "$(setting message.max.bytes value)" 1048588
		same "$(setting log.retention.ms value)" 604800000
		same "$(setting listeners value)" "PLAINTEXT://$address"
	done
	describe 1 4 1 resources.0.configuration_keys.0=num.partitions
	same "$(grep -c 'configs.[0-9]*.name' <<<"$out")" 1
	stop_serving
	serve --auto-create no
	describe 1 4 1
	same "$(setting auto.create.topics.enable value)" false
	same "$(setting num.partitions value)" 1
}

@test 'what is not there is told for each resource' {
	logcreate root/t
	describe 4 2 nope resources.1.resource_type=2 \
		resources.1.resource_name=t resources.2.resource_type=4 \
		resources.2.resource_name=2 resources.3.resource_type=8 \
		resources.3.resource_name=1 resources.4.resource_type=32 \
		resources.4.resource_name=g
	is results.0.error_code 3 results.1.error_code 0 results.2.error_code 42 \
		results.3.error_code 42 results.4.error_code 42 \
		results.0.error_message 'no such topic or partition'
	call IncrementalAlterConfigs 1 resources.0.resource_type=2 \
		resources.0.resource_name=nope resources.1.resource_type=4 \
		resources.1.resource_name=1 resources.2.resource_type=8
	is responses.0.error_code 3 responses.1.error_code 42 \
		responses.2.error_code 42
}

@test 'AlterConfigs: what is not named goes to its default' {
	logcreate -X retention.ms=1d -X segment.ms=1h root/t
	alter 0 retention.ms=5000 max.message.bytes=1000
	is responses.0.error_code 0 responses.0.error_message NULL \
		responses.0.resource_type 2 responses.0.resource_name t
	same "$(settings)" 'max.message.bytes=1000 retention.ms=5000 '
	extra=validate_only=true alter 2 retention.ms=1
	is responses.0.error_code 0
	same "$(settings)" 'max.message.bytes=1000 retention.ms=5000 '
	alter 2
	is responses.0.error_code 0
	same "$(settings)" ''
}

@test 'a change that is wrong in part is refused whole' {
	logcreate -X retention.ms=1d root/t
	cp root/t/topic.properties before
	alter 2 segment.ms=1000 no.such=1
	is responses.0.error_code 40 responses.0.error_message \
		'no.such: no such setting'
	alter 2 segment.ms=1000 retention.bytes=much
	is responses.0.error_code 40
	alter 2 segment.ms=1000 retention.ms=NULL
	is responses.0.error_code 42
	alter 2 segment.ms=1000 segment.ms=2000
	is responses.0.error_code 42
	change 1 segment.ms $SET 1000 segment.ms $SET 1000
	is responses.0.error_code 42
	change 1 segment.ms $SET 1000 no.such $DELETE NULL
	is responses.0.error_code 40
	change 1 segment.ms $SET NULL
	is responses.0.error_code 42
	change 1 segment.ms $SET -1
	is responses.0.error_code 40
	change 1 segment.ms 4 1
	is responses.0.error_code 42
	extra=validate_only=true change 1 segment.ms $SET soon
	is responses.0.error_code 40
	cmp before root/t/topic.properties
}

@test 'IncrementalAlterConfigs: set, delete, append, subtract' {
	logcreate -X retention.ms=1d -X segment.ms=1h root/t
	change 0 segment.ms $SET 5000 retention.ms $DELETE NULL
	is responses.0.error_code 0
	same "$(settings)" 'segment.ms=5000 '
	change 1 cleanup.policy $APPEND compact segment.ms $DELETE x
	same "$(settings)" 'cleanup.policy=delete,compact '
	change 1 cleanup.policy $SUBTRACT delete
	same "$(settings)" 'cleanup.policy=compact '
	change 1 cleanup.policy $SUBTRACT compact
	is responses.0.error_code 40 responses.0.error_message \
		'cleanup.policy: nothing would be left of it'
	change 1 segment.ms $APPEND 1
	is responses.0.error_code 40
	change 1 segment.ms $SUBTRACT 1
	is responses.0.error_code 40
	extra=validate_only=true change 1 cleanup.policy $SET delete
	is responses.0.error_code 0
	same "$(settings)" 'cleanup.policy=compact '
}

@test 'a resource twice in a request is refused' {
	logcreate root/t
	call IncrementalAlterConfigs 0 resources.{0,1}.resource_type=2 \
		resources.{0,1}.resource_name=t \
		resources.{0,1}.configs.0.name=segment.ms \
		resources.{0,1}.configs.0.value=1000
	is responses.0.error_code 42 responses.1.error_code 42
	call AlterConfigs 0 resources.{0,1}.resource_type=2 \
		resources.{0,1}.resource_name=t
	is responses.0.error_code 42 responses.1.error_code 42
	same "$(settings)" ''
	# The same name of another kind is another resource.
	logcreate root/1
	call AlterConfigs 2 resources.0.resource_type=2 \
		resources.1.resource_type=4 resources.{0,1}.resource_name=1
	is responses.0.error_code 0 responses.1.error_code 42
}

@test 'a change holds for the next append' {
	logcreate root/t
	run_tool 0 kcat -P -b "$address" -t t <<<small
	change 1 max.message.bytes $SET 100
	head -c 500 /dev/zero | tr '\0' x >large
	run_tool 1 kcat -P -b "$address" -t t -X retries=0 large
	run_tool 0 kcat -P -b "$address" -t t <<<small
	change 1 max.message.bytes $SET 1000
	run_tool 0 kcat -P -b "$address" -t t large
	# So does one of another program.
	logadmin topic set root/t max.message.bytes=100
	run_tool 1 kcat -P -b "$address" -t t -X retries=0 large
	describe 4 2 t
	same "$(setting max.message.bytes value)" 100
	same "$(logcat root/t | wc -l)" 3
}

@test 'a server that only reads changes nothing' {
	logcreate root/t
	stop_serving
	serve --read-only
	alter 0 retention.ms=1
	is responses.0.error_code 29
	change 1 retention.ms $SET 1
	is responses.0.error_code 29
	same "$(settings)" ''
	describe 4 4 1
	same "$(setting auto.create.topics.enable value)" false
	describe 1 2 t
	is results.0.error_code 0
}

# produce ACKS: a batch to the topic t.
produce() {
	call Produce 8 acks="$1" topic_data.0.name=t \
		topic_data.0.partition_data.0.records=@batch.bin
}

@test 'min.insync.replicas: more than there are' {
	logcreate -X min.insync.replicas=2 root/t
	logcreate b
	echo one | logappend b
	cp b/0/*.log batch.bin
	produce -1
	is responses.0.partition_responses.0.error_code 19 \
		responses.0.partition_responses.0.base_offset -1
	produce 1
	is responses.0.partition_responses.0.error_code 0
	logadmin topic set root/t min.insync.replicas=1
	produce -1
	is responses.0.partition_responses.0.error_code 0
	same "$(logcat root/t)" $'one\none'
}
