# Power cuts of real file systems: ext4 and xfs on a loop device are shut down
# without a flush of their journals while one to eight writers append and a
# reader follows; mounted again, and judged by the oracle, which knows what was
# acknowledged before the cut.  What the reader saw then must be there, too.
# The loop device is memory, and a sync of it is over at once; in half of the
# cuts it takes as long as a disk's, so that the cut comes in the middle of one.
#	POWER_CUTS=100	cuts of each file system
#	SEED=N		repeats the choices of a run

load ../helpers

PRELOAD=$ROOT/build/tests/fault/fault_preload.so

setup() {
	helpers_setup
	[ "$(id -u)" -eq 0 ] || skip 'mounting needs root'
	need unshare
	[ -e "$PRELOAD" ] || skip 'fault_preload.so is not built'
	cc -O2 -D_GNU_SOURCE -o oracle \
	    "${BATS_TEST_FILENAME%/*}/../oracle/oracle.c"
	mkdir memory disk
}

# alone FUNCTION [ARG]...: in a mount namespace of its own, which ends with it.
# Else one that another test makes meanwhile (sshd.sh, ip-netns(8)) would have
# our mounts, too, and a file system that was shut down would not go with ours.
alone() {
	local status=0
	export TOOL_TIMEOUT BATS_TEST_TMPDIR PRELOAD
	unshare -m bash -eE -c "$(declare -f)
	    skip() { echo \"\$1\" >why; exit 77; }
	    trap 'echo \"failed: \$BASH_COMMAND\"' ERR
	    \"\$@\"" alone "$@" || status=$?
	[ "$status" -ne 77 ] || skip "$(<why)"
	return "$status"
}

# Every line of what the reader printed, but for one cut short, is there.
reader_was_right() {
	head -n "$(lines seen)" seen | sort >seen.sorted
	sort there | comm -23 seen.sorted - >vanished
	head -n 3 vanished
	[ ! -s vanished ]
}

# judge TAG: what was acknowledged is there, and who writes next goes on.
judge() {
	logcat -F '%p %o %s\n' disk/t >there 2>judge.err || true
	cat judge.err
	[ ! -s judge.err ]
	./oracle judge -d journals/* <there
	reader_was_right
	./oracle write -n 1 -t "$1" "journals/$1" logappend -q --report disk/t
	logcat -F '%p %o %s\n' disk/t >after
	cmp -n "$(stat -c %s there)" after there
	./oracle judge -d journals/* <after
	run_tool 0 logfsck disk/t
}

# cuts MKFS...: then cut the power again and again.
cuts() {
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	command -v "$1" >/dev/null || skip "$1 is not installed"
	mount -t tmpfs -o size=300m tmpfs memory || skip 'no tmpfs'
	truncate -s 300M memory/image
	"$@" memory/image >/dev/null
	mount -o loop memory/image disk || skip 'no loop device'
	syncs=(batch always)
	sizes=(100 3000 20000)
	slow=(env "LD_PRELOAD=$PRELOAD" FAULT=sync:1:slow)
	acked=0
	rolls=0
	for ((n = 0; n < ${POWER_CUTS:-100}; n++)); do
		# Another topic now and then: of small segments, or large.
		if ((n % 10 == 0)); then
			rm -rf disk/t journals
			mkdir journals
			logcreate --segment-bytes $((RANDOM % 60 + 4))K disk/t
		fi
		before=(disk/t/0/*.log)
		disk=()
		((n % 2)) || disk=("${slow[@]}")
		timeout -k 5 120 ./oracle write -c -w $((RANDOM % 8 + 1)) \
		    -b "${sizes[RANDOM % 3]}" -s "$RANDOM" -t "cut$n" \
		    -e $((RANDOM % 600 + 1)) -z disk \
		    -r "exec logtail -f -o start -F '%p %o %s\n' disk/t >seen" \
		    "journals/$n" "${disk[@]}" logappend --report \
		    --fsync "${syncs[RANDOM % 2]}" \
		    --batch-bytes $((RANDOM % 3000 + 200)) disk/t \
		    >oracle.out 2>errors 3>&- || {
			cat oracle.out errors
			return 1
		}
		wait_for umount disk
		mount -o loop memory/image disk
		judge "after$n"
		: $((acked += $(grep -c ^k "journals/$n")))
		logs=(disk/t/0/*.log)
		: $((rolls += ${#logs[@]} - ${#before[@]}))
	done
	umount disk
	echo "# $n cuts, $acked events acknowledged," \
		"$rolls rolls" >&3
	((acked > 50 * n))
}

@test 'ext4' {
	alone cuts mkfs.ext4 -q
}

@test 'xfs' {
	alone cuts mkfs.xfs -q
}
