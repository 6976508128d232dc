#!/bin/sh
# The main job on real input, step by step: make topics, pipe text and JSON
# into them from several processes at once, read back by offset, time and
# key, follow, and see that what went in came out.
set -eu
cd "$(dirname "$0")/.."
bin=${BIN:-$PWD/bin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$bin:$PATH
export PATH
cd "$work"

# What is run is shown first.
step() {
	printf '\n# %s\n' "$1"
}
run() {
	printf '$ %s\n' "$1"
	sh -c "$1"
}

input=/var/log/dpkg.log
if [ ! -s "$input" ]; then
	input=$work/words.log
	find /usr/share/doc -printf '%T+ %s %p\n' | head -20000 >"$input"
fi
lines=$(wc -l <"$input")

step 'An event goes into a log and comes out of it.'
run 'echo hello | logappend greetings --create && logcat greetings'

step "Real input: $input, $lines lines, all of it and nothing else."
run 'logcreate packages'
run "logappend packages $input"
run "logcat packages | cmp - $input && echo identical"
run 'logtail -n 3 packages'

step 'The same through NDJSON and through stored batches, compressed.'
run 'logcat -J packages | logappend -J json --create'
run 'logcat -B packages | logappend -B batches --create'
run "logappend -z zstd small --create $input"
for t in json batches small; do
	run "logcat $t | cmp - $input && echo identical"
done
run 'du -s --apparent-size packages small'

step 'Keys: one partition of several for each; the third field is the key.'
run 'logcreate -P 4 actions'
run "awk '{ print \$3 \"\t\" \$0 }' $input | logappend -K '\\t' actions"
run "logcat -k install --key-partition actions | wc -l"
run "awk '\$3 == \"install\"' $input | wc -l"

step 'By offset, by time, by pattern.'
run 'logcat -o 2:4 packages'
run 'logcat -S -1h packages | wc -l'
run "logcat --grep ' libc6' -c 2 packages"

step 'Eight writers at once; a follower sees one order, nothing lost.'
run 'logcreate shared'
logtail -o start -f -c 8000 -F '%o %v\n' shared >followed &
follower=$!
i=0
pids=
while [ $i -lt 8 ]; do
	seq -f "writer $i event %g" 1000 | logappend shared &
	pids="$pids $!"
	i=$((i + 1))
done
for pid in $pids; do
	wait "$pid"
done
wait "$follower"
run 'wc -l <followed'
run 'cut -d" " -f2- followed | sort -u | wc -l'
run 'logcat -F "%o %v\n" shared | cmp - followed && echo same order'

step 'An audit log: an append that holds only at the offset it expects.'
run 'echo first | logappend audit --create --expect-offset 0 --report'
run 'echo second | logappend audit --expect-offset 0 || echo "exit status $?"'

step 'What stands on the disk: Kafka segments and two small files.'
run 'ls -s shared shared/0'
printf '\nAll done.\n'
