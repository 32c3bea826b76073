#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Another policy comes into force in the middle of a burst, again and again: nothing is lost and nothing is seen twice.
# A full disk and a reader that stalls hold nothing up for good.
. "$(dirname "$0")/sensor_lib.bash"
N=${TAMIS_RELOAD_N:-100000}

touch "$WORK/target" "$WORK/other"
same="target open.file.path == \"$WORK/target\""
policy "$WORK/a.tpb" "$same"
policy "$WORK/b.tpb" "first open.file.path == \"$WORK/nothing\"" "$same" "other open.file.path == \"$WORK/other\""
opens 1 "$WORK/target"


must_start --policy "$WORK/a.tpb" --allow-unsigned
cat "$WORK/other"
opens "$N" "$WORK/target" &
worker=$!
n=0
while kill -0 $worker 2>/dev/null; do
	for p in b a; do ctl reload "$WORK/$p.tpb" >/dev/null || break 2; n=$((n + 1)); done
done
wait $worker
ctl reload "$WORK/b.tpb" >/dev/null
n=$((n + 1))
echo "# $n reloads during $N opens"
cat "$WORK/other"
verdict "all is evaluated" until_true 60 settled
verdict "nothing was lost" test "$(field events lost)" = 0
verdict "the rule that only the new policy has fires" until_true 3 eval '[ "$(logged_of other)" = 1 ]'
verdict "stops with status 0" sensor_stop
verdict "each open is one alert" test "$(logged_of target)" = "$N"
verdict "each change is a record" test "$(log_records policy | wc -l)" = $n
verdict "the log verifies" log_verifies

echo "# a reader that stalls"
rm -rf "$STATE"
mkfifo "$WORK/fifo"
# shellcheck disable=SC2217 # that it never reads is the point
sleep 60 <"$WORK/fifo" &
reader=$!
OUT=$WORK/fifo
must_start --policy "$WORK/a.tpb" --allow-unsigned
opens 20000 "$WORK/target"
verdict "the log goes on" until_true 20 eval '[ "$(field alerts durable)" = 20000 ]'
verdict "lines were skipped, and counted" eval '[ "$(field alerts skipped)" -gt 0 ] && [ "$(field events lost)" = 0 ]'
kill $reader
wait $reader 2>/dev/null
verdict "stops with status 0" sensor_stop
verdict "the log has them all" test "$(logged_of target)" = 20000

echo "# a disk that fills up, and has room again"
mkdir "$WORK/small"
if mount -t tmpfs -o size=3m tmpfs "$WORK/small"; then
	STATE=$WORK/small/state OUT=$WORK/alerts
	rm -f "$OUT"
	must_start --policy "$WORK/a.tpb" --allow-unsigned
	opens 5000 "$WORK/target"
	verdict "it says so" until_true 10 grep -q "cannot be written" "$ERR"
	verdict "status says so" eval 'ctl status | grep -q "CANNOT BE WRITTEN"'
	verdict "once" test "$(grep -c 'cannot be written' "$ERR")" = 1
	mount -o remount,size=64m "$WORK/small"
	verdict "it goes on when there is room" until_true 20 eval '[ "$(field alerts durable)" = 5000 ]'
	verdict "stops with status 0" sensor_stop
	verdict "nothing is missing" test "$(logged_of target)" = 5000
	verdict "the log verifies" log_verifies
fi
done_testing
