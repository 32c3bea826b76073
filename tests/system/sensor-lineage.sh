#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two rings: a flood of file events that overflows theirs costs no exec, fork or exit, and the other way round. And what is
# read from two rings belongs together: an open is told of the program that did it.
# Alone: it counts what is lost.
. "$(dirname "$0")/sensor_lib.bash"
N=${TAMIS_FLOOD_N:-200000} EXECS=300

cp /bin/true "$WORK/run"
touch "$WORK/target" "$WORK/mine"
opens 1 "$WORK/target" # builds the tool
cp "$WORK/tool" "$WORK/reader"
policy "$WORK/p.tpb" "target open.file.path == \"$WORK/target\"" "mine open.file.path == \"$WORK/mine\"" \
	"run exec.file.path == \"$WORK/run\""

# count EVENT COUNTER: since the start, by the kernel side
count() { ctl stats --json | grep -o '"now":{.*' | grep -o "\"$1\":{[^}]*}" | head -n 1 | grep -o "\"$2\":[0-9]*" | cut -d: -f2; }
runs() { for _ in $(seq "$1"); do "$WORK/run"; done; }

must_start --policy "$WORK/p.tpb" --allow-unsigned --ring-bytes 64K --queue-bytes 512K
opens "$N" "$WORK/target" &
flood=$!
runs $EXECS
wait $flood
verdict "all execs of the flood are alerts" until_true 60 eval "[ \$(alerts_of run) = $EXECS ]"
verdict "the flood overflowed its ring" test "$(count open lost)" -gt 0
for event in exec fork exit; do
	verdict "no $event was lost" test "$(count $event lost)$(count $event lost_context)" = 00
done
verdict "stops with status 0" sensor_stop

echo "# the other way round"
rm -rf "$STATE" "$OUT"
must_start --policy "$WORK/p.tpb" --allow-unsigned --lineage-bytes 64K --queue-bytes 512K
# An engine that a debugger holds takes nothing from either ring; one that is stopped by a signal, the monitor lets go on.
hold "$(pid_of engine)"
runs $EXECS
opens 100 "$WORK/target"
verdict "execs overflowed their ring" test "$(count exec lost)" -gt 0
verdict "no open was lost" test "$(count open lost)" = 0
release
verdict "and each is an alert" until_true 60 eval "[ \$(alerts_of target) = 100 ]"
verdict "stops with status 0" sensor_stop

echo "# programs that come, open and go"
rm -rf "$STATE" "$OUT"
must_start --policy "$WORK/p.tpb" --allow-unsigned
for _ in $(seq $EXECS); do "$WORK/reader" opens 1 "$WORK/mine"; done &
for _ in $(seq $EXECS); do "$WORK/reader" opens 1 "$WORK/mine"; done
wait $!
verdict "each open is an alert" until_true 60 eval "[ \$(alerts_of mine) = $((2 * EXECS)) ]"
of_reader() { grep -a '"rule":{"id":"mine"' "$OUT" | grep -ac "\"process\":{.*\"path\":\"$WORK/reader\""; }
verdict "of the program that did it" test "$(of_reader)" = $((2 * EXECS))
verdict "stops with status 0" sensor_stop
done_testing
