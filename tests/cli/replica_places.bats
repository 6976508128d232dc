# Where logreplicate copies from and to: directories of topics of which there are
# none yet, and what is said of which host.
load ../helpers

setup() {
	helpers_setup
	# shellcheck disable=SC2016 # they are of the script's own
	printf '#!/bin/sh\n[ "$1" != -p ] || shift 2\nshift\nexec sh -c "$*"\n' >ssh
	chmod +x ssh
	seq 5 | logappend --create a
}

over_ssh() {
	run_tool "$1" logreplicate --rsh ./ssh "${@:2}"
}

has_records() {
	[ "$(logcat "$1" | wc -l)" -eq "$2" ]
}

@test "what failed at the other end is told with its host" {
	over_ssh 1 a there:/proc/o
	same "$err" 'logreplicate: a: there:/proc/o: No such file or directory'
	run_tool 1 logreplicate a /proc/o
	same "$err" 'logreplicate: a: /proc/o: No such file or directory'
	over_ssh 1 a "ssh://user@there:22$PWD/none/o"
	same "$err" "logreplicate: a: ssh://user@there:22$PWD/none/o: No such file or directory"
	over_ssh 1 there:none/such b
	same "$err" 'logreplicate: there:none/such: no such topic'
	# The same name on both: whose is damaged?
	mkdir home
	# shellcheck disable=SC2016
	printf '#!/bin/sh\nshift\ncd home && exec sh -c "$*"\n' >ssh
	over_ssh 0 a there:a
	logadmin topic promote home/a
	over_ssh 4 a there:a
	has "$err" 'logreplicate: a: there:a/0: it was promoted'
	printf X | dd of=a/0/00000000000000000000.log bs=1 seek=70 \
	    conv=notrunc status=none
	over_ssh 3 a there:b
	has "$err" 'logreplicate: a/0: a/0/00000000000000000000.log: damaged'
	mv a home/damaged
	over_ssh 3 there:damaged b
	has "$err" 'logreplicate: damaged/0: there:damaged/0/00000000000000000000.log: damaged'
}

# pull_from FRAME...: one topic, from who says these frames whatever it is told.
pull_from() {
	# shellcheck disable=SC2016
	printf '#!/bin/sh\nprintf '"'%s'"'\nexec cat >/dev/null\n' \
	    "$(printf %s "$@")" >ssh
	over_ssh 1 there:a b
}

zeros() {
	printf '\\000%.0s' $(seq "$1")
}

@test "a source that ends before it has sent what it offered" {
	local hello topic offer end
	hello='\000\000\000\025\001\364\375\034\120\035\256\070LKRP'
	hello+="\\000\\001\\000\\001$(zeros 7)\\001\\001$(zeros 3)1"
	topic='\000\000\000\051\003\037\075\014\000\234\116\355'
	topic+="$(zeros 7)\\001$(zeros 33)"
	# Offsets 0 to 99 of partition 0.
	offer='\000\000\000\030\004\071\323\023\022\161\342\202'
	offer+="$(zeros 23)\\144"
	end='\000\000\000\020\016\317\070\223\003\060\177\313'
	end+="$(zeros 7)\\001$(zeros 8)"
	pull_from "$hello" "$topic" "$offer" "$end"
	same "$err" "logreplicate: there: END: partition 0 is not whole: $(
	    )offsets up to 99 were offered, none came"
	same "$(logcat b)" ''
}

@test "a source that is removed while it is followed" {
	start rep logreplicate -f a b
	wait_for has_records b 5
	rm -r a
	wait_exit 1 "$rep_pid"
	# What rm takes first is up to the file system: the partition, or its topic.
	has "$(head -n 1 rep.err | sed 's,a/0: ,a: ,')" 'logreplicate: a: '
	run ! grep -q '^logreplicate: b' rep.err
	# A directory of topics.
	mkdir root
	mv b root/t
	logadmin topic promote root/t
	start rep logreplicate -f root c
	wait_for has_records c/t 5
	rm -r root
	wait_exit 1 "$rep_pid"
	has "$(cat rep.err)" 'logreplicate: root: '
	run ! grep -q '^logreplicate: c' rep.err
}

