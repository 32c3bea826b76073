#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The log's way out of the host: sinks that work, that are down, that are killed; nothing is missing at the receiver, and what
# came twice says so.
. "$(dirname "$0")/sinks_lib.bash"

# ---- a file and a Unix socket --------------------------------------------------------------------------------------------
sink file "type = file" "path = $OUTSIDE/alerts.jsonl" "from = start" "max-bytes = 512K" "keep = 50" "rate = 0"
sink sock "type = unix" "path = $OUTSIDE/sock" "from = start" "retry-max = 1" "rate = 0"
sink folded "type = file" "path = $OUTSIDE/folded" "kinds = alert" "fold = 2" "fold.target = 0"
start
opens 20 "$WORK/target"
verdict "a file has the records" until_true 10 caught_up file 20
verdict "a socket that nobody listens on is told" until_true 5 sink_says sock "cannot connect to $OUTSIDE/sock"
verdict "  in the status, too" eval 'ctl status | grep -c "sock: .*FAILING" >/dev/null'
verdict "  and in the metrics" until_true 5 eval 'ctl metrics | grep -c "^tamis_sink_failing_seconds{sink=\"sock\",type=\"unix\"} [1-9]" >/dev/null'
collect unix "$OUTSIDE/sock" "$WORK/sock.out" 0.01
verdict "what waited arrives as soon as somebody listens" until_true 10 caught_up sock 20
verdict "the first heartbeat is there, with what is watched" eval 'grep "\"kind\":\"heartbeat\"" $OUTSIDE/alerts.jsonl |
	jq -e ".heartbeat.events.open | has(\"seen\")" >/dev/null'
folded_well() {
	[ "$(jq -r "select(.rule.id == \"other\") | .delivery.folded.count" "$OUTSIDE/folded" 2>/dev/null | paste -sd ' ')" = "null 29" ]
}
opens 30 "$WORK/other"
verdict "thirty identical alerts are two messages" until_true 8 folded_well
verdict "  and thirty in the log" test "$(log_records alert | grep -c '"id":"other"')" = 30
verdict "a test alert arrives" ctl sinks test file
verdict "  and says that it is one" grep -q '"id":"tamis_test"' "$OUTSIDE/alerts.jsonl"
verdict "a sink that is none cannot be tested" eval '! ctl sinks test none 2>/dev/null'

# ---- killed at random moments, under load ----------------------------------------------------------------------------------
sink_pids() { pgrep -P "$(ctl status --json | jq .spool.pid)"; }
kills=${KILLS:-6}
for ((i = 0; i < kills; i++)); do
	opens 400 "$WORK/target" &
	load=$!
	sleep "0.$((RANDOM % 30 + 10))"
	case $((i % 6)) in
	0 | 2 | 4) victim=$(sink_pids | shuf -n 1) ;;
	1 | 5) victim=$(ctl status --json | jq .spool.pid) ;;
	3) [ "$i" != 3 ] || victim=$(pid_of record) ;;
	esac
	[ -z "$victim" ] || kill -9 "$victim" 2>/dev/null
	wait $load
