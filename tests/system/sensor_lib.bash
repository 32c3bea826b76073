# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# What the tests of the running sensor share; sourced by sensor-*.sh. Each test has a directory of its own, kills only what
# it started, and is bounded in time.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
BIN=$PWD/${TAMIS_BUILD:-build}/bin

if [ "$(id -u)" != 0 ]; then
	echo "skipped: needs root"
	exit 77
fi

# As grep, but what is asked quietly of a pipe is read to its end: who writes to it would die of SIGPIPE now and then, and with
# pipefail that would be the answer.
grep() {
	local option status quiet=
	for option; do
		[[ $option != -- ]] || break
		[[ $option != -[!-]* ]] || [[ $option != *q* ]] || quiet=1
	done
	command grep "$@"
	status=$?
	[ -z "$quiet" ] || [ ! -p /dev/stdin ] || cat >/dev/null
	return $status
}

WORK=$(mktemp -d /var/tmp/tamis-sensor.XXXXXX) # a disk, and reachable for every user
STATE=$WORK/state OUT=$WORK/alerts ERR=$WORK/stderr
SENSOR=
passed=0 failed=0
trap cleanup EXIT

cleanup() {
	[ -z "$SENSOR" ] || kill -9 "$SENSOR" 2>/dev/null
	umount "$WORK/small" 2>/dev/null
	rm -rf "$WORK"
	cgroups_remove
}

# verdict NAME COMMAND...: one test
verdict() {
	local name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) - $name"
	else
		failed=$((failed + 1))
		echo "not ok $((passed + failed)) - $name"
		[ ! -s "$ERR" ] || tail -n 8 "$ERR" | sed 's/^/#   /'
	fi
}

done_testing() {
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
	exit
}

