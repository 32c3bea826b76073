# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the tests of sinks share; sourced by sensor-sinks*.sh.
. "$(dirname "${BASH_SOURCE[0]}")/sensor_lib.bash"
MODULES=$PWD/${TAMIS_BUILD:-build}/sinks
COLLECT=$PWD/tests/system/collect
SINKS=$WORK/sinks
OUTSIDE=$WORK/outside # what the sinks' user may write
mkdir -p "$SINKS" "$OUTSIDE"
chmod 755 "$WORK"
chmod 777 "$OUTSIDE"
policy "$WORK/p.tpb" "target open.file.path == \"$WORK/target\"" "other open.file.path == \"$WORK/other\""
touch "$WORK/target" "$WORK/other"
COLLECTORS=()

# sink NAME SETTING...: a line each
sink() { local name=$1; shift; printf '%s\n' "$@" >"$SINKS/$name.conf"; }
start() { must_start --policy "$WORK/p.tpb" --allow-unsigned --sinks "$SINKS" --sink-modules "$MODULES" "$@"; }
# sink_field NAME FIELD
sink_field() { ctl sinks --json | jq -r ".[] | select(.name == \"$1\") | .$2"; }
sink_is() { [ "$(sink_field "$1" "$2")" = "$3" ]; }
sink_at_least() { [ "$(sink_field "$1" "$2")" -ge "$3" ]; }
sink_says() { sink_field "$1" error | grep -q "$2"; }
caught_up() { [ "$(sink_field "$1" lag_records)" = 0 ] && [ "$(sink_field "$1" seq)" -ge "$2" ]; }
log_seq() { field log seq; }

# collect WHAT...: in the background, until stop_collectors
collect() {
	local said=$WORK/collect.${#COLLECTORS[@]}
	: >"$said"
	"$COLLECT" "$@" >"$said" 2>"$said.err" &
	COLLECTORS+=($!)
	until_true 5 grep -q ready "$said"
}
stop_collectors() {
	local pid
	for pid in "${COLLECTORS[@]}"; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	COLLECTORS=()
}
trap 'stop_collectors; cleanup' EXIT

told() { log_records alert | grep -c "$1" >/dev/null; }
