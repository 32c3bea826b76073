#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The running sensor and a baseline that is damaged, cut, edited, of a newer version, or held by somebody else: it says so, goes on
# with everything else, and with integrity once there is a good one.
. "$(dirname "$0")/sensor_lib.bash"
T=$WORK/tree
mkdir -p "$T"
mkdir -m 711 "$STATE"
for i in $(seq 200); do echo "text $i" >"$T/f$i"; done
cat >"$WORK/p.yaml" <<END
rules:
  - {id: opened, expression: 'open.file.path == "$WORK/opened" && open.flags & O_CREAT > 0'}
watches:
  - {id: tree, paths: ['$T'], attributes: [standard], diff: true, debounce: 0s}
END
"$BIN/tamisc" build -o "$WORK/p.tpb" "$WORK/p.yaml" >"$WORK/tamisc.log" 2>&1 || { cat "$WORK/tamisc.log"; exit 1; }
fim() { "$BIN/tamisctl" --state "$STATE" fim "$@"; }
init() { fim init --force --quiet --policy "$WORK/p.tpb" --allow-unsigned >"$WORK/said" 2>&1; }
alert() { grep -a "\"path\":\"$1\"" "$OUT" | grep -a '"type":"integrity"' | grep -aq -- "$2"; }
opened() { grep -aq '"id":"opened"' "$OUT"; }
said() { grep -qE -- "$1" "$ERR"; }
fim_is() { ctl status --json | grep '"fim":{[^}]*"state":"'"$1"'"' >/dev/null; }
db() { echo "$STATE/baseline.db"; }

# bad NAME WORDS COMMAND: the good baseline is spoilt by COMMAND; WORDS are what the sensor says of it
bad() {
	local name=$1 words=$2 status=0
	rm -rf "$STATE"/baseline.db* "$OUT"
	until_true 15 init || { cat "$WORK/said"; exit 1; } # the process that scans may end after the others
	sqlite3 "$(db)" 'PRAGMA wal_checkpoint(TRUNCATE)' >"$WORK/said"
	eval "$3"
	fim check >"$WORK/said" 2>&1 || status=$?
	verdict "$name: tamisctl says so, and ends with 2" test $status = 2
	must_start --policy "$WORK/p.tpb" --allow-unsigned
	verdict "$name: the sensor says so" until_true 15 said "$words"
	rm -f "$WORK/opened"
	: >"$WORK/opened"
	verdict "$name: the rules go on" until_true 15 opened
	rm -rf "$STATE"/baseline.db*
	verdict "$name: another baseline" init
	verdict "$name: is taken" until_true 30 fim_is up
	echo "$name" >>"$T/f1"
	verdict "$name: and changes are told" until_true 15 alert "$T/f1" "+$name"
	verdict "$name: stops" sensor_stop
}

bad damaged 'changes of watched files are not told|not compared' \
	'dd if=/dev/urandom of="$(db)" bs=4096 seek=1 count=3 conv=notrunc status=none'
bad cut 'changes of watched files are not told|not compared' 'truncate -s 6000 "$(db)"'
bad future 'changes of watched files are not told.*newer' 'sqlite3 "$(db)" "PRAGMA user_version = 99"'
bad edited 'the baseline was edited' 'sqlite3 "$(db)" "DELETE FROM file WHERE CAST(path AS TEXT) LIKE '"'%/f7'"'"'

# ---- somebody else works on it ------------------------------------------------------------------------------------------------

rm -rf "$STATE"/baseline.db* "$OUT"
until_true 15 init || cat "$WORK/said"
must_start --policy "$WORK/p.tpb" --allow-unsigned
verdict "the baseline is used" until_true 15 fim_is up
exec 9<>"$STATE/baseline.lock"
flock -w 60 9 || exit 1
echo locked >>"$T/f2"
verdict "locked: changes are told all the same" until_true 15 alert "$T/f2" '+locked'
status=0
fim check >"$WORK/said" 2>&1 9>&- || status=$?
verdict "locked: tamisctl says so" eval "[ $status = 2 ] && grep -q 'wait until it has ended' '$WORK/said'"
exec 9>&-
verdict "stops" sensor_stop
verdict "the log verifies" log_verifies
done_testing
