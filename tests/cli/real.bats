# Real input of this machine goes in and comes out identical, whatever way it
# takes: dpkg's log, the kernel's or the journal, a program's own bytes.

load ../helpers

# round FILE: through text, and then from topic to topic in each form.
round() {
	local codec
	for codec in none gzip snappy lz4 zstd; do
		logappend -q --create -z "$codec" text "$1"
		logcat text | cmp - "$1"
		logcat -J text | logappend -q -J --create -z "$codec" json
		logcat json | cmp - "$1"
		logcat -B text | logappend -q -B --create batches
		logcat batches | cmp - "$1"
		logcat -F '%S:%s' text |
			logappend -q -F '%S:%s' --create -z "$codec" lengths
		logcat lengths | cmp - "$1"
		logcat -J batches | logcat_fields >want
		logcat -J text | logcat_fields | cmp - want
		rm -r text json batches lengths
	done
}

# Offset, time and value: what batches keep.
logcat_fields() {
	sed 's/^{"topic":"[a-z]*",//'
}

@test "dpkg's log" {
	[ -s /var/log/dpkg.log ] || skip 'there is none'
	cp /var/log/dpkg.log input
	round input
}

@test "the kernel's log" {
	dmesg >input 2>/dev/null || skip 'not to be read here'
	[ -s input ] || skip 'it is empty'
	round input
}

@test 'the journal, as JSON values too' {
	journalctl -q -o json -n 2000 >input 2>/dev/null || skip 'there is none'
	[ -s input ] || skip 'it is empty'
	round input
	logappend -q --create --key-field ._BOOT_ID journal input
	logcat journal | cmp - input
}

@test "a program's bytes" {
	{ head -c 1000000 "$(readlink -f "$(type -P bash)")"; echo; } >input
	round input
}