@test "a directory of topics that has none yet" {
	mkdir root copy
	run_tool 0 logreplicate root copy
	same "$out$err" ''
	run_tool 0 logreplicate -v root copy
	same "$out" 'root: no topics to copy'
	over_ssh 0 -v there:root none
	same "$out" 'root: no topics to copy'
	run ! test -e none
	# What a mount point has, and what a server keeps, are no topics.
	mkdir root/lost+found root/.logserve
	over_ssh 0 root there:copy
	same "$(ls copy)" ''
	# None of those that are asked for.
	mv a root/a
	run_tool 0 logreplicate --include 'x*' -v root copy
	same "$out" 'root: no topics to copy'
	over_ssh 0 --exclude '*' there:root copy
	same "$(ls copy)" ''
}

@test "what is no directory of topics is not taken for one" {
	mkdir -p up/root files d
	mv a up/root/a
	echo text >files/notes
	local src
	for src in up files up/root/a/topic.properties; do
		run_tool 1 logreplicate "$src" d
		same "$err" "logreplicate: $src: not a topic"
		run_tool 1 logreplicate --include a "$src" d
		over_ssh 1 "there:$src" d
		same "$err" "logreplicate: there:$src: not a topic"
	done
	# Nor what is in a topic.
	mkdir up/root/a/more
	run_tool 1 logreplicate up/root/a/more d
	run_tool 1 logreplicate none d
	same "$err" 'logreplicate: none: no such topic'
	same "$(ls d)" ''
}

@test "-f: the first topic that comes is copied" {
	mkdir root
	start manager told notify
	wait_for grep -q bound manager.out
	start rep env NOTIFY_SOCKET=notify logreplicate -f --include 't*' \
	    root copy
	start pull logreplicate -f --rsh ./ssh there:root pulled
	wait_for grep -qx 'STATUS=no topics yet' manager.out
	# At once: a topic that is half there is none to who begins just then.
	cp -r a other
	mv other root/other
	echo 1 | logappend --create root/t
	wait_for has_records copy/t 1
	wait_for has_records pulled/t 1
	wait_for has_records pulled/other 5
	echo 2 | logappend root/t
	wait_for has_records copy/t 2
	wait_for grep -qx STATUS=current manager.out
	same "$(ls copy)" t
	kill "$rep_pid" "$pull_pid"
	wait_for process_gone "$rep_pid"
	wait_for process_gone "$pull_pid"
	kill "$manager_pid"
	same "$(cat rep.err)" ''
}

@test "a destination that is missing, or empty, becomes what the source is" {
	mkdir root empty
	mv a root/a
	echo b | logappend --create root/b
	run_tool 0 logreplicate -n root new
	same "$(head -n 1 <<<"$out")" 'a: made, 1 partition'
	over_ssh 0 -n root there:new
	over_ssh 0 -n there:root new
	run ! test -e new
	run_tool 0 logreplicate root new
	over_ssh 0 root there:new2
	over_ssh 0 there:root new3/
	over_ssh 0 there:root empty
	for dst in new new2 new3 empty; do
		same "$(ls "$dst")" $'a\nb'
		same "$(logcat "$dst/a")" "$(seq 5)"
	done
	# What is one of the two already.
	over_ssh 1 there:root new/a
	same "$err" 'logreplicate: new/a: is no directory of topics, as the source is'
	over_ssh 1 root there:new/a
	same "$err" 'logreplicate: there:new/a: is no directory of topics, as the source is'
	over_ssh 1 there:root/a new
	same "$err" 'logreplicate: new: is a directory of topics, the source one topic'
	over_ssh 1 there:root none/new
	same "$err" 'logreplicate: none/new: No such file or directory'
}

@test "below a key's directory a root is made, too, and a dry run makes none" {
	mkdir root in
	mv a root/a
	printf '#!/bin/sh\nexec logreplicate --server --under in\n' >ssh
	over_ssh 0 -n root there:new
	has "$out" 'a: made, 1 partition'
	run ! test -e in/new
	over_ssh 0 root there:new
	same "$(logcat in/new/a)" "$(seq 5)"
}

@test "standard output that fails, or that nobody reads any more" {
	run_tool 1 bash -c 'logreplicate -v a b >/dev/full'
	same "$err" 'logreplicate: stdout: No space left on device'
	run_tool 1 bash -c 'logreplicate --stats a b >/dev/full'
	same "$err" 'logreplicate: stdout: No space left on device'
	mkfifo pipe
	exec 8<>pipe
	exec 9>pipe
	exec 8<&-
	run_tool 0 bash -c 'logreplicate --stats a b >&9; echo "$?"'
	same "$out$err" 141
	run_tool 0 bash -c 'logreplicate -n a c >&9; echo "$?"'
	same "$out$err" 141
	run_tool 0 bash -c 'trap "" PIPE; logreplicate --stats a b >&9; echo "$?"'
	same "$out$err" 1
}
