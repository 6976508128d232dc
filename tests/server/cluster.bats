# FindCoordinator, DescribeCluster, ApiVersions: who serves what.

load server

@test 'the coordinator of a group is this node, of other things nobody' {
	local type
	for type in 0 1; do
		call FindCoordinator 3 key_type=$type key=g
		is error_code 0 node_id 1 host 127.0.0.1
		call FindCoordinator 6 key_type=$type coordinator_keys.0=g \
			coordinator_keys.1=h
		is coordinators.0.key g coordinators.0.error_code 0 \
			coordinators.0.node_id 1 coordinators.1.key h \
			coordinators.1.node_id 1 \
			coordinators.1.port "${address##*:}"
	done
	# Of shares, or of what nobody knows.
	for type in 2 3 -1; do
		call FindCoordinator 3 key_type=$type key=g
		is error_code 42 node_id -1 host '' port -1
		call FindCoordinator 6 key_type=$type coordinator_keys.0=g \
			coordinator_keys.1=h
		is coordinators.0.error_code 42 coordinators.0.node_id -1 \
			coordinators.1.key h coordinators.1.error_code 42 \
			coordinators.1.node_id -1 coordinators.1.port -1
	done
}

@test 'controllers are asked of a broker in vain' {
	call DescribeCluster 2 endpoint_type=1
	is error_code 0 endpoint_type 1 controller_id 1
	call DescribeCluster 2 endpoint_type=2
	is error_code 114 endpoint_type 1 'brokers' '[]'
	for type in 0 3; do
		call DescribeCluster 1 endpoint_type=$type
		is error_code 115
	done
}

@test 'where a member of a group is, as Kafka has it' {
	call JoinGroup 1 group_id=g session_timeout_ms=30000 \
		rebalance_timeout_ms=30000 protocol_type=connect \
		protocols.0.name=x protocols.0.metadata=x
	is error_code 0
	call DescribeGroups 3 groups.0=g
	is groups.0.members.0.client_host /127.0.0.1
}
