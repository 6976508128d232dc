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
