# Groups of consumers over restarts of the server: generations go on, members
# stay.

# Each test has a member of its own.
# shellcheck disable=SC2030,SC2031
load server

# subscription [TOPIC]...: version 1, those (t), names of one letter; no user data.
subscription() {
	[ $# -gt 0 ] || set -- t
	printf '%b' "\\0\\1\\0\\0\\0\\0$#"
	printf '\0\1%s' "$@"
	printf '\0\0\0\0'
}

# join ID [FIELD=VALUE]...: to the group g, and leave the answer in $out.
join() {
	subscription >sub.bin
	call JoinGroup 5 group_id=g session_timeout_ms=30000 \
		rebalance_timeout_ms=30000 protocol_type=consumer \
		protocols.0.name=range protocols.0.metadata=@sub.bin \
		member_id="$1" "${@:2}"
}

# enter [FIELD=VALUE]...: a member, alone in its group; sets member, generation.
enter() {
	join '' "$@"
	if [ "$(field error_code)" = 79 ]; then
		join "$(field member_id)" "$@"
	fi
	is error_code 0
	member=$(field member_id)
	generation=$(field generation_id)
}

# sync [FIELD=VALUE]...: as the leader, which assigns itself some text.
sync() {
	call SyncGroup 3 group_id=g generation_id="$generation" \
		member_id="$member" assignments.0.member_id="$member" \
		assignments.0.assignment=some "$@"
	is error_code 0 assignment some
}

# beat CODE [FIELD=VALUE]...
beat() {
	call Heartbeat 3 group_id=g generation_id="$generation" \
		member_id="$member" "${@:2}"
	is error_code "$1"
}

# commit CODE GENERATION
commit() {
	call OffsetCommit 7 group_id=g generation_id_or_member_epoch="$2" \
		member_id="$member" topics.0.name=t \
		topics.0.partitions.0.committed_offset=5
	is topics.0.partitions.0.error_code "$1"
}

killed() {
	kill -9 "$server_pid"
	wait_exit 137 "$server_pid"
	serve -v -l "$address"
}

@test 'a stable group goes on after kill -9' {
	logcreate root/t
	enter
	sync
	killed
	beat 0
	commit 0 "$generation"
	commit 22 $((generation - 1))
	call DescribeGroups 3 groups.0=g
	is groups.0.group_state Stable groups.0.protocol_data range \
		groups.0.members.0.member_id "$member" \
		groups.0.members.0.member_assignment some
	call SyncGroup 3 group_id=g generation_id="$generation" \
		member_id="$member"
	is error_code 0 assignment some
	# The next generation is the next one.
	join "$member"
	is error_code 0 generation_id $((generation + 1))
}

@test 'and after TERM' {
	logcreate root/t
	enter
	sync
	stop_serving
	serve -l "$address"
	beat 0
}

@test 'a generation that was told is not told again' {
	logcreate root/t
	enter
	killed
	# Nothing was assigned: they have to join again, and may.
	beat 27
	commit 0 "$generation"
	join "$member"
	is error_code 0 generation_id $((generation + 1)) leader "$member"
	generation=$((generation + 1))
	sync
	call LeaveGroup 2 group_id=g member_id="$member"
	is error_code 0
	killed
	beat 25
	enter
	[ "$generation" -eq 4 ]
	call LeaveGroup 2 group_id=g member_id="$member"
	killed
	# But for a group that was deleted.
	call DeleteGroups 1 groups_names.0=g
	is results.0.error_code 0
	killed
	enter
	[ "$generation" -eq 1 ]
}

@test 'static members stay, also one whose id is new' {
	logcreate root/t
	enter group_instance_id=one
	sync group_instance_id=one
	killed
	beat 0 group_instance_id=one
	local before=$member
	join '' group_instance_id=one
	is error_code 0 generation_id "$generation"
	member=$(field member_id)
	[ "$member" != "$before" ]
	killed
	beat 0 group_instance_id=one
	member=$before
	beat 82 group_instance_id=one
}

@test 'local readers who came meanwhile have the group' {
	seq 9 | logappend root/t --create
	# It is told that it is no member any more: nobody waits for it.
	enter session_timeout_ms=300000 rebalance_timeout_ms=300000
	sync
	kill -9 "$server_pid"
	wait_exit 137 "$server_pid"
	start reader logtail -f -g g root/t
	wait_for has_lines reader.out 9
	serve -l "$address"
	grep -q 'group refused: group=g topic=t' server.err
	beat 25
	join ''
	is error_code 23
	kill "$reader_pid"
	wait_exit 143 "$reader_pid"
	enter
	[ "$generation" -eq 2 ]
}

@test 'a group with members here is not changed beside them' {
	seq 9 | logappend root/t --create
	start reader kcat -E -G g -b "$address" -X auto.offset.reset=earliest \
		-X auto.commit.interval.ms=100 -u t
	wait_for logadmin group describe root/t g
	run_tool 4 logadmin group seek root/t g -o 0
	same "$err" 'logadmin: root/t: group g is in use; end its members first'
	run_tool 4 logadmin group seek root/t g -o 0 --dry-run
	run_tool 4 logadmin group rm root/t g
	kill "$reader_pid"
	wait_exit 0 "$reader_pid"
	run_tool 0 logadmin -q group seek root/t g -o 0
	same "$out" 'g t 0 9 0'

	# Who joins while logadmin has it tries again.
	logadmin group rm root/t g
	mkfifo hold
	# shellcheck disable=SC2016 # it is Perl
	start admin perl -e 'use Fcntl;
	    open(my $f, "+<", "root/t/groups/g.members") or die $!;
	    my $lock = pack("s s x4 q q l x4", F_WRLCK, 0, 0, 1, 0);
	    fcntl($f, 37, $lock) or die $!; # F_OFD_SETLK
	    print "has it\n";
	    close(STDOUT);
	    open(my $end, "<", "hold")'
	wait_for has_lines admin.out 1
	join ''
	is error_code 79
	join "$(field member_id)"
	is error_code 15
	echo >hold
	wait_exit 0 "$admin_pid"
	enter
}

# join_as GROUP CODE [FIELD=VALUE]...: with the subscription of sub.bin.
join_as() {
	call JoinGroup 3 group_id="$1" session_timeout_ms=30000 \
		rebalance_timeout_ms=30000 protocol_type=consumer \
		protocols.0.name=range protocols.0.metadata=@sub.bin "${@:3}"
	is error_code "$2"
}

# local_reads CODE GROUP TOPIC: a local program, as that group.
local_reads() {
	run_tool "$1" logcat -g "$2" "root/$3"
}

open_files() {
	find "/proc/$server_pid/fd" -mindepth 1 | wc -l
}

@test 'what is refused leaves nothing behind' {
	logcreate root/t root/u
	subscription >sub.bin
	join_as before 26 session_timeout_ms=1
	local files
	files=$(open_files)
	for i in {1..20}; do
		join_as "x$i" 26 session_timeout_ms=1
	done
	join_as y 25 member_id=nobody
	# Too much for a group: a name, very often.
	perl -e 'print pack("nN", 0, 2e6), "\0\1t" x 2e6, pack "N", -1' >sub.bin
	join_as z 81
	[ "$(open_files)" -le "$files" ]
	[ ! -e root/t/groups ]
	# One that is to come back with its id is no member.
	subscription >sub.bin
	join ''
	is error_code 79
	local_reads 0 g t
	local_reads 0 y t
}

@test 'a join that is refused for one topic does not hold another' {
	logcreate root/t root/u
	echo x | logappend root/t
	start reader logtail -f -g g root/t
	wait_for has_lines reader.out 1
	subscription u t >sub.bin
	join_as g 23
	local_reads 0 g u
	# Nor if there are members, who have what they had.
	subscription u >sub.bin
	join_as g 0
	local member
	member=$(field member_id)
	subscription u v t >sub.bin
	logcreate root/v
	join_as g 23 member_id="$member"
	local_reads 0 g v
	local_reads 1 g u
	kill "$reader_pid"
	wait_exit 143 "$reader_pid"
}

@test 'what no member subscribes to any more is free' {
	logcreate root/t root/u
	subscription t u >sub.bin
	join_as g 0
	local member
	member=$(field member_id)
	local_reads 1 g t
	local_reads 1 g u
	subscription t >sub.bin
	join_as g 0 member_id="$member"
	local_reads 1 g t
	local_reads 0 g u
	call LeaveGroup 1 group_id=g member_id="$member"
	local_reads 0 g t
}

@test 'a topic that is made anew is held, too' {
	logcreate root/t
	enter
	sync
	rm -r root/t
	logcreate root/t
	echo x | logappend root/t
	# By the next commit, or the next join.
	commit 0 "$generation"
	local_reads 1 g t
	rm -r root/t
	logcreate root/t
	echo x | logappend root/t
	join "$member"
	is error_code 0
	generation=$(field generation_id)
	local_reads 1 g t
	# If a local program was first, it has it.
	rm -r root/t
	logcreate root/t
	echo x | logappend root/t
	start reader logtail -f -g g root/t
	wait_for has_lines reader.out 1
	sync
	commit 25 "$generation"
	join "$member"
	is error_code 23
	kill "$reader_pid"
	wait_exit 143 "$reader_pid"
}

@test 'a member that does not come back is missed' {
	logcreate root/t
	subscription >sub.bin
	enter session_timeout_ms=6000
	sync
	killed
	wait_for grep -q 'group=g state=Empty' server.err
}

@test 'positions are deleted of groups and partitions that there are' {
	logcreate -P 2 root/t
	logcreate root/u
	call OffsetDelete 0 group_id=g topics.0.name=t \
		topics.0.partitions.0.partition_index=0
	is error_code 69 topics '[]'
	[ ! -e root/t/groups ]
	# Its positions are all that is known of it.
	call OffsetCommit 2 group_id=g generation_id_or_member_epoch=-1 \
		topics.0.name=t topics.0.partitions.0.committed_offset=1
	is topics.0.partitions.0.error_code 0
	call OffsetDelete 0 group_id=g topics.0.name=t \
		topics.0.partitions.{0.partition_index=2,1.partition_index=0} \
		topics.0.partitions.2.partition_index=-1 topics.1.name=u \
		topics.1.partitions.0.partition_index=0 topics.2.name=nope \
		topics.2.partitions.0.partition_index=0
	is error_code 0 topics.0.partitions.0.error_code 3 \
		topics.0.partitions.1.error_code 0 \
		topics.0.partitions.2.error_code 3 \
		topics.1.partitions.0.error_code 0 \
		topics.2.partitions.0.error_code 3
	call OffsetFetch 1 group_id=g topics.0.name=t \
		topics.0.partition_indexes.0=0
	is topics.0.partitions.0.committed_offset -1
	call OffsetDelete 0 group_id=g topics.0.name=t \
		topics.0.partitions.0.partition_index=0
	is error_code 69
	# Or its members.
	enter
	call OffsetDelete 0 group_id=g topics.0.name=t \
		topics.0.partitions.0.partition_index=0
	is error_code 0 topics.0.partitions.0.error_code 86
}

@test 'a client in a group goes on over kill -9' {
	logcreate -P 2 root/t
	start reader kcat -E -G g -b "$address" -X auto.offset.reset=earliest \
		-X reconnect.backoff.max.ms=200 -u t
	echo one | logappend root/t
	wait_for grep -qx one reader.out
	killed
	echo two | logappend root/t
	wait_for grep -qx two reader.out
	call DescribeGroups 3 groups.0=g
	is groups.0.group_state Stable groups.0.members.0.client_id rdkafka
	kill "$reader_pid"
	wait_exit 0 "$reader_pid"

	# Each line once, and no rebalance was needed.
	same "$(sort reader.out)" $'one\ntwo'
	[ "$(grep -c 'assigned:' reader.err)" -eq 1 ]
}

@test 'where a new group begins is noted before it reads' {
	logcreate root/t
	# More than a pipe takes: its first write does not end.
	seq 100000 | logappend root/t
	mkfifo full
	exec {fd}<>full
	start a sh -c "exec logtail -f -g g -o -90000 kafka://$address/t >full"
	wait_for logadmin group describe root/t g
	kill -9 "$a_pid"
	exec {fd}>&-
	run_tool 0 logadmin -q group describe root/t g
	has "$out" 'g t 0 10000 '
}

# place GROUP TOPIC: a position of a group without members.
place() {
	"$CALL" "$address" OffsetCommit 2 group_id="$1" \
		generation_id_or_member_epoch=-1 topics.0.name="$2" \
		topics.0.partitions.0.committed_offset=1
}

# Threads: those that have begun to work on a request, and two loops.
is_busy() {
	[ "$(find "/proc/$server_pid/task" -mindepth 1 -maxdepth 1 | wc -l)" \
		-gt "$1" ]
}

# hold_positions: a local program is stopped while it holds the log of those of t.
hold_positions() {
	local preload=$ROOT/build/tests/fault/fault_preload.so
	[ -e "$preload" ] || skip "fault_preload.so is not built"
	place first t
	start holder env LD_PRELOAD="$preload" FAULT=write:1:stop \
	    FAULT_LOG="$PWD/log" "$ROOT/bin/logadmin" group seek root/t local -o 0
	wait_for test -s log
}

# placed CODE NAME: that is how it went.
placed() {
	local pid=$2_pid
	wait_exit 0 "${!pid}"
	grep -qx "topics.0.partitions.0.error_code=$1" "$2.out"
}

# are_gone COUNT PID...: so many of them at least.
are_gone() {
	local count=$1 pid
	for pid in "${@:2}"; do
		! process_gone "$pid" || count=$((count - 1))
	done
	[ "$count" -le 0 ]
}

@test 'a local program that is stopped holds up its own topic, for a while' {
	logcreate root/t root/u
	echo x | logappend root/t
	echo x | logappend root/u
	hold_positions
	local i
	for i in {1..5}; do
		start "place$i" place "g$i" t
	done
	wait_for is_busy 7
	# Meanwhile all others, and who joins for the same topic.
	enter
	sync
	beat 0
	call OffsetFetch 1 group_id=first topics.0.name=t \
		topics.0.partition_indexes.0=0
	is topics.0.partitions.0.committed_offset 1
	call ListGroups 0
	out=$(place other u)
	is topics.0.partitions.0.error_code 0
	process_gone "$place1_pid" && return 1
	for i in {1..5}; do
		placed 15 "place$i"
	done
	same "$(grep -c 'commit failed: path=[^ ]*root/t why=' server.err)" 1
	# One tries; nobody waits for it.
	start trial1 place a t
	start trial2 place b t
	start trial3 place c t
	wait_for are_gone 2 "$trial1_pid" "$trial2_pid" "$trial3_pid"
	are_gone 3 "$trial1_pid" "$trial2_pid" "$trial3_pid" && return 1
	kill -CONT "$holder_pid"
	wait_exit 0 "$holder_pid"
	for i in {1..3}; do
		pid=trial${i}_pid
		wait_exit 0 "${!pid}"
	done
	[ "$(cat trial?.out | grep -c 'partitions.0.error_code=15')" -eq 2 ]
	out=$(place c t)
	is topics.0.partitions.0.error_code 0
}

@test 'commits of many groups go to the disk together' {
	local i
	logcreate root/t root/u
	echo x | logappend root/t
	echo x | logappend root/u
	hold_positions
	for i in {1..12}; do
		start "place$i" place "g$i" t
	done
	wait_for is_busy 14
	# It is no affair of other topics.
	out=$(place g u)
	is topics.0.partitions.0.error_code 0
	kill -9 "$holder_pid"
	for i in {1..12}; do
		placed 0 "place$i"
	done
	# One was being written when the others came.
	batches=$(perl -0777 -ne 'for (my $at = 0; $at < length;
	    $at += 12 + unpack "N", substr $_, $at + 8, 4) { $n++ }
	    print $n' root/t/groups/*.log)
	echo "$batches batches of 13 commits"
	[ "$batches" -le 9 ]
}

@test 'groups are deleted, in all topics that they have read' {
	logcreate root/t root/u
	enter
	sync
	for i in a b c; do
		place "$i" t >/dev/null
		place "$i" u >/dev/null
	done
	echo x | logappend root/u
	start reader logtail -f -g c root/u
	wait_for test -e root/u/groups/c.members
	call DeleteGroups 1 groups_names.0=b groups_names.1=g \
		groups_names.2=nobody groups_names.3= groups_names.4=c \
		groups_names.5=b
	is results.0.group_id b results.0.error_code 0 \
		results.1.error_code 68 results.2.error_code 69 \
		results.3.error_code 24 results.4.error_code 68 \
		results.5.error_code 0
	kill "$reader_pid"
	wait_exit 143 "$reader_pid"
	for i in t u; do
		call OffsetFetch 1 group_id=b topics.0.name=$i \
			topics.0.partition_indexes.0=0
		is topics.0.partitions.0.committed_offset -1
		call OffsetFetch 1 group_id=a topics.0.name=$i \
			topics.0.partition_indexes.0=0
		is topics.0.partitions.0.committed_offset 1
	done
	call DeleteGroups 1 groups_names.0=b
	is results.0.error_code 69
}

@test 'as many as a request may name' {
	eval "logcreate root/t{1..150}"
	# shellcheck disable=SC2016 # perl's
	run_tool 0 perl -e 'use Socket;
	    my ($host, $port) = split ":", shift;
	    my $n = 200000;
	    my $body = pack("nnNn", 42, 0, 7, 0) . pack("N", $n) .
		join "", map { pack "n/a*", "g$_" } 1 .. $n;
	    socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
	    connect($s, sockaddr_in($port, inet_aton($host))) or die $!;
	    print {$s} pack "N/a*", $body;
	    $s->flush;
	    my $all = "";
	    while (length $all < 4 || length $all < 4 + unpack "N", $all) {
		sysread($s, $all, 1 << 20, length $all) or die "closed";
	    }
	    my $none = () = $all =~ /\0E/g;
	    print $none' "$address"
	[ "$out" -ge 200000 ]
}
