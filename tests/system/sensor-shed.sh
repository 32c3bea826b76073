#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A flood of events of a rule that hardly matters, on an engine with a small queue, then on one that takes nothing from the
# ring: the alerts of rules that matter are complete, and what gave way is counted, in the status and in the log, exactly.
# Alone: it counts what is lost.
. "$(dirname "$0")/sensor_lib.bash"
N=${TAMIS_SHED_N:-200000} GOOD=500

rule() { printf -- '- {id: %s, expression: %s, tags: {severity: %s}}\n' "$1" "'open.file.path == \"$WORK/$1\"'" "$1"; }
{ echo rules: && rule info && rule low && rule high && rule critical; } >"$WORK/p.yaml"
"$BIN/tamisc" build -o "$WORK/p.tpb" "$WORK/p.yaml" >"$WORK/tamisc.log" 2>&1 || { cat "$WORK/tamisc.log"; exit 1; }
for f in info low high critical; do touch "$WORK/$f"; done
opens 1 "$WORK/info"

alerts() { log_records alert | grep -ac "\"id\":\"$1\""; }
settled() { [ "$(field queue records)" = 0 ] && [ $(($(field alerts durable) + $(field events lost))) -ge $((2 * N + 2 * GOOD)) ]; }
# lost WHERE PART NAME: of the loss records
lost() {
	log_records loss | grep -a "\"where\":\"$1\"" | grep -o "\"$2\":{[^}]*}" | grep -o "\"$3\":[0-9]*" | cut -d: -f2 |
		awk '{ s += $1 } END { print s + 0 }'
}

must_start --policy "$WORK/p.tpb" --allow-unsigned --canary 0 --queue-bytes 2M
opens "$N" "$WORK/info" &
a=$!
opens "$N" "$WORK/low" &
b=$!
for _ in $(seq $((GOOD / 50))); do
	opens 50 "$WORK/high"
	opens 50 "$WORK/critical"
	sleep 0.05
done
wait $a $b
verdict "all is settled" until_true 120 settled
status=$(ctl status --json) text=$(ctl status)
verdict "stops with status 0" sensor_stop
info=$(lost shed severity info) low=$(lost shed severity low) medium=$(lost shed severity medium) ring=$(lost ring events open)
echo "# alerts: $(alerts info) info, $(alerts low) low, $(alerts high) high, $(alerts critical) critical;" \
	"shed: $info info, $low low; lost at the ring: $ring"
verdict "every alert of high severity is there" test "$(alerts high)" = $GOOD
verdict "and of critical" test "$(alerts critical)" = $GOOD
verdict "events of less important rules gave way" test "$info" -gt 0
verdict "of all others, each is an alert, shed or lost at the ring" \
	test $(($(alerts info) + info + $(alerts low) + low + ring)) = $((2 * N))
verdict "nothing else was shed" test "$medium" = 0
verdict "the log's sums by type are those by severity" test "$(lost shed events open)" = $((info + low))
verdict "the status has them, too" grep -q "\"shed\":{\"events\":{\"open\":{\"info\":$info\(,\"low\":$low\)\?}},\"total\":$((info + low))}" <<<"$status"
verdict "for people, too" grep -q "^SHED .*open info" <<<"$text"
verdict "the log verifies" log_verifies

echo "# an engine that a debugger holds takes nothing from the ring"
rm -rf "$STATE" "$OUT"
must_start --policy "$WORK/p.tpb" --allow-unsigned --canary 0
hold "$(pid_of engine)"
opens "$N" "$WORK/low"
opens $GOOD "$WORK/high"
opens $GOOD "$WORK/critical"
release
all_here() { [ "$(alerts high)$(alerts critical)" = $GOOD$GOOD ]; }
verdict "alerts of high and critical severity are complete" until_true 60 all_here
verdict "stops with status 0" sensor_stop
ring=$(lost ring events open)
verdict "the flood overflowed the ring" test "$ring" -gt 0
verdict "each of the rest is an alert, shed or lost at the ring" test $(($(alerts low) + $(lost shed severity low) + ring)) = "$N"
done_testing
