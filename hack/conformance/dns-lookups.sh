# shellcheck shell=sh
# Runs in a pod (sh, dig, getent): looks kube-dns up through itself until /tmp/stop is there.
#
#   ADDRESSES   all addresses of kube-dns, with a space between two: whom to ask, and the right answers
#   RESOLVER    the family of the address that /etc/resolv.conf names: 4 or 6, for the report only
#
# A line for each look-up that went wrong; at the end `result COUNT FAILED`.
count=0 failed=0
name=kube-dns.kube-system.svc.cluster.local

# look WANTED WHAT COMMAND…
look() {
	wanted=$1 what=$2
	shift 2
	count=$((count + 1))
	got=$("$@" 2>&1 | tr '\n' ' ')
	[ "$got" != "$wanted " ] || return 0
	failed=$((failed + 1))
	echo "wrong $(date +%T) $what: $got"
}

# What the C library says first, by the server that /etc/resolv.conf names; it tries again by itself.
library() {
	getent "ahostsv$1" "$name" | head -n 1 | cut -d ' ' -f 1
}

while [ ! -e /tmp/stop ]; do
	for wanted in $ADDRESSES; do
		case $wanted in *:*) type=AAAA family=6 ;; *) type=A family=4 ;; esac
		for server in $ADDRESSES; do
			for transport in notcp tcp; do
				look "$wanted" "$type at $server, +$transport" \
					dig +short +tries=1 +time=2 "+$transport" "@$server" "$type" "$name"
			done
		done
		look "$wanted" "$type by getent (IPv$RESOLVER)" library "$family"
	done
	sleep 1
done
echo "result $count $failed"
