# What logcat chooses, done the naive way.
#
#	awk -v parts=3 -v from=POS -v to=POS -v since=MS -v until=MS -v key=KEY \
#	    -v re=RE -v keyre=RE -v invert=1 -v latest=1 -v last=N -v each=1 \
#	    -v merge=1 -v reverse=1 -v count=N -f model.awk FLAT
#
# FLAT has a line "partition timestamp key value" for each record, in the order
# in which they were appended; "-" is null.  POS is start, end, N, -N or @MS.  Options left
# empty do not hold.  Prints "partition offset timestamp value".

{
	p = $1
	ts[p, end[p] + 0] = $2
	keys[p, end[p] + 0] = $3
	values[p, end[p] + 0] = $4
	end[p]++
}

function resolve(pos, p,	o) {
	if (pos == "start")
		return 0
	if (pos == "end")
		return end[p]
	if (pos ~ /^@/) {
		pos = substr(pos, 2) + 0
		for (o = 0; o < end[p] && ts[p, o] < pos; o++)
			continue
		return o
	}
	o = pos ~ /^-/ ? end[p] + pos : pos + 0
	return o < 0 ? 0 : o > end[p] ? end[p] : o
}

function in_time(p, o) {
	return (since == "" || ts[p, o] >= since + 0) &&
	    (until == "" || ts[p, o] < until + 0)
}

function wanted(p, o) {
	return in_time(p, o) && holds(p, o) != (invert != "") &&
	    (latest == "" || (values[p, o] != "-" && keys[p, o] != "-" &&
	    newest[p, keys[p, o]] == o))
}

function holds(p, o) {
	return (key == "" || keys[p, o] == key) &&
	    (keyre == "" || (keys[p, o] != "-" && keys[p, o] ~ keyre)) &&
	    (re == "" || (values[p, o] != "-" && values[p, o] ~ re))
}

# When chosen record i of a partition was.
function time(p, i) {
	return ts[p, chosen[p, i]]
}

function show(p, o) {
	lines[shown++] = p " " o " " ts[p, o] " " \
	    (values[p, o] == "-" ? "" : values[p, o])
}

function finish(	i) {
	for (i = 0; i < shown && (count == "" || i < count + 0); i++)
		print lines[reverse ? shown - 1 - i : i]
	exit
}

END {
	for (p = 0; p < parts; p++) {
		end[p] += 0
		stop = resolve(to, p)
		for (o = resolve(from, p); o < stop; o++)
			if (in_time(p, o))
				newest[p, keys[p, o]] = o
		for (o = resolve(from, p); o < stop; o++)
			if (wanted(p, o))
				chosen[p, n[p]++ + 0] = o
	}
	for (p = 0; p < parts; p++)
		first[p] = last == "" ? 0 : n[p] + 0
	# From the ends, the latest first; of equals the last partition's.
	for (left = last + 0; last != "" && !each && left > 0; left--) {
		best = -1
		for (p = 0; p < parts; p++)
			if (first[p] > 0 && (best < 0 ||
			    time(p, first[p] - 1) >= time(best, first[best] - 1)))
				best = p
		if (best >= 0)
			first[best]--
	}
	if (last != "" && each)
		for (p = 0; p < parts; p++)
			first[p] = n[p] > last + 0 ? n[p] - last : 0
	if (merge || (last != "" && !each)) {
		for (;;) {
			best = -1
			for (p = 0; p < parts; p++)
				if (first[p] < n[p] && (best < 0 ||
				    time(p, first[p]) < time(best, first[best])))
					best = p
			if (best < 0)
				finish()
			show(best, chosen[best, first[best]++])
		}
	}
	for (p = 0; p < parts; p++)
		for (i = first[p]; i < n[p]; i++)
			show(p, chosen[p, i])
	finish()
}
