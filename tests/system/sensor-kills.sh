#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at KILLS (12) random moments under load: of the record process, the engine, the spool and its keeper, a sink, the monitor, and of
# all at once, as a power cut would. Afterwards: what was acknowledged (a line of --alerts is written when its record is on
# disk and signed) is in the log, the log verifies by both verifiers, and the sinks have every record once, or marked.
. "$(dirname "$0")/sinks_lib.bash"
KILLS=${KILLS:-12}

sink file "type = file" "path = $OUTSIDE/file" "from = start" "max-bytes = 0" "rate = 0"
sink sock "type = unix" "path = $OUTSIDE/sock" "from = start" "retry-max = 1" "rate = 0"
collect unix "$OUTSIDE/sock" "$WORK/sock.out"
touch "$WORK/acked"

runs=0
# A file of its own for each run: the last line of one that was killed may be torn.
run() {
	runs=$((runs + 1))
	# shellcheck disable=SC2034 # sensor_start has it
	OUT=$WORK/acked.$runs
	sensor_start --policy "$WORK/p.tpb" --allow-unsigned --sinks "$SINKS" --sink-modules "$MODULES"
}
# a child is up again, or another one than before, if it was killed
up() { [ "$(state_of engine)" = up ] && [ "$(state_of record)" = up ]; }
spool_pid() { ctl status --json | jq .spool.pid; }
# spool_up OLD: another one than before, or only its keeper was killed
spool_up() { local pid; pid=$(spool_pid); { [ "$pid" != "$1" ] || [ "$victim" = keeper ]; } && kill -0 "$pid" 2>/dev/null; }
# everything that the sensor is made of
family() { local p; for p in $(pgrep -P "$1"); do family "$p"; done; echo "$1"; }
# processes of a sensor whose monitor was killed end by themselves; a lock on the log would refuse the next one
all_ended() { local p; for p in $old; do ! kill -0 "$p" 2>/dev/null || return 1; done; }

load() {
	while [ -e "$WORK/loading" ]; do
		opens $((RANDOM % 150 + 50)) "$WORK/target"
		sleep 0.05
	done
}
opens 1 "$WORK/target" # builds the tool
start_load() { touch "$WORK/loading"; load & LOAD=$!; }
stop_load() { rm -f "$WORK/loading"; wait "$LOAD"; }

restarts=0 broken=0
# a sensor whose children die too often within a minute stops, as it should: so few of each kind in a run
kill_one() {
	local victim=$1 pid spool
	case $victim in
	engine | record) pid=$(pid_of "$victim") ;;
	spool) pid=$(spool_pid) ;;
	keeper) pid=$(ps -o ppid= -p "$(spool_pid)" | tr -d ' ') ;;
	both) pid="$(spool_pid) $(ps -o ppid= -p "$(spool_pid)" | tr -d ' ')" ;;
	sink) pid=$(pgrep -P "$(spool_pid)" | shuf -n 1) ;;
	monitor) pid=$SENSOR ;;
	all) pid=$(family "$SENSOR") ;;
	esac
	old=$(family "$SENSOR") spool=$(spool_pid)
	# shellcheck disable=SC2086 # several
	[ -z "$pid" ] || kill -9 $pid 2>/dev/null
	case $victim in
	monitor | all)
		wait "$SENSOR" 2>/dev/null
		SENSOR=
		until_true 15 all_ended || { echo "# processes are left after kill -9 of $victim"; broken=$((broken + 1)); }
		run || { echo "# it does not start again after kill -9 of $victim"; tail -n 5 "$ERR"; broken=$((broken + 1)); }
		restarts=$((restarts + 1))
		;;
	spool | keeper | both) until_true 20 spool_up "$spool" || { echo "# no spool after kill -9 of $victim"; broken=$((broken + 1)); } ;;
	*) until_true 15 up || { echo "# not up again after kill -9 of $victim"; broken=$((broken + 1)); } ;;
	esac
}

run
verdict "starts and says ready" is_ready
start_load
victims=(record all sink engine monitor both all spool record keeper monitor all)
for ((i = 0; i < KILLS; i++)); do
	sleep "0.$((RANDOM % 900 + 100))"
	victim=${victims[i % ${#victims[@]}]}
	kill_one "$victim"
	[ -n "$SENSOR" ] || break
	[ $((i % 50)) != 49 ] || log_verifies || { echo "# after kill $i of $victim"; broken=$((broken + 1)); }
done
verdict "after each of $i kills it is up again by itself, or starts again" test "$broken:$i" = "0:$KILLS"
opens 50 "$WORK/target"
stop_load
settled() { [ "$(field queue records)" = 0 ] && [ "$(field alerts made)" = $(($(field alerts durable) + $(field alerts lost))) ]; }
verdict "what is left is worked off" until_true 30 settled
seq=$(log_seq)
verdict "the file has all ($seq records)" until_true 60 caught_up file "$seq"
verdict "  and the socket" until_true 60 caught_up sock "$seq"
verdict "stops with status 0" sensor_stop
verdict "nothing that was acknowledged is missing in the log" eval '"$COLLECT" acknowledged "$STATE/log" "$WORK"/acked.* >$WORK/said; r=$?; sed "s/^/# /" $WORK/said; [ $r = 0 ]'
verdict "the log verifies" log_verifies
sed 's/^/# /' "$WORK/verify"
verdict "  by the other verifier, too" eval 'tools/log-verify "$STATE/log" "$STATE/keys/log.pub.pem" >"$WORK/verify" 2>&1 || { cat "$WORK/verify"; false; }'
for out in outside/file sock.out; do
	verdict "$out: nothing is missing, what came twice says so" eval '"$COLLECT" check "$WORK/$out" >"$WORK/checked" 2>&1'
	sed "s|^|# |" "$WORK/checked"
done
verdict "the records are the log's, where they say" eval '"$COLLECT" leaves $WORK/sock.out $STATE/log >/dev/null'
done_testing
