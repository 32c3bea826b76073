# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the benches share that run the sensor; sourced by those in bench/, from the top of the repository. WORK is a directory of their own.
[ "$(id -u)" = 0 ] || { echo "bench: needs root" >&2; exit 1; }
WORK=$(mktemp -d "${BENCH_DIR:-/var/tmp}/tamis-bench.XXXXXX")
STATE=$WORK/state
PID=
PEERS=()  # of processes that a bench starts beside the sensor
MOUNTS=() # where it has mounted something
MADE=()   # directories elsewhere
trap 'stop_tamis; for p in "${PEERS[@]}"; do kill "$p" 2>/dev/null || :; done; for m in "${MOUNTS[@]}"; do umount "$m"; done; rm -rf "$WORK" "${MADE[@]}"' EXIT

has() { command -v "$1" >/dev/null || { echo "bench: $1 is not installed: left out" >&2; false; }; }

# policy BUNDLE SOURCE...
policy() {
	build/bin/tamisc build -o "$@" >"$WORK/build.log" 2>&1 || { cat "$WORK/build.log" >&2; exit 1; }
}

# start_tamis OPTION...: until it says ready
start_tamis() {
	rm -f "$WORK/tamisd.log"
	build/bin/tamisd --allow-unsigned --state "$STATE" --foreground "$@" 2>"$WORK/tamisd.log" &
	PID=$!
	for _ in $(seq 400); do
		! grep -qsx ready "$WORK/tamisd.log" || return 0
		sleep 0.05
	done
	cat "$WORK/tamisd.log" >&2
	exit 1
}

stop_tamis() {
	[ -n "$PID" ] || return 0
	kill "$PID" 2>/dev/null || true
	wait "$PID" || true
	PID=
}

# The least that a sensor can cost that looks at every system call.
start_empty() {
	rm -f "$WORK/empty.log"
	build/bench/empty_hook 2>"$WORK/empty.log" &
	PID=$!
	for _ in $(seq 200); do
		grep -qsx ready "$WORK/empty.log" && return
		sleep 0.05
	done
	cat "$WORK/empty.log" >&2
	exit 1
}

stop_empty() { stop_tamis; }

ctl() { build/bin/tamisctl --state "$STATE" "$@"; }
# field BLOCK NAME: of the status
field() { ctl status --json | jq ".$1.$2"; }
now_ms() { date +%s%3N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
