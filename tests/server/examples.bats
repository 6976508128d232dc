# Examples that need the server.

load server

@test 'kcat.sh is a session of kcat, with a broker of its own or another' {
	local want='0 tea 3
1 milk 1
2 tea 4
1
3
1
--
4
--
3'
	need kcat
	run_tool 0 "$ROOT/examples/kcat.sh"
	same "$(grep -v '^#' <<<"$out")" "$want"
	same "$err" ''
	LOGKIT_BROKER=$address run_tool 0 "$ROOT/examples/kcat.sh"
	same "$(grep -v '^#' <<<"$out")" "$want"
	same "$(logcat root/prices-*)" $'3\n1\n4'
}

# python_with MODULE: the first one that has it.
python_with() {
	local python
	while read -r python; do
		"$python" -c "import $1" 2>/dev/null && echo "$python" &&
			return
	done < <(type -ap python3)
	return 1
}

# The orders of customers: amounts are 1, 2, ...
orders() {
	seq "$1" "$2" | awk '{ print "c" $1 % 3 ":{\"amount\":" $1 "}" }'
}

totals() {
	logcat -J --latest root/totals |
		jq -c '[.key, .value.total]' | sort | tr '\n' ' '
}

@test 'service.py counts each order once, stopped and started again' {
	local python
	need python3 jq
	python=$(python_with kafka) || skip 'python3-kafka is not installed'
	logcreate -P 2 root/orders
	logcreate --compact root/totals
	orders 1 30 | logappend -K : root/orders
	run_tool 0 "$python" "$ROOT/examples/service.py" "$address" orders totals 1
	same "$(totals)" '["c0",165] ["c1",145] ["c2",155] '
	orders 31 60 | logappend -K : root/orders
	run_tool 0 "$python" "$ROOT/examples/service.py" "$address" orders totals 1
	same "$(totals)" '["c0",630] ["c1",590] ["c2",610] '
	# What was written, and not committed, is not counted again.
	logadmin group rm root/orders totals
	run_tool 0 "$python" "$ROOT/examples/service.py" "$address" orders totals 1
	same "$(totals)" '["c0",630] ["c1",590] ["c2",610] '
}

# The options of the unit's ExecStart.
exec_start() {
	sed -n 's/^ExecStart=//p' "$ROOT/examples/logserve.service"
}

@test 'logserve.service starts logserve with options that it has' {
	local command
	read -ra command <<<"$(exec_start)"
	same "${command[0]##*/}" logserve
	same "${command[-1]}" /var/lib/logserve
	run_tool 0 logserve --check-config "${command[@]:1:${#command[@]}-2}" \
		root
}

@test 'logserve.service is a unit' {
	need systemd-analyze
	sed "s,^ExecStart=[^ ]*,ExecStart=$LOGKIT_BIN/logserve," \
		"$ROOT/examples/logserve.service" >logserve.service
	run_tool 0 systemd-analyze verify --man=no ./logserve.service
	same "$err" ''
}
