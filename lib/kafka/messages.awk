# messages.schema into C: the structs (-v out=h), or the field tables that
# wire.h walks and the table of APIs (-v out=c).
#
# Node 0 of a side is the message itself; each struct is told after those in
# it.

function fail(why) {
	printf "messages.schema:%d: %s\n", NR, why >"/dev/stderr"
	failed = 1
	exit 1
}

# TopicId: topic_id
function snake(s,	i, c, r) {
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c ~ /[A-Z]/)
			r = r (i > 1 ? "_" : "") tolower(c)
		else
			r = r c
	}
	return r
}

function c_type(t) {
	if (t == "bool")
		return "bool "
	if (t ~ /^int(8|16|32|64)$/)
		return t "_t "
	if (t == "string" || t == "bytes")
		return "struct bytes "
	if (t == "records")
		return "struct wire_records "
	if (t == "uuid")
		return "struct wire_uuid "
	fail("no type: " t)
}

function put_field(i,	t) {
	t = type[i]
	if (t == "[]") {
		printf "\tstruct %s *%s;\n", struct_of[i], field[i]
		printf "\tint32_t %s_count;\n", field[i]
	} else if (t == "{}") {
		printf "\tstruct %s %s;\n", struct_of[i], field[i]
	} else if (t ~ /^\[\]/) {
		printf "\t%s*%s;\n", c_type(substr(t, 3)), field[i]
		printf "\tint32_t %s_count;\n", field[i]
	} else {
		printf "\t%s%s;\n", c_type(t), field[i]
	}
}

function put_struct(p,	i) {
	printf "struct %s {\n", struct_of[p]
	for (i = p + 1; i < count; i++)
		if (parent[i] == p)
			put_field(i)
	if (!has_field[p])
		print "\tuint8_t nothing;"
	print "};\n"
}

# A row of a field table; the order is that of struct wire_field.
function put_row(i, p,	t, array, of) {
	t = type[i]
	array = t ~ /^\[\]/
	sub(/^\[\]/, "", t)
	of = "NULL"
	if (t == "" || t == "{}") {
		t = "struct"
		of = "&" struct_of[i] "_table"
	}
	printf "\t{\"%s\", WIRE_%s, %s, %d, %d, %d, %d, %s, %s, %s, %s, %s},\n",
	    field[i], toupper(t), array ? "true" : "false", from[i], to[i],
	    null_from[i], tag[i], init[i] == "null" ? "true" : "false",
	    init[i] == "null" ? 0 : init[i], of,
	    "offsetof(struct " struct_of[p] ", " field[i] ")",
	    array ? "offsetof(struct " struct_of[p] ", " field[i] "_count)" : 0
}

function put_table(p,	i, s) {
	s = struct_of[p]
	if (has_field[p]) {
		printf "static const struct wire_field %s_fields[] = {\n", s
		for (i = p + 1; i < count; i++)
			if (parent[i] == p)
				put_row(i, p)
		print "};"
	}
	printf "static const struct wire_struct %s_table = {sizeof(struct %s),\n",
	    s, s
	printf "    %s, %d};\n\n", has_field[p] ? s "_fields" : "NULL",
	    has_field[p]
}

function end_side(	i) {
	if (side == "")
		return
	for (i = count - 1; i >= 0; i--)
		if (i == 0 || type[i] == "[]" || type[i] == "{}") {
			if (out == "h")
				put_struct(i)
			else
				put_table(i)
		}
	if (out == "h") {
		printf "extern const struct wire_message messages_%s;\n\n",
		    struct_of[0]
		return
	}
	printf "const struct wire_message messages_%s = {\"%s\", %s, %s, %s,\n",
	    struct_of[0], name " " side, low, high, flexible
	printf "    &%s_table};\n\n", struct_of[0]
}

function begin_side(s) {
	end_side()
	side = s
	count = 1
	delete has_field
	struct_of[0] = snake(name) "_" side
	at[0] = 0
}

function begin_message(	i, kv) {
	end_side()
	side = ""
	name = $1
	low = high = key = flexible = serve = ""
	for (i = 2; i <= NF; i++) {
		split($i, kv, "=")
		if (kv[1] == "key")
			key = kv[2]
		else if (kv[1] == "versions") {
			split(kv[2], range, "-")
			low = range[1]
			high = range[2]
		} else if (kv[1] == "flexible")
			flexible = kv[2] == "none" ? "WIRE_NEVER" : kv[2]
		else if (kv[1] == "serve")
			serve = kv[2]
		else
			fail("no such word: " $i)
	}
	if (key == "" || low == "" || flexible == "")
		fail("key=, versions= or flexible= is missing")
	if (key == "none")
		return
	split(serve == "" ? "0--1" : serve, range, "-")
	apis = apis sprintf("\t{%s, \"%s\", %s, %s, %s, &messages_%s,\n" \
	    "\t    &messages_%s},\n", key, name,
	    serve == "" ? 0 : range[1], serve == "" ? -1 : range[2],
	    serve == "" ? "false" : "true", snake(name) "_request",
	    snake(name) "_response")
}

function take_versions(v, i,	n, part) {
	sub(/^v/, "", v)
	if (v ~ /\+$/) {
		from[i] = substr(v, 1, length(v) - 1)
		return
	}
	n = split(v, part, "-")
	from[i] = part[1]
	to[i] = part[n]
}

function add_field(	depth, i, w, f) {
	match($0, /^\t+/)
	depth = RLENGTH
	i = count++
	f = $1
	sub(/:$/, "", f)
	at[depth] = i
	parent[i] = at[depth - 1]
	has_field[parent[i]]++
	field[i] = snake(f)
	type[i] = $2
	struct_of[i] = struct_of[parent[i]] "_" field[i]
	from[i] = 0
	to[i] = 127
	null_from[i] = "WIRE_NEVER"
	tag[i] = -1
	init[i] = 0
	for (w = 3; w <= NF; w++) {
		if ($w ~ /^v[0-9]/)
			take_versions($w, i)
		else if ($w ~ /^tag=/)
			tag[i] = substr($w, 5)
		else if ($w ~ /^nullable=/)
			null_from[i] = substr($w, 10)
		else if ($w ~ /^default=/)
			init[i] = substr($w, 9)
		else
			fail("no such word: " $w)
	}
	if (null_from[i] == "WIRE_NEVER")
		null_from[i] = 127
	if (init[i] == "9223372036854775807")
		init[i] = "INT64_MAX"
	if (init[i] == "-2147483648")
		init[i] = "INT32_MIN"
}

BEGIN {
	print "/* Made by messages.awk from messages.schema. */\n"
	if (out == "h") {
		print "#ifndef KAFKA_MESSAGES_H\n#define KAFKA_MESSAGES_H\n"
		print "#include <stdbool.h>\n#include <stdint.h>\n"
		print "#include \"base/bytes.h\"\n#include \"kafka/wire.h\"\n"
	} else {
		print "#include \"kafka/messages.h\"\n"
		print "#include <stddef.h>\n\n#include \"kafka/api.h\"\n"
	}
}

/^#/ || /^$/ { next }
/^(request|response|record)$/ { begin_side($1); next }
/^[A-Z]/ { begin_message(); next }
/^\t/ { add_field(); next }
{ fail("not understood: " $0) }

END {
	if (failed)
		exit 1
	end_side()
	if (out == "h") {
		print "#endif"
	} else {
		printf "const struct api messages_apis[] = {\n%s};\n", apis
		print "const size_t messages_api_count ="
		print "    sizeof(messages_apis) / sizeof(messages_apis[0]);"
	}
}
