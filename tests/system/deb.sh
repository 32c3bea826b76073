#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages in a fresh minimal system (a chroot): they install, the service's command line starts the sensor, an
# alert comes, the log verifies, and purging leaves nothing behind. TAMIS_DEBS=DIR tests packages that are there already.
#
# The minimal system is made once from the mirror that this machine uses, and kept in build/deb-base.
set -euo pipefail
cd "$(dirname "$0")/../.."
BASE=build/deb-base

skip() { echo "skip: $*"; echo "0 passed, 0 failed, 1 skipped"; exit 77; }

if [ "${1:-}" != --inside ]; then
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed"
	unshare --mount true 2>/dev/null || skip "no mount namespace to be had here"
	[ -n "${TAMIS_DEBS:-}" ] || packaging/build-deb
	# A mount namespace of its own: whatever happens below, no mount is left.
	exec unshare --mount --propagation private "$0" --inside
fi

DEBS=$PWD/${TAMIS_DEBS:-build/deb}
ROOT=$(mktemp -d "$PWD/build/deb-root.XXXXXX")
PID=
trap finish EXIT
passed=0 failed=0

finish() {
	[ -z "$PID" ] || kill "$PID" 2>/dev/null || true
	umount -R -l "$ROOT/fs"/{proc,sys,dev} 2>/dev/null || true
	rm -rf --one-file-system "$ROOT"
}

# check WHAT COMMAND...: the command's first failing line fails it
check() {
	local what=$1 status
	shift
	set +e
	(set -e; "$@") >"$ROOT/out" 2>&1
	status=$?
	set -e
	if [ $status = 0 ]; then
		passed=$((passed + 1))
		echo "good: $what"
	else
		failed=$((failed + 1))
		echo "FAILED: $what"
		sed 's/^/    /' "$ROOT/out" | tail -n 20
	fi
}

in_root() { chroot "$ROOT/fs" env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }

# ---- the minimal system ------------------------------------------------------------------------------------------------

# What the packages depend on, by name. Of alternatives the one that stands alone, else the first.
dependencies() {
	local deb
	for deb in "$@"; do dpkg-deb -f "$deb" Pre-Depends Depends | sed 's/^[A-Za-z-]*: //'; done |
		tr ',' '\n' | sed 's/([^)]*)//g; s/ //g' | awk -F'|' '
			{ pick = $1; for (i = 1; i <= NF; i++) if ($i ~ /standalone/) pick = $i }
			pick != "" { print pick }' | sort -u
}

# "URI SUITE" of the mirror that this machine takes its own release from
mirror() {
	local suite
	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	apt-get update --print-uris -o Dir::State::lists="$ROOT/lists" |
		sed -n "s#^'\([^']*\)/dists/$suite/InRelease' .*#\1 $suite#p" | grep -E '/debian/? ' | head -n 1
}

