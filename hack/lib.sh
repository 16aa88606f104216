# Shared by the scripts of this directory; sourced after `cd` to the root of the checkout.
# shellcheck shell=sh

say() {
	printf '%-6s %s\n' "${0##*/}" "$*"
}

fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# run TASK COMMAND…: quiet while it works; when it fails its output and TASK are shown.
run() {
	task=$1
	shift
	if ! "$@" >.stamp/output.log 2>&1 </dev/null; then
		tail -n 40 .stamp/output.log >&2
		fail "$task failed (the end of its output is above, all of it in $PWD/.stamp/output.log)"
	fi
}

# apt_install COMMAND PACKAGE…: as root; COMMAND is what somebody else is told to run.
apt_install() {
	by_root=$1
	shift
	command -v apt-get >/dev/null || fail "missing: $* (Debian's names; there is no apt-get here to install them with)"
	[ "$(id -u)" = 0 ] || fail "missing Debian packages: $* (root installs them: $by_root)"
	say "installing Debian packages: $*"
	export DEBIAN_FRONTEND=noninteractive
	run 'apt-get update' apt-get -o DPkg::Lock::Timeout=120 update
	run 'apt-get install' apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@"
}

# digest FILE…: one word that changes when a name or the content of a file does.
digest() {
	sha256sum -- "$@" | sha256sum | cut -c1-32
}

# current STAMP VALUE: true when STAMP holds VALUE.
current() {
	[ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

# locked NAME: holds a lock of this checkout until the script ends; a second run waits for the first one.
locked() {
	command -v flock >/dev/null || return 0
	exec 9>".stamp/$1.lock"
	if ! flock -n 9; then
		say 'waiting for another run in this checkout'
		flock -w 600 9 || fail "another run held .stamp/$1.lock for ten minutes"
	fi
}
