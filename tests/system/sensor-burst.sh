#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 200,000 matching opens in a tight loop: alerts and counted losses add up exactly, and at the default ring size nothing is
# lost. With a tiny ring and queue much is lost, and still everything is accounted for.
# Alone: it counts what is lost at the default sizes.
. "$(dirname "$0")/sensor_lib.bash"
N=${TAMIS_BURST_N:-200000}

policy "$WORK/p.tpb" "target open.file.path == \"$WORK/target\""
touch "$WORK/target"
opens 1 "$WORK/target"

# everything that was seen is settled: nothing waits anywhere
made() { [ $(($(field alerts durable) + $(field events lost) + $(field alerts lost))) -ge "$N" ]; }
# losses as the log has them
lost_in_log() { log_records loss | grep -ao '"open":[0-9]*' | cut -d: -f2 | awk '{ s += $1 } END { print s + 0 }'; }

burst() {
	local begin lost alerts
	# the canary's opens could be lost, too, and would be counted
	must_start --policy "$WORK/p.tpb" --allow-unsigned --canary 0 "$@"
	begin=$(now_ms)
	opens "$N" "$WORK/target"
	echo "# the opens took $(($(now_ms) - begin)) ms"
	until_true 120 made
	echo "# all is settled after $(($(now_ms) - begin)) ms; the queue had at most $(field queue peak) bytes"
	verdict "stops with status 0" sensor_stop
	alerts=$(log_records alert | wc -l)
	lost=$(lost_in_log)
	echo "# $alerts alerts, $lost lost"
	verdict "alerts + losses = $N" test $((alerts + lost)) = "$N"
	LOST=$lost
	verdict "the log verifies" log_verifies
	verdict "every alert was printed" eval 'log_records alert | cmp -s - "$OUT"'
}

echo "# default sizes"
# that other programs leave the engine too little time is not its fault: then once more
for _ in 1 2 3; do
	burst
	rm -rf "$STATE" "$OUT"
	[ "$LOST" != 0 ] || break
done
verdict "nothing is lost" test "$LOST" = 0

echo "# a ring of 64 KiB, a queue of 512 KiB"
burst --ring-bytes 64K --queue-bytes 512K
verdict "much is lost, and counted" test "$LOST" -gt 0
done_testing
