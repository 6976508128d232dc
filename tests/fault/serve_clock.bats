# Groups without members, and the wall clock: what is known of them is forgotten
# after 7 days (offsets.retention.minutes), how far they have come is not.

load ../server/server

setup() {
	helpers_setup
	for lib in /usr/lib/*/faketime/libfaketimeMT.so.1 \
	    /usr/lib/faketime/libfaketimeMT.so.1; do
		[ -e "$lib" ] && break
	done
	[ -e "$lib" ] || skip "libfaketime is not installed"
	! is_san || skip "a library to load does not go with sanitizers"
	mkdir root
	logcreate root/t
	seq 9 | logappend root/t
	clock +0
	faked
}

# clock OFFSET: from now on it is that much later for the server.
clock() {
	echo "$1" >clock.new
	mv clock.new clock
}

# The server, with that clock.
faked() {
	LD_PRELOAD=$lib FAKETIME_TIMESTAMP_FILE=$PWD/clock FAKETIME_NO_CACHE=1 \
	    FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 serve
}

# visit GROUP: a member comes, commits and leaves; sets generation.
visit() {
	local member=
	while
		call JoinGroup 5 group_id="$1" session_timeout_ms=30000 \
			rebalance_timeout_ms=30000 protocol_type=some \
			protocols.0.name=some protocols.0.metadata=x \
			member_id="$member"
		member=$(field member_id)
		[ "$(field error_code)" = 79 ]
	do :; done
	is error_code 0
	generation=$(field generation_id)
	call SyncGroup 3 group_id="$1" generation_id="$generation" \
		member_id="$member" assignments.0.member_id="$member" \
		assignments.0.assignment=some
	is error_code 0
	call OffsetCommit 7 group_id="$1" topics.0.name=t \
		generation_id_or_member_epoch="$generation" \
		member_id="$member" topics.0.partitions.0.committed_offset=5
	is topics.0.partitions.0.error_code 0
	call LeaveGroup 2 group_id="$1" member_id="$member"
	is error_code 0
}

again() {
	stop_serving
	faked
}

committed() {
	call OffsetFetch 5 group_id=g topics.0.name=t \
		topics.0.partition_indexes.0=0
	is topics.0.partitions.0.committed_offset 5
}

@test 'six days without members, and eight, when the server starts' {
	visit g
	stop_serving
	clock +6d
	faked
	visit g
	[ "$generation" -gt 1 ]
	stop_serving
	clock +14d
	faked
	committed
	visit g
	[ "$generation" -eq 1 ]
}

# When it starts again, the clock has gone back, and nothing is old.
@test 'six days without members, and eight, while it runs' {
	visit g
	clock +6d
	visit other
	clock +0
	again
	visit g
	[ "$generation" -gt 1 ]
	clock +8d
	visit other
	clock +0
	again
	committed
	visit g
	[ "$generation" -eq 1 ]
}