# until SECONDS COMMAND...: true as soon as the command is; the seconds are those of a machine that has nothing else to do
until_true() {
	local end=$((SECONDS + 4 * $1))
	shift
	while ! "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

now_ms() { date +%s%3N; }

# policy FILE RULE...: a bundle of rules given as "id expression"
policy() {
	local out=$1 yaml=$WORK/${1##*/}.yaml rule
	shift
	echo "rules:" >"$yaml"
	for rule; do printf -- '- id: %s\n  expression: >-\n    %s\n' "${rule%% *}" "${rule#* }" >>"$yaml"; done
	"$BIN/tamisc" build -o "$out" ${SIGN:+--sign "$SIGN"} "$yaml" >"$WORK/tamisc.log" 2>&1 || {
		cat "$WORK/tamisc.log"
		exit 1
	}
}

is_ready() { grep -qx ready "$ERR"; }
is_ready_or_dead() { is_ready || ! kill -0 "$SENSOR" 2>/dev/null; }

# sensor_start OPTION...: waits until it is ready; its monitor's pid is in SENSOR
sensor_start() {
	: >"$ERR"
	"$BIN/tamisd" --foreground --state "$STATE" --alerts "$OUT" "$@" 2>"$ERR" &
	SENSOR=$!
	until_true 30 is_ready_or_dead
	is_ready
}

# must_start OPTION...: one test; where it fails the rest makes no sense
must_start() {
	local ready=false
	! sensor_start "$@" || ready=true
	verdict "starts and says ready" $ready
	$ready || done_testing
}

# sensor_stop: its exit status
sensor_stop() {
	local status=0
	kill -TERM "$SENSOR" 2>/dev/null
	wait "$SENSOR" || status=$?
	SENSOR=
	return $status
}

ctl() { "$BIN/tamisctl" --state "$STATE" "$@"; }

# field NAME: a number from the status, by the way to it: field alerts durable
field() { ctl status --json | grep -o "\"$1\":{[^}]*}" | grep -o "\"$2\":[0-9]*" | cut -d: -f2; }

# Alerts of a rule so far; the last one, and whether that has a text.
alerts_of() { grep -ac "\"rule\":{[^}]*\"id\":\"$1\"" "$OUT"; }
# logged_of RULE: the same of those in the signed log
logged_of() { log_records alert | grep -ac "\"id\":\"$1\""; }
# sent_of EVENT [STATS]: how many the kernel let through; by what `stats --json`, which takes a second, said before
sent_of() { if [ $# = 2 ]; then echo "$2"; else ctl stats --json; fi | jq ".now.events.$1.sent"; }
# all that was sent is evaluated, and all that came of it is in the log
settled() { [ "$(field queue records)" = 0 ] && [ "$(field alerts made)" = "$(field alerts durable)" ]; }
is_count() { [ "$(alerts_of "$1")" = "$2" ]; }
last_of() { grep -a "\"rule\":{[^}]*\"id\":\"$1\"" "$OUT" | tail -n 1; }
has() { last_of "$1" | grep -qaF -- "$2"; }

# pid_of PROCESS
pid_of() { ctl status --json | grep -o "{\"name\":\"$1\",\"pid\":[0-9]*" | grep -o '[0-9]*$'; }
state_of() { ctl status --json | grep -o "{\"name\":\"$1\"[^}]*}" | grep -o '"state":"[a-z]*"' | cut -d'"' -f4; }

log_verifies() { ctl log verify >"$WORK/verify" 2>&1 || { cat "$WORK/verify"; false; }; }
# log_records KIND: every record of that kind, a line each
log_records() { cat "$STATE"/log/*.jsonl | grep -a "\"kind\":\"$1\""; }

# tool MODE ARGUMENT...: sensor_tool.c, built once
tool() {
	[ -x "$WORK/tool" ] || ${CC:-cc} -O2 -D_GNU_SOURCE -o "$WORK/tool" tests/system/sensor_tool.c || exit 1
	"$WORK/tool" "$@"
}
opens() { tool opens "$@"; }
unhook() {
	[ -x "$WORK/unhook" ] || ${CC:-cc} -O2 -D_GNU_SOURCE -o "$WORK/unhook" tests/system/unhook.c || exit 1
	"$WORK/unhook" "$@"
}

# hold PID: as a debugger does, for a minute or until release; true as soon as it is held
hold() {
	unhook hold "$1" 60 &
	HOLDER=$!
	until_true 30 grep -q '^State:.t' "/proc/$1/status"
}
release() {
	pkill -P "$HOLDER" # the subshell's child
	wait "$HOLDER" 2>/dev/null
}

# Where cgroups are made: the unified hierarchy, or the first of version 1, which the kernel's records, or /proc, tell of; empty:
# nowhere.
CGROUPS= CGROUPS_MADE=()
for dir in /sys/fs/cgroup/unified /sys/fs/cgroup /sys/fs/cgroup/memory; do
	[ -n "$CGROUPS" ] || [ ! -w "$dir/cgroup.procs" ] || CGROUPS=$dir
done
unset dir
need_cgroups() {
	[ -z "$CGROUPS" ] || return 0
	echo "skipped: no cgroups can be made here"
	exit 77
}
# cgroup_make PATH: it is removed at the end
cgroup_make() {
	local path=$CGROUPS part
	IFS=/ read -ra parts <<<"${1#/}"
	for part in "${parts[@]}"; do
		path=$path/$part
		[ -d "$path" ] || { mkdir "$path" && CGROUPS_MADE+=("$path"); } || return 1
	done
}
cgroups_remove() {
	local i
	for ((i = ${#CGROUPS_MADE[@]} - 1; i >= 0; i--)); do rmdir "${CGROUPS_MADE[$i]}" 2>/dev/null; done
}
# enter_cgroup PATH: for a subshell
enter_cgroup() { echo "$BASHPID" >"$CGROUPS$1/cgroup.procs"; }
# in_cgroup PATH COMMAND...: a process of its own there
in_cgroup() {
	cgroup_make "$1" && (enter_cgroup "$1" && exec "${@:2}")
}