make_base() {
	local tar=$1 uri suite
	shift
	mkdir -p "$BASE" "$ROOT/lists/partial"
	read -r uri suite < <(mirror) || { echo "no Debian mirror in apt's sources" >&2; return 1; }
	# How this machine reaches its mirror: proxies, and archives of the past.
	apt-config dump Acquire::http Acquire::https Acquire::Check-Valid-Until Acquire::Check-Date >"$ROOT/apt.conf"
	rm -f "$BASE"/*.tar
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" |
		mmdebstrap --quiet --mode=root --variant=essential --format=tar --aptopt="$ROOT/apt.conf" \
			--include="$(IFS=,; echo "$*")" --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/locale/*' \
			"$suite" "$tar.new" -
	mv "$tar.new" "$tar"
}

unpack_base() {
	local tar deps
	mapfile -t deps < <(dependencies "$DEBS"/tamis_*.deb "$DEBS"/tamis-sinks_*.deb "$DEBS"/tamis-compiler_*.deb | grep -vx tamis)
	tar=$BASE/$(printf '%s\n' "${deps[@]}" | sha256sum | cut -c 1-16).tar
	[ -f "$tar" ] || make_base "$tar" "${deps[@]}"
	mkdir "$ROOT/fs"
	tar -xf "$tar" -C "$ROOT/fs" --exclude='./dev/*'
	mount -t proc proc "$ROOT/fs/proc"
	mount --rbind /sys "$ROOT/fs/sys"
	mount --rbind /dev "$ROOT/fs/dev"
	mkdir "$ROOT/fs/mnt/debs"
	cp "$DEBS"/tamis_*.deb "$DEBS"/tamis-sinks_*.deb "$DEBS"/tamis-compiler_*.deb "$ROOT/fs/mnt/debs"
}

# ---- the tests ---------------------------------------------------------------------------------------------------------

# All files but what dpkg and the user database keep as their own history.
listing() {
	(cd "$ROOT/fs" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./mnt -o -path ./var/lib/dpkg -o \
		-path ./var/log -o -path ./var/cache -o -path ./tmp -o -path ./run \) -prune -o -print |
		grep -vE '^\./etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|^\./etc/\.pwd\.lock$|^\./var/lib/systemd' | sort)
	cut -d: -f 1 "$ROOT/fs/etc/passwd" "$ROOT/fs/etc/group" | sort
}

install_packages() { in_root sh -c 'dpkg -i /mnt/debs/*.deb'; }

state_of_install() {
	in_root sh -ec '
		getent passwd tamis tamis-record tamis-spool
		test "$(readlink /etc/tamis/policy.tpb)" = /usr/share/tamis/policy.tpb
		tamisd --version; tamisc --version; tamisctl --version
		tamisc check /usr/share/tamis/rules
		grep -q ExecStart=/usr/sbin/tamisd "$(dpkg -L tamis | grep "/tamisd.service$")"'
}

manual_pages() {
	local b
	for b in tamisd tamisctl tamisc; do
		dpkg-deb -c "$DEBS"/tamis_*.deb >"$ROOT/contents"
		dpkg-deb -c "$DEBS"/tamis-compiler_*.deb >>"$ROOT/contents"
		grep -qE "/man[18]/$b\.[18]\.gz$" "$ROOT/contents" || { echo "no manual page of $b"; return 1; }
	done
}

# as the unit does, but for --alerts
start_sensor() {
	chroot "$ROOT/fs" /usr/sbin/tamisd --foreground --config /etc/tamis/tamisd.conf --alerts /run/alerts.jsonl \
		2>"$ROOT/tamisd.log" &
	PID=$!
	for _ in $(seq 100); do
		grep -qx ready "$ROOT/tamisd.log" && return 0
		kill -0 "$PID" 2>/dev/null || break
		sleep 0.2
	done
	cat "$ROOT/tamisd.log"
	return 1
}

one_alert() {
	for _ in $(seq 50); do
		cat /etc/shadow >"$ROOT/secret"
		sleep 0.2
		grep -q '"path":"/etc/shadow".*"args":"/etc/shadow"' "$ROOT/fs/run/alerts.jsonl" && return 0
	done
	cat "$ROOT/tamisd.log"
	head -c 2000 "$ROOT/fs/run/alerts.jsonl"
	return 1
}

# what systemd-tmpfiles would make, and a sink of each module
make_sinks() {
	in_root sh -ec '
		install -d -o tamis-spool -m 750 /var/log/tamis
		install -d -g tamis-spool -m 750 /etc/tamis/sinks.d
		printf "type = file\npath = /var/log/tamis/alerts\n" >/etc/tamis/sinks.d/file.conf
		printf "type = unix\npath = /run/none\n" >/etc/tamis/sinks.d/unix.conf
		printf "type = syslog\nhost = 127.0.0.1\nport = 1\n" >/etc/tamis/sinks.d/syslog.conf
		printf "type = otlp\nurl = http://127.0.0.1:1/\n" >/etc/tamis/sinks.d/otlp.conf
		printf "type = kafka\nbrokers = 127.0.0.1:1\ntopic = t\ntimeout = 2\n" >/etc/tamis/sinks.d/kafka.conf
		printf "type = nats\nservers = nats://127.0.0.1:1\nsubject = s\n" >/etc/tamis/sinks.d/nats.conf
		tamisctl sinks check'
}

sinks_work() {
	for _ in $(seq 50); do
		[ "$(in_root tamisctl status | grep -c FAILING)" != 5 ] || break
		sleep 0.2
	done
	in_root tamisctl sinks
	grep -q /etc/shadow "$ROOT/fs/var/log/tamis/alerts"
	! in_root tamisctl sinks | grep "cannot load the module"
	[ "$(in_root tamisctl status | grep -c FAILING)" = 5 ]
}

purge_leaves_nothing() {
	in_root dpkg --purge tamis-compiler tamis-sinks tamis
	rm -f "$ROOT/fs/run/alerts.jsonl"
	listing >"$ROOT/after"
	diff "$ROOT/before" "$ROOT/after"
}

check "a minimal system is there" unpack_base
[ $failed = 0 ] || { echo "$passed passed, $failed failed, 0 skipped"; exit 1; }
listing >"$ROOT/before"
check "the packages install" install_packages
check "users, policy, programs and unit are in place" state_of_install
check "every program has its manual page" manual_pages
check "sinks are set up" make_sinks
skipped=0
if start_sensor >"$ROOT/start" 2>&1; then
	check "reading /etc/shadow raises an alert" one_alert
	check "its sinks bring it to a file, and say where nobody is" sinks_work
	check "tamisctl status answers" in_root tamisctl status
	status=0
	kill "$PID" && wait "$PID" || status=$?
	PID=
	check "the sensor ends when told to" test $status = 0
	check "the log verifies" in_root tamisctl log verify
	check "the state is for root, the log's user and its group alone" in_root sh -c 'test "$(stat -c %a /var/lib/tamis/log /var/lib/tamis/keys | tr "\n" " ")" = "750 700 "'
elif [ ! -e /sys/kernel/btf/vmlinux ]; then
	skipped=1
	echo "skip: the sensor was not started: this kernel has no type information"
else
	check "the sensor starts" cat "$ROOT/start" /nonexistent
fi
check "purging leaves nothing behind" purge_leaves_nothing
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
