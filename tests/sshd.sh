# shellcheck shell=bash
# An sshd of one's own, for tests and measurements: sourced.
#
#	sshd_start DIR		on loopback, at a port that was free, with keys and
#				settings in DIR; $sshd_pid is its process, and
#				"ssh -F DIR/ssh_config there" gets in
#	sshd_key DIR NAME [OPTIONS]
#				more keys, before that
#				sshd_key DIR NAME [OPTIONS]
#
# sshd_address is where it listens, if not on loopback, and sshd_netns the network
# namespace (ip-netns(8)) in which it does.
#
# Sessions have the PATH of who starts it.  Programs: sshd, ssh, ssh-keygen.

sshd_program=/usr/sbin/sshd

# A pair of keys; OPTIONS before it in authorized_keys, or - for a stranger's.
sshd_key() {
	ssh-keygen -q -t ed25519 -N '' -f "$1/$2" || return 1
	[ "${3:-}" = - ] ||
		echo "${3:+$3 }$(cat "$1/$2.pub")" >>"$1/authorized_keys"
}

sshd_start() {
	local dir=$1
	sshd_key "$dir" host - && sshd_key "$dir" user || return 1
	for _ in 1 2 3 4 5 6 7 8 9; do
		sshd_port=$((RANDOM % 20000 + 30000))
		sshd_write_configs "$dir"
		: >"$dir/sshd.err"
		# As root it wants an empty directory of root's in /run.
		if [ "$(id -u)" -eq 0 ]; then
			${sshd_netns:+ip netns exec "$sshd_netns"} \
			    unshare -m sh -c "mount -t tmpfs none /run &&
			    mkdir /run/sshd &&
			    exec $sshd_program -D -e -f '$dir/sshd_config'" \
			    2>"$dir/sshd.err" 3>&- &
		else
			$sshd_program -D -e -f "$dir/sshd_config" \
			    2>"$dir/sshd.err" 3>&- &
		fi
		sshd_pid=$!
		until grep -qE 'listening|Cannot bind|fatal' "$dir/sshd.err" ||
		    ! kill -0 $sshd_pid 2>/dev/null; do
			sleep 0.01
		done
		! grep -q listening "$dir/sshd.err" || return 0
		wait $sshd_pid || true
	done
	cat "$dir/sshd.err" >&2
	return 1
}

sshd_write_configs() {
	cat >"$1/sshd_config" <<END
ListenAddress ${sshd_address:-127.0.0.1}:$sshd_port
HostKey $1/host
AuthorizedKeysFile $1/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
SetEnv PATH=$PATH ${ASAN_OPTIONS:+ASAN_OPTIONS=$ASAN_OPTIONS}
END
	echo "[${sshd_address:-127.0.0.1}]:$sshd_port $(cut -d' ' -f1,2 "$1/host.pub")" \
	    >"$1/known_hosts"
	cat >"$1/ssh_config" <<END
Host there
	HostName ${sshd_address:-127.0.0.1}
	Port $sshd_port
	User $(id -un)
	IdentityFile $1/user
	IdentitiesOnly yes
	IdentityAgent none
	UserKnownHostsFile $1/known_hosts
	StrictHostKeyChecking yes
	BatchMode yes
	LogLevel ERROR
END
}
