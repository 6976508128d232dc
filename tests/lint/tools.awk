# The PROGRAMS list of logkit(7) as lines of Markdown.
/^\.Sh/ { in_list = $2 == "PROGRAMS" }
in_list && /^\.El/ { in_list = 0 }
in_list && /^\.It Xr/ { name = $3; next }
in_list && name != "" && !/^\./ { print "- `" name "`: " $0; name = "" }
