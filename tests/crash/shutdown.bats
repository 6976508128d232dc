# Power cuts of real file systems: ext4 and xfs on a loop device are shut down
# without a flush of their journals while writers append (the ioctl that
# FS_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN share), mounted again, and judged.
#	POWER_CUTS=100	cuts of each file system
#	SEED=N		repeats the choices of a run

load ../helpers

setup() {
	helpers_setup
	[ "$(id -u)" -eq 0 ] || skip 'mounting needs root'
	cc -O2 -D_GNU_SOURCE -o oracle \
	    "${BATS_TEST_FILENAME%/*}/../oracle/oracle.c"
	mkdir disk
}

teardown() {
	! mountpoint -q "$BATS_TEST_TMPDIR/disk" ||
		umount -l "$BATS_TEST_TMPDIR/disk"
}

cut_power() {
	perl -e 'open(my $d, "<", $ARGV[0]) or die "$!\n";
	    my $how = pack("L", 2);
	    ioctl($d, 0x8004587d, $how) or die "$!\n"' "$1"
}

# cuts MKFS...: then cut the power again and again.
cuts() {
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "SEED=$seed"
	command -v "$1" >/dev/null || skip "$1 is not installed"
	truncate -s 400M image
	"$@" image >/dev/null
	mount -o loop image disk 2>/dev/null || skip 'no loop device'
	syncs=(batch always always)
	for ((n = 0; n < ${POWER_CUTS:-100}; n++)); do
		# Another topic now and then: of small segments, or large.
		if ((n % 10 == 0)); then
			rm -rf disk/t journals
			mkdir journals
			logcreate --segment-bytes $((RANDOM % 60 + 4))K disk/t
		fi
		# In every other one with pauses: acknowledged at once.
		./oracle write -f -w $((RANDOM % 3 + 1)) -b 3000 -s "$RANDOM" \
		    -p $((n % 2 ? 1500 : 20000)) \
		    -t "cut$n" "journals/$n" logappend --report \
		    --fsync "${syncs[RANDOM % 3]}" \
		    --batch-bytes $((RANDOM % 3000 + 200)) disk/t \
		    >oracle.out 2>errors 3>&- &
		pid=$!
		read -r -t "0.$(printf %03d $((RANDOM % 700 + 100)))" <><(:) ||
			true
		# What is acknowledged while the power goes does not count: for
		# a moment the kernel lets syncs succeed in vain.
		kill -STOP "$pid"
		cut_power disk
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null || true
		wait_for umount disk
		mount -o loop image disk
		logcat -F '%p %o %s\n' disk/t >there 2>judge.err
		cat judge.err
		[ ! -s judge.err ]
		./oracle judge -d journals/* <there
		run_tool 0 logappend disk/t </dev/null
	done
	umount disk
	echo "# $n cuts, $(cat journals/* | grep -c ^k) of the last" \
		"$(wc -l <there) events acknowledged" >&3
}

@test 'ext4' {
	cuts mkfs.ext4 -q
}

@test 'xfs' {
	cuts mkfs.xfs -q
}
