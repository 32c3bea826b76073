#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TAMIS_BURST_FILES (5,000; 50,000 for the whole of it) deletes and as many modifications in watched directories, as fast as one
# process can: each is reported with who did it, or counted as lost. At the default sizes nothing is lost.
# Alone: it counts what is lost at the default sizes.
. "$(dirname "$0")/sensor_lib.bash"
N=${TAMIS_BURST_FILES:-5000}
T=$WORK/tree

mkdir -p "$T"
mkdir -m 711 "$STATE"
tool make "$T" "$N" || exit 1
printf '%s\n' "watches:" "  - {id: tree, paths: ['$T'], attributes: [standard], diff: true, severity: high}" >"$WORK/p.yaml"
"$BIN/tamisc" build -o "$WORK/p.tpb" "$WORK/p.yaml" >"$WORK/tamisc.log" 2>&1 || { cat "$WORK/tamisc.log"; exit 1; }
"$BIN/tamisctl" --state "$STATE" fim init --quiet --policy "$WORK/p.tpb" --allow-unsigned || exit 1

scanned() { ctl status --json | grep '"scans":1' >/dev/null; }
# no file waits, no touch, no alert; in two answers in a row
at_rest() {
	local now
	now=$(ctl status --json | grep -o '"fim":{[^}]*}' | grep -o '"\(alerts\|looked\|queue\|touches\)":[0-9]*' | tr '\n' ' ')
	[[ $now == *'"queue":0 '* && $now == "$BEFORE" && $(field alerts made) = "$(field alerts durable)" ]] && return
	BEFORE=$now
	sleep 0.5
	false
}
# what is told of, by kind: paths with a process that is the tool
told() {
	grep -a '"type":"integrity"' "$OUT" | grep -a "\"kind\":\"$1\"" | grep -a '"process":{.*"comm":"tool"' |
		grep -ao "\"path\":\"$T/[0-9]*/$2-[0-9]*\"" | sort -u | wc -l
}
must_start --policy "$WORK/p.tpb" --allow-unsigned
until_true 30 scanned
begin=$(now_ms)
verdict "$((2 * N)) changes" eval 'tool burst "$T" "$N" >"$WORK/seconds"'
BEFORE=
verdict "all that waits is looked at" until_true 300 at_rest
echo "# the changes took $(cat "$WORK/seconds") s; all is told and durable $(($(now_ms) - begin)) ms after they began"
REMOVED=$(told removed gone) CHANGED=$(told changed more)
LOST=$(($(field fim lost) + $(field events lost) + $(field alerts lost)))
echo "# $REMOVED deletes and $CHANGED modifications told with who did it, $LOST counted as lost"
ctl status --json | grep -o '"fim":{[^}]*}' | sed 's/^/# /'
verdict "each delete is told with who did it" test "$REMOVED" = "$N"
verdict "each modification is" test "$CHANGED" = "$N"
verdict "nothing is lost" test "$LOST" = 0
verdict "stops" sensor_stop
verdict "the log verifies" log_verifies
done_testing