done
# the one that looks after the spool: known as soon as there is a spool again
keeper_of() { keeper=$(ps -o ppid= -p "$(ctl status --json | jq .spool.pid)" | tr -d ' ') && [ "$keeper" -gt 1 ]; }
until_true 10 keeper_of && kill -9 "$keeper"
opens 100 "$WORK/target"
# everything that was seen is in the log
settled() { [ "$(field queue records)" = 0 ] && [ "$(field alerts made)" = $(($(field alerts durable) + $(field alerts lost))) ]; }
until_true 10 settled
seq=$(log_seq)
verdict "after $kills kills the file has all ($seq records)" until_true 30 caught_up file "$seq"
verdict "  and the socket" until_true 30 caught_up sock "$seq"
verdict "nothing is missing in the files, and what came twice says so" eval '"$COLLECT" check $OUTSIDE/alerts.jsonl*'
verdict "nor at the socket" eval '"$COLLECT" check $WORK/sock.out'
verdict "the records are the log's, where they say" eval '"$COLLECT" leaves $WORK/sock.out $STATE/log'
verdict "the file is turned over by its size" eval '[ $(ls $OUTSIDE/alerts.jsonl.* | wc -l) -ge 2 ]'
verdict "the spool was started again, and that is an alert" until_true 5 told '"what":"spool"'
verdict "stops with status 0" sensor_stop
last=$(cat "$STATE"/log/*.jsonl | wc -l)
verdict "the end of the log is delivered, too" eval 'tail -n 1 $WORK/sock.out | grep -q "\"seq\":$last,"'
verdict "the log verifies" log_verifies
start
opens 5 "$WORK/target"
verdict "after a restart" until_true 10 caught_up sock $((last + 6))
verdict "  nothing came twice unmarked" eval '"$COLLECT" check $WORK/sock.out'
sensor_stop

# ---- retention waits for who is behind --------------------------------------------------------------------------------------
stop_collectors
rm -f "$OUTSIDE/sock"
start --log-epoch 1 --log-keep 4K
opens 20 "$WORK/target"
verdict "old segments stay for a sink that is down, which is an alert" until_true 15 told "old segments of the log stay, because sink sock"
sleep 1.5
collect unix "$OUTSIDE/sock" "$WORK/sock.out"
verdict "all of it arrives" until_true 10 caught_up sock "$(log_seq)"
verdict "  with nothing missing" eval '"$COLLECT" check $WORK/sock.out'
gone() { [ ! -e "$STATE/log/$first" ]; }
first=$(printf "%s\n" "$STATE"/log/*.jsonl | head -n 1 | xargs basename)
verdict "then they go" until_true 10 gone
sensor_stop
stop_collectors
rm -f "$OUTSIDE/sock"
start --log-epoch 1 --log-keep 4K --sink-hold 1K
opens 50 "$WORK/target"
verdict "told to wait no longer it does not, which is an alert first" until_true 15 told "are pruned, which sink sock has not read"
collect unix "$OUTSIDE/sock" "$WORK/sock.late"
verdict "and the sink says what it missed" until_true 10 sink_at_least sock missed 1
sensor_stop

# ---- the state's own disk is full: alerts wait in memory, the cursors' files are as large as they will be ----------------------
stop_collectors
mkdir "$WORK/small"
mount -t tmpfs -o size=16m,mode=755 tmpfs "$WORK/small" || { echo "skipped: no mounts here"; done_testing; }
STATE=$WORK/small/state
rm "$SINKS"/*
sink file "type = file" "path = $OUTSIDE/full" "from = start" "max-bytes = 0" "rate = 0"
start
opens 20 "$WORK/target"
verdict "before: the sink has the records" until_true 10 caught_up file 20
cat /dev/zero >"$WORK/small/ballast" 2>/dev/null
opens 600 "$WORK/target"
full() { ctl status | grep -q "CANNOT BE WRITTEN: No space left"; }
verdict "a full disk is told" until_true 10 full
verdict "  in the metrics, too" eval 'ctl metrics | grep -qx "tamis_log_error 1"'
kill -9 "$(pgrep -P "$(ctl status --json | jq .spool.pid)")"
sink_runs() { [ -n "$(pgrep -P "$(ctl status --json | jq .spool.pid)")" ]; }
verdict "a sink that is killed meanwhile starts again" until_true 15 sink_runs
rm "$WORK/small/ballast"
verdict "with room again nothing is told any more" until_true 15 eval '! full'
until_true 15 settled
verdict "no alert was lost" test "$(field alerts lost) $(field alerts durable)" = "0 620"
verdict "everything arrives afterwards" until_true 15 caught_up file "$(log_seq)"
verdict "  with nothing missing" eval '"$COLLECT" check $OUTSIDE/full'
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
done_testing
