# completions/zsh and completions/fish: what those shells make of a line.

load ../helpers

setup() {
	helpers_setup
	# Slow, and the programs only print their help.
	! is_san || skip 'once is enough'
	logcreate orders clicks
	mkdir -p more/deep
	logcreate more/audit
	: >lines.txt
	mkdir .home
	export HOME=$PWD/.home XDG_CONFIG_HOME=$PWD/.home \
		XDG_DATA_HOME=$PWD/.home
}

# fish_offers LINE: what is offered at its end, sorted, on one line.
fish_offers() {
	fish --no-config -c "source '$ROOT/completions/fish'
		complete -C '$1'" | cut -f 1 | LC_ALL=C sort | paste -sd ' '
}

# zsh_makes LINE: what becomes of it after a tab.
# shellcheck disable=SC2016 # that shell expands it
zsh_makes() {
	timeout 20 zsh -f -c '
		zmodload zsh/zpty
		zpty shell zsh -f -i
		zpty -w shell ". .home/setup"
		zpty -r -m shell text "*ready=*"
		zpty -w -n shell "$1"$'"'\t\n'"'
		zpty -r -m shell text "*made=*=*"
		print -r -- "${${text##*made=}%%=*}"
		zpty -d shell
	' zsh "$1"
}

prepare_zsh() {
	need zsh
	cp "$ROOT/completions/zsh" .home/_logkit
	cat >.home/setup <<-'END'
	PS1= PS2= RPS1= fpath=($HOME $fpath)
	autoload -U compinit && compinit -u -D
	for p in logkit logadmin logcat logcreate logappend; do
		functions[$p]='print -r -- "made=$0 $*="'
	done
	print 'ready'=
	END
}

@test 'fish: options by the help, topics, values, programs' {
	need fish
	same "$(fish_offers 'logcreate --ret')" '--retention --retention-bytes'
	same "$(fish_offers 'logcat ')" 'clicks more/ orders'
	same "$(fish_offers 'logcat more/')" 'more/audit more/deep/'
	same "$(fish_offers 'logcat orders/')" 'orders/0'
	same "$(fish_offers 'logappend -z g')" gzip
	same "$(fish_offers 'logappend --compress=z')" '--compress=zstd'
	same "$(fish_offers 'logkit c')" 'cat compact create'
	same "$(fish_offers 'logcreate --like ')" 'clicks more/ orders'
	has " $(fish_offers 'logcat --config l')" ' lines.txt'
	same "$(fish_offers 'logadmin ')" 'group topic'
	same "$(fish_offers 'logadmin topic ')" \
	    'demote describe ls promote rm set'
	same "$(fish_offers 'logadmin -o end group ')" 'describe ls rm seek'
	same "$(fish_offers 'logadmin topic rm ')" 'clicks more/ orders'
	has " $(fish_offers 'logappend orders l')" ' lines.txt'
}

@test 'zsh: options by the help, topics, values, programs' {
	prepare_zsh
	same "$(zsh_makes 'logcreate --dry')" 'logcreate --dry-run'
	same "$(zsh_makes 'logcat ord')" 'logcat orders'
	same "$(zsh_makes 'logcat -n 3 more/au')" 'logcat -n 3 more/audit'
	same "$(zsh_makes 'logappend -z gz')" 'logappend -z gzip'
	same "$(zsh_makes 'logappend orders lin')" 'logappend orders lines.txt'
	same "$(zsh_makes 'logkit comp')" 'logkit compact'
	same "$(zsh_makes 'logcreate --like ord')" 'logcreate --like orders'
	same "$(zsh_makes 'logcat --config lin')" 'logcat --config lines.txt'
	same "$(zsh_makes 'logadmin to')" 'logadmin topic'
	same "$(zsh_makes 'logadmin topic pro')" 'logadmin topic promote'
	same "$(zsh_makes 'logadmin -o end group se')" 'logadmin -o end group seek'
	same "$(zsh_makes 'logkit admin group r')" 'logkit admin group rm'
	same "$(zsh_makes 'logadmin topic rm cl')" 'logadmin topic rm clicks'
	same "$(zsh_makes 'logkit fsck -y cl')" 'logkit fsck -y clicks'
}

@test 'both have the options of every program' {
	local program
	need fish
	# One fish for all, as it is slow to start.
	fish --no-config -c "source '$ROOT/completions/fish'
		for p in $(cd "$ROOT/bin" && echo log*)
			complete -C \"\$p --\" | sed \"s/^/\$p /\"
		end" >offers
	for program in "$ROOT"/bin/log*; do
		program=${program##*/}
		[ "$program" != logkit ] || continue
		same "$(sed -n "s/^$program //p" offers | cut -f 1 |
			LC_ALL=C sort | paste -sd ' ')" \
		    "$("$program" --help | grep -oE -e '^ +(-., )?--[a-z0-9-]+' |
			grep -oE -e '--[a-z0-9-]+' | LC_ALL=C sort | paste -sd ' ')"
	done
	prepare_zsh
	for program in "$ROOT"/bin/log*; do
		program=${program##*/}
		[ "$program" != logkit ] || continue
		same "$(zsh -f -c '
			compdef() { :; }
			. "$1"
			_logkit_specs "$2"
			print -l -- $specs' zsh "$ROOT/completions/zsh" "$program" \
			2>/dev/null | grep -oE -e '^--[a-z0-9-]+' |
			LC_ALL=C sort | paste -sd ' ')" \
		    "$("$program" --help | grep -oE -e '^ +(-., )?--[a-z0-9-]+' |
			grep -oE -e '--[a-z0-9-]+' | LC_ALL=C sort | paste -sd ' ')"
	done
}
