#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of each process in turn, at rest and in the middle of a burst: the sensor starts it again or stops loudly, the log
# verifies, the gap is a record, and the numbers add up.
. "$(dirname "$0")/sensor_lib.bash"

policy "$WORK/p.tpb" "target open.file.path == \"$WORK/target\"" "other open.file.path == \"$WORK/other\""
touch "$WORK/target" "$WORK/other"
opens 1 "$WORK/target"

is_another() { [ "$(pid_of "$1")" != "$2" ] && [ "$(state_of engine)" = up ] && [ "$(state_of record)" = up ]; }
# gap PROCESS WHAT: that number of the last gap record about the process
gap() { log_records gap | grep -a "\"process\":\"$1\"" | tail -n 1 | grep -ao "\"$2\":[0-9]*" | cut -d: -f2; }

# kill_one PROCESS: it comes back, and alerts come again
kill_one() {
	local pid
	pid=$(pid_of "$1")
	kill -9 "$pid"
	verdict "$1 is started again" until_true 10 is_another "$1" "$pid"
	verdict "the gap is a record" eval "log_records gap | grep -qa '\"process\":\"$1\"'"
	cat "$WORK/other"
	verdict "alerts come again" until_true 5 eval "[ \$(logged_of other) = $2 ]"
}

must_start --policy "$WORK/p.tpb" --allow-unsigned
kill_one engine 1
kill_one record 2

# Every open is an alert in the log, or counted: as an event or an alert in a gap record, or as lost in the ring.
sum_of() { log_records "$1" | grep -ao "\"$2\":[0-9]*" | cut -d: -f2 | awk '{ s += $1 } END { print s + 0 }'; }
# a full queue knows no types
lost_at() { log_records loss | grep -a "\"where\":\"$1\"" | grep -ao '"total":[0-9]*' | cut -d: -f2 | awk '{ s += $1 } END { print s + 0 }'; }
settled() { [ "$(field queue records)" = 0 ] && [ "$(field alerts made)" = $(($(field alerts durable) + $(field alerts lost))) ]; }
for process in engine record engine record; do
	opens 40000 "$WORK/target" &
	sleep 0.0$((RANDOM % 9))5
	pid=$(pid_of $process)
	kill -9 "$pid"
	wait $!
	verdict "$process is started again after a burst" until_true 15 is_another $process "$pid"
	echo "#   lost with it: $(gap $process events) events, $(gap $process alerts) alerts"
done
verdict "it works off what is left" until_true 60 settled
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
all=$(($(logged_of target) + $(sum_of gap events) + $(sum_of gap alerts) + $(sum_of loss open) + $(lost_at engine) + $(lost_at record)))
echo "# $(logged_of target) alerts, $(sum_of gap events) events and $(sum_of gap alerts) alerts in gaps, $(sum_of loss open) lost at the" \
	"ring or shed, $(lost_at engine) and $(lost_at record) at queues"
verdict "of 160000 opens each is an alert or counted ($all)" test $all = 160000

# The monitor: the others see it and end; what they had is in the log, which says so.
must_start --policy "$WORK/p.tpb" --allow-unsigned
engine=$(pid_of engine) record=$(pid_of record)
opens 1000 "$WORK/target"
kill -9 "$SENSOR"
wait "$SENSOR" 2>/dev/null
SENSOR=
all_gone() { ! kill -0 "$engine" 2>/dev/null && ! kill -0 "$record" 2>/dev/null; }
verdict "without a monitor the others end" until_true 10 all_gone
verdict "the log says so" eval "log_records gap | grep -qa '\"process\":\"monitor\"'"
verdict "the log verifies" log_verifies
verdict "it starts again on the same log" sensor_start --policy "$WORK/p.tpb" --allow-unsigned

# A process that cannot stay up: the sensor says so and stops.
dies_again() {
	local pid
	for _ in $(seq 60); do
		kill -0 "$SENSOR" 2>/dev/null || return 0
		pid=$(pid_of engine 2>/dev/null)
		[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
		sleep 0.4
	done
	! kill -0 "$SENSOR" 2>/dev/null
}
echo "# killing the engine again and again"
verdict "after too many deaths it stops" dies_again
status=0
wait "$SENSOR" || status=$?
SENSOR=
verdict "with status 1" test $status = 1
verdict "and says why" grep -q "within a minute: the sensor stops" "$ERR"
verdict "the log verifies" log_verifies

echo "# nobody is left who would take alerts"
must_start --policy "$WORK/p.tpb" --allow-unsigned
engine=$(pid_of engine) record=$(pid_of record)
kill -STOP "$record" # so that the engine has more than it gets rid of
opens 200000 "$WORK/target"
kill -9 "$SENSOR" "$record"
wait "$SENSOR" 2>/dev/null
SENSOR=
gone() { ! kill -0 "$1" 2>/dev/null; }
verdict "the engine ends, too" until_true 10 gone "$engine"
done_testing
