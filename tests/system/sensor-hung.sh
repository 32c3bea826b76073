#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Processes that do not die but do nothing any more. One that was stopped goes on at once, with nothing lost; one that is held
# by a debugger is noticed, killed and started again. Both is said, recorded, and an alert.
. "$(dirname "$0")/sensor_lib.bash"

policy "$WORK/p.tpb" "target open.file.path == \"$WORK/target\""
touch "$WORK/target"
alerts() { log_records alert | grep -ac '"id":"target"'; }
came() { [ "$(alerts)" = "$1" ]; }
alarm() { grep -a '"id":"tamis_process"' "$OUT" | grep -a "\"what\":\"$1\"" | grep -aq "$2"; }
is_another() { [ "$(pid_of "$1")" != "$2" ] && [ "$(state_of "$1")" = up ]; }

must_start --policy "$WORK/p.tpb" --allow-unsigned --canary 0
n=0
for process in engine record; do
	pid=$(pid_of $process)
	kill -STOP "$pid"
	opens 100 "$WORK/target"
	n=$((n + 100))
	verdict "$process, when it was stopped, goes on" until_true 5 came $n
	verdict "it is the same one" test "$(pid_of $process)" = "$pid"
	verdict "that is said" grep -q "the $process process (pid $pid) was stopped by signal 19, and continued" "$ERR"
	verdict "and a record" eval "log_records gap | grep -a '\"process\":\"$process\",\"reason\":\"stopped by signal 19, and continued\"' >/dev/null"
	verdict "and an alert" until_true 5 alarm $process '"reason":"stopped by signal 19, and continued"'
done
verdict "nothing was lost" test "$(field alerts lost)$(field events lost)" = 00

# as a debugger does: nobody is told
pid=$(pid_of engine)
hold "$pid"
opens 100 "$WORK/target"
verdict "an engine that does nothing is noticed and started again" until_true 40 is_another engine "$pid"
verdict "that is said" grep -q "the engine process (pid $pid) has done nothing for 20 s: it is killed" "$ERR"
verdict "and an alert" until_true 5 alarm engine '"reason":"killed, because it did nothing for 2'
release
verdict "what waited in the kernel arrives" until_true 10 came $((n + 100))
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
done_testing
