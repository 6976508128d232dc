# Which records logcat chooses, against a naive model (model.awk): random
# topics, random options.  SEED=N repeats a run.

load ../helpers

setup() {
	helpers_setup
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "SEED=$seed"
	printed=0
	rounds=40
	! is_san || rounds=15
}

# records PARTITIONS: 400 lines "partition timestamp key value"; times go up
# and down, and some are the same; some keys and values are null ("-").
records() {
	awk -v parts="$1" -v seed="$RANDOM" 'BEGIN {
		srand(seed)
		for (i = 0; i < 400; i++) {
			t = 1700000000000 + i * 1000
			if (rand() < .3)
				t += int(rand() * 40000) - 20000
			if (rand() < .3)
				t -= t % 10000
			k = int(rand() * 7)
			v = sprintf("v%d-%d", i, rand() * 1000)
			printf "%d %.0f %s %s\n", int(rand() * parts), t,
			    k == 6 ? "-" : "k" k, rand() < .1 ? "-" : v
		}
	}'
}

# fill TOPIC PARTITIONS CODEC: in small batches and small segments.
fill() {
	local p
	records "$2" >flat
	logcreate -P "$2" --segment-bytes 1K -X index.interval.bytes=400 "$1"
	for ((p = 0; p < $2; p++)); do
		awk -v p="$p" '$1 == p {
			printf "{\"timestamp\":%s,", $2
			if ($3 != "-")
				printf "\"key\":\"%s\",", $3
			if ($4 == "-")
				printf "\"value\":null}\n"
			else
				printf "\"value\":\"%s\"}\n", $4
		}' flat >flat.json
		logappend -J -z "$3" --batch-bytes 400 "$1/$p" flat.json
	done
	[ "$(find "$1" -name '*.log' | wc -l)" -gt $((3 * $2)) ] ||
		[ "$3" != none ]
}

# some LIMIT: true once in so many times.
some() {
	((RANDOM % $1 == 0))
}

time_of() {
	echo $((1700000000000 + (RANDOM % 440 - 20) * 1000 + RANDOM % 3 - 1))
}

position() {
	case $((RANDOM % 6)) in
	0) echo start ;;
	1) echo end ;;
	2) echo "$((RANDOM % 420))" ;;
	3) echo "-$((RANDOM % 420 + 1))" ;;
	*) echo "@$(time_of)" ;;
	esac
}

# A random choice: options for logcat in $args, the same for model.awk in
# $vars.
choose() {
	local from=start to=end v re=('7' '^v1' '9$' '[02]-' 'v.*3.*-' 'none')
	args=()
	vars=()
	if some 2; then
		from=$(position)
		! some 2 || to=$(position)
		# A colon ends a first position that is a time only before @.
		case $from/$to in
		@*/@* | @*/end) ;;
		@*) to=end ;;
		esac
		args+=(-o "$from:$to")
	fi
	vars+=(-v "from=$from" -v "to=$to")
	! some 3 || { v=$(time_of); args+=(-S "$v"); vars+=(-v "since=$v"); }
	! some 3 || { v=$(time_of); args+=(-U "$v"); vars+=(-v "until=$v"); }
	! some 3 || { v=k$((RANDOM % 7)); args+=(-k "$v"); vars+=(-v "key=$v"); }
	! some 3 || {
		v=${re[RANDOM % 6]}
		args+=(--grep "$v")
		vars+=(-v "re=$v")
	}
	! some 5 || {
		v=k[$((RANDOM % 4))$((RANDOM % 7))]
		args+=(--key-regex "$v")
		vars+=(-v "keyre=$v")
	}
	[[ ! ${args[*]} =~ (-k|--grep|--key-regex)\  ]] || ! some 3 || {
		args+=(--invert)
		vars+=(-v invert=1)
	}
	! some 4 || { args+=(-m); vars+=(-v merge=1); }
	! some 3 || { args+=(-r); vars+=(-v reverse=1); }
	! some 4 || { args+=(--latest); vars+=(-v latest=1); }
	! some 3 || {
		v=$((RANDOM % 60))
		args+=(-n "$v")
		vars+=(-v "last=$v")
		! some 3 || { args+=(--per-partition); vars+=(-v each=1); }
	}
	! some 4 || { v=$((RANDOM % 50)); args+=(-c "$v"); vars+=(-v "count=$v"); }
}

# compare TOPIC PARTITIONS: many random choices.
compare() {
	local i
	for ((i = 0; i < rounds; i++)); do
		choose
		awk -v "parts=$2" "${vars[@]}" -f "$ROOT/tests/cli/model.awk" \
		    flat >want
		logcat -q "${args[@]}" -F '%p %o %T %s\n' "$1" >got || {
			echo "logcat ${args[*]} $1"
			return 1
		}
		cmp got want || {
			echo "logcat ${args[*]} $1"
			diff got want | head -n 10
			return 1
		}
		printed=$((printed + $(lines got)))
	done
}

teardown() {
	helpers_teardown
	# Not everything that was compared was empty.
	[ "$printed" -gt 0 ]
}

@test 'one partition' {
	fill t 1 none
	compare t 1
}

@test 'three partitions' {
	fill t 3 none
	compare t 3
}

@test 'each codec' {
	local codec
	for codec in gzip snappy lz4 zstd; do
		fill "$codec" 2 "$codec"
		rounds=$((rounds / 3 + 1)) compare "$codec" 2
	done
}

@test 'a copy without indexes and sums, and one without state' {
	fill t 3 none
	cp -a t bare
	rm bare/*/*.index bare/*/*.timeindex bare/*/*.sum
	compare bare 3
	rm bare/*/partition.state
	compare bare 3
	# Appended to it is a topic like any other.
	echo x | logappend -q bare
	[ "$(logcat bare | wc -l)" -eq 401 ]
}
