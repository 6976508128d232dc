# logreplicate with the calls of one end failing in turn, or that end killed
# there: it ends, says why, and the next run makes a sound copy.
#	FAULT_ALL=1	each call, not a random part
#	SEED=N		repeats a run

load ../helpers

preload=$ROOT/build/tests/fault/fault_preload.so

setup() {
	helpers_setup
	[ -e "$preload" ] || skip 'no preload library: make slows'
	cat >ssh <<'END'
#!/bin/sh
shift
exec sh -c "$*"
END
	cat >faulty-ssh <<END
#!/bin/sh
shift
export FAULT FAULT_LOG
LD_PRELOAD=$preload exec sh -c "exec \$*"
END
	chmod +x ssh faulty-ssh
	logcreate --segment-bytes 600 -P 2 a
	for i in 1 2 3 4; do
		seq "$i" 9 | logappend -p $((i % 2)) --batch-bytes 200 a
	done
	for i in 1 2; do
		# A producer's id makes snapshots.
		logcat -g "g$i" a >/dev/null
	done
}

@test "a receiver that makes many topics on a slow disk is heard of meanwhile" {
	mkdir root
	logcreate root/t{1..120}
	run_tool 0 env FAULT=sync:1:slow FAULT_LOG="$PWD/fault.log" logreplicate --io-timeout 2s --rsh ./faulty-ssh root \
	    "host:$PWD/copy"
	made=(copy/*)
	same "${#made[@]}" 120
}

same_log() {
	local file
	for file in a/[01]/*.log; do
		cmp "$file" "b/${file#a/}" || return 1
	done
	run_tool 0 logfsck b
}

# One run with a fault; false if it was not reached.
run_one() {
	local got=0
	rm -rf b fault.log
	cp -r "$before" b 2>/dev/null || true
	export FAULT=$1 FAULT_LOG=$PWD/fault.log
	timeout -k 1 20 "${command[@]}" >out 2>err || got=$?
	unset FAULT FAULT_LOG
	[ -s fault.log ] || return 1
	count=$((count + 1))
	case $got in
	0 | 1 | 3 | 4) ;;
	137) [[ $1 == *kill* ]] ;;
	*) false ;;
	esac || {
		echo "$FAULT: exit status $got"
		cat err fault.log
		return 2
	}
	[ "$got" -eq 0 ] || [ "$got" -eq 137 ] || [ -s err ] || {
		echo "$1: exit status $got, and nothing is said"
		return 2
	}
	# Who says that it is done has a whole copy, without another run.
	if [ "$got" -eq 0 ] && ! same_log; then
		echo "$1: exit status 0, and this is left"
		cat err fault.log
		return 2
	fi
	if ! run_tool 0 logreplicate --groups a b || ! same_log; then
		echo "$1: what it left"
		cat err fault.log
		return 2
	fi
}

# Each way at each call.
run_all() {
	local way n rc
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	count=0
	for way in open:EIO open:EMFILE+ read:EIO read:half write:EIO \
	    write:ENOSPC write:half write:half-ENOSPC sync:EIO sync:EIO+ \
	    rename:EIO unlink:EIO mkdir:ENOSPC truncate:EIO alloc:ENOMEM \
	    change:kill-before change:kill-after write:half-kill; do
		for ((n = 1; ; n += ${FAULT_ALL:-RANDOM % 20 + 1})); do
			rc=0
			run_one "${way%:*}:$n:${way#*:}" || rc=$?
			[ "$rc" -ne 2 ] || return 1
			[ "$rc" -eq 0 ] || break
		done
	done
	echo "# $count faults" >&3
	[ "$count" -gt 10 ]
}

@test 'the receiver' {
	before=none
	command=(logreplicate --groups --rsh ./faulty-ssh a "host:$PWD/b")
	run_all
}

@test 'a receiver that goes on' {
	run_tool 0 logreplicate a first
	seq 100 | logappend -p 0 --batch-bytes 200 a
	before=first
	command=(logreplicate --groups --rsh ./faulty-ssh a "host:$PWD/b")
	run_all
}

@test 'the sender' {
	before=none
	command=(logreplicate --groups --rsh ./faulty-ssh "host:$PWD/a" b)
	run_all
}
