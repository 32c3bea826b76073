#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How a service manager sees the sensor: the background, systemd's notification, the configuration file, users and rights
# of its processes, what they keep open.
. "$(dirname "$0")/sensor_lib.bash"

touch "$WORK/target"
policy "$WORK/p.tpb" "target open.file.path == \"$WORK/target\""
printf 'policy = %s\nallow-unsigned = yes\nstate = %s\nalerts = %s\n' "$WORK/p.tpb" "$STATE" "$OUT" >"$WORK/conf"

echo "# in the background, set up by a file"
tool opens 1 "$WORK/target"
tool notified "$WORK/notify" >"$WORK/notified" &
notified=$!
until_true 5 test -S "$WORK/notify"
verdict "returns when it is ready" env NOTIFY_SOCKET="$WORK/notify" timeout 10 "$BIN/tamisd" --config "$WORK/conf" 2>"$ERR"
verdict "had said ready by then" is_ready
SENSOR=$(cat "$STATE/lock")
wait $notified
verdict "systemd is told" grep -qx READY=1 "$WORK/notified"
cat "$WORK/target"
verdict "works" until_true 3 test -s "$OUT"

echo "# what the processes may do"
engine=$(pid_of engine) record=$(pid_of record)
status() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status"; }
verdict "engine and record are not root" eval '[ "$(status $engine Uid)" != 0 ] && [ "$(status $record Uid)" != 0 ]'
verdict "nor the same user" eval '[ "$(status $engine Uid)" != "$(status $record Uid)" ]'
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	verdict "neither has capabilities ($set)" eval \
		'[ "$(status $engine $set)" = 0000000000000000 ] && [ "$(status $record $set)" = 0000000000000000 ]'
done
# not to administer the system, to read or own any file; of the network, what attaching to packets takes (decision 0019)
verdict "the monitor keeps few" eval '[ $((0x$(status $SENSOR CapEff) & (1 << 21 | 1 << 1 | 1 << 0))) = 0 ]'
for pid in $SENSOR $engine $record; do
	verdict "$(cat /proc/$pid/comm): a filter of system calls, no new privileges" eval \
		'[ "$(status $pid Seccomp)" = 2 ] && [ "$(status $pid NoNewPrivs)" = 1 ]'
done
fds() { find "/proc/$1/fd" -type l -printf '%l\n' 2>/dev/null; }
verdict "the engine has no file of the log open" eval '! fds $engine | grep -q "$STATE"'
verdict "record has nothing of BPF open" eval '! fds $record | grep -q bpf'
verdict "the key is record's alone" eval '[ "$(stat -c %a:%u "$STATE/keys/log.key.pem")" = "600:$(status $record Uid)" ]'
verdict "the control socket is root's alone" eval '[ "$(stat -c %a:%u "$STATE/ctl.sock")" = 600:0 ]'

kill "$SENSOR"
gone() { ! kill -0 "$SENSOR" 2>/dev/null; }
verdict "SIGTERM ends it" until_true 10 gone
SENSOR=
verdict "the log verifies" log_verifies

echo "# a start that nobody waits for any more"
"$BIN/tamisd" --config "$WORK/conf" 2>"$ERR" &
waits=$!
sleep 0.3
kill "$waits"
status=0
wait $waits || status=$?
verdict "status 1 where the start is ended" test $status = 1
verdict "nothing is left of it" eval '! is_ready && ! pgrep -f "$WORK/conf"'

echo "# a start that fails says so to who waits"
printf 'policy = %s\nstate = %s\n' "$WORK/p.tpb" "$STATE" >"$WORK/conf"
status=0
timeout 10 "$BIN/tamisd" --config "$WORK/conf" 2>"$ERR" || status=$?
verdict "status 1 from the background too" test $status = 1
verdict "with the reason" grep -q "error: whose policy" "$ERR"
done_testing
