# logreplicate --server --under DIR: nothing that is not below it.
load ../helpers

setup() {
	helpers_setup
	cat >ssh <<'END'
#!/bin/sh
exec logreplicate --server $LIMITS
END
	chmod +x ssh
	mkdir in out
	logcreate a
	echo 1 | logappend a
	export LIMITS="--under $PWD/in"
}

copy() {
	run_tool "$1" logreplicate --rsh ./ssh "${@:2}"
}

outside='outside of what this key may reach'

@test "links are followed as long as they stay below" {
	logcreate out/t
	logcreate in/real
	ln -s ../out/t in/t
	ln -s real in/same
	copy 1 a host:t
	has "$err" "$outside"
	copy 0 a host:same
	same "$(logcat in/real)" 1
}

@test "a root: no topic that a link leads out to, in no direction" {
	mkdir root
	logcreate out/t
	ln -s ../out/t in/t
	cp -a a root/t
	cp -a a root/u
	copy 1 root host:.
	same "$err" "logreplicate: t: host:./t: $outside"
	same "$(logcat out/t)" ''
	same "$(logcat in/u)" 1
	echo secret | logappend out/t
	mkdir pulled
	copy 0 host:. pulled
	same "$(echo pulled/*)" pulled/u
}

@test "the root directory, trailing slashes, and what is missing" {
	LIMITS='--under /' copy 0 a "host:$PWD/in/one"
	same "$(logcat in/one)" 1
	LIMITS='--under /' copy 0 a "host:$PWD/in/two/"
	copy 0 a host:three/
	same "$(logcat in/two in/three)" $'1\n1'
	copy 1 a host:none/b
	same "$err" 'logreplicate: host:none/b: No such file or directory'
	# Where nothing is, nothing is told of what is outside.
	copy 1 a "host:$PWD/none/b"
	same "$err" "logreplicate: host:$PWD/none/b: $outside"
	copy 1 a "host:three/../b"
	has "$err" "$outside"
	copy 1 a "host:$PWD/in-other"
	has "$err" "$outside"
	LIMITS="--under $PWD/gone" copy 1 a host:b
	has "$err" 'No such file or directory'
}
