#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the sensor refuses, and how it says so: one line that names what, where and the remedy; non-zero; no half effect.
. "$(dirname "$0")/sensor_lib.bash"

"$BIN/tamisc" keygen -o "$WORK/key.pem" >/dev/null 2>&1
"$BIN/tamisc" keygen -o "$WORK/wrong.pem" >/dev/null 2>&1
touch "$WORK/target"
rule="target open.file.path == \"$WORK/target\""
policy "$WORK/unsigned.tpb" "$rule"
SIGN=$WORK/key.pem policy "$WORK/good.tpb" "$rule"
TRUST=(--trust "$WORK/key.pub.pem")

# refused NAME STATUS TEXT OPTION...: tamisd ends with that status and one error line that holds the text
refused() {
	local name=$1 want=$2 text=$3 status=0
	shift 3
	timeout 10 "$BIN/tamisd" --foreground --state "$STATE" "$@" >/dev/null 2>"$ERR" || status=$?
	verdict "$name" eval "[ $status = $want ] && [ \$(grep -c 'error:' '$ERR') = 1 ] && grep -qF -- \"$text\" '$ERR' && ! grep -qx ready '$ERR'"
	sed 's/^/#   /' "$ERR"
}

echo "# policies"
refused "neither --trust nor --allow-unsigned" 1 "--trust PUB.pem" --policy "$WORK/good.tpb"
refused "unsigned" 1 "$WORK/unsigned.tpb" "${TRUST[@]}" --policy "$WORK/unsigned.tpb"
refused "signed by another key" 1 "$WORK/good.tpb" --trust "$WORK/wrong.pub.pem" --policy "$WORK/good.tpb"
refused "missing" 1 "$WORK/none.tpb" "${TRUST[@]}" --policy "$WORK/none.tpb"
refused "a directory" 1 "$WORK is not a file" "${TRUST[@]}" --policy "$WORK"
refused "a key that is none" 1 "$WORK/target" --trust "$WORK/target" --policy "$WORK/good.tpb"
size=$(stat -c %s "$WORK/good.tpb")
for at in 0 9 20 60 $((size / 3)) $((size / 2)) $((size - 90)) $((size - 1)); do
	cp "$WORK/good.tpb" "$WORK/flipped.tpb"
	byte=$(od -An -tu1 -j$at -N1 "$WORK/good.tpb")
	printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$WORK/flipped.tpb" bs=1 seek=$at conv=notrunc status=none
	refused "one bit of byte $at flipped" 1 "$WORK/flipped.tpb" "${TRUST[@]}" --policy "$WORK/flipped.tpb"
done
cp "$WORK/unsigned.tpb" "$WORK/future.tpb"
printf '\x63' | dd of="$WORK/future.tpb" bs=1 seek=8 conv=notrunc status=none
refused "of a future version" 1 "version" --allow-unsigned --policy "$WORK/future.tpb"
head -c $((size / 2)) "$WORK/good.tpb" >"$WORK/half.tpb"
refused "half of it" 1 "$WORK/half.tpb" --allow-unsigned --policy "$WORK/half.tpb"
: >"$WORK/empty.tpb"
refused "empty" 1 "$WORK/empty.tpb" --allow-unsigned --policy "$WORK/empty.tpb"

echo "# the host"
refused "a wrong option" 2 "--polcy" --polcy "$WORK/good.tpb"
refused "a rung that does not exist" 1 "fentry, kprobe and tracepoint" "${TRUST[@]}" --policy "$WORK/good.tpb" --rung magic
refused "a ring that is no power of two" 1 "power of two" "${TRUST[@]}" --policy "$WORK/good.tpb" --ring-bytes 100000
refused "a state directory that cannot be made" 1 "--state DIR" "${TRUST[@]}" --policy "$WORK/good.tpb" --state /proc/tamis
refused "--replay of what is no capture" 1 "no capture" --policy "$WORK/good.tpb" --replay "$WORK/target"
chmod 755 "$WORK"
status=0
setpriv --reuid 65534 --regid 65534 --clear-groups "$BIN/tamisd" --foreground --state "$STATE" --policy "$WORK/good.tpb" \
	--allow-unsigned 2>"$ERR" || status=$?
verdict "without root" eval "[ $status = 1 ] && grep -q 'as root' '$ERR'"
status=0
setpriv --bounding-set -all --inh-caps -all "$BIN/tamisd" --foreground --state "$STATE" --policy "$WORK/good.tpb" --allow-unsigned \
	2>"$ERR" || status=$?
verdict "root without capabilities" eval "[ $status = 1 ] && [ \$(grep -c error: '$ERR') = 1 ] && grep -q 'needs CAP_' '$ERR'"
sed 's/^/#   /' "$ERR"
verdict "nothing was left behind" test ! -e "$STATE/ctl.sock"

mkdir "$WORK/small"
if mount -t tmpfs -o size=64k tmpfs "$WORK/small"; then
	dd if=/dev/zero of="$WORK/small/filler" bs=1k count=64 status=none 2>/dev/null
	refused "a full disk at the start" 1 "No space left" "${TRUST[@]}" --policy "$WORK/good.tpb" --state "$WORK/small/state"
	rm -rf "$WORK/small/filler" "$WORK/small/state"
fi

echo "# while it runs"
verdict "the good one starts" sensor_start "${TRUST[@]}" --policy "$WORK/good.tpb"
before=$(ctl status --json | grep -o '"policy":{[^}]*}')
status=0
timeout 10 "$BIN/tamisd" --foreground --state "$STATE" --policy "$WORK/good.tpb" "${TRUST[@]}" 2>"$WORK/second" || status=$?
verdict "a second instance on the same state" eval "[ $status = 1 ] && grep -q 'another tamisd (pid $SENSOR)' '$WORK/second'"
for bad in unsigned flipped future half empty none; do
	status=0
	ctl reload "$WORK/$bad.tpb" 2>"$WORK/reload" || status=$?
	verdict "reload of $bad.tpb is refused" eval "[ $status = 1 ] && grep -q 'error:.*$bad.tpb.*stays' '$WORK/reload'"
done
verdict "the policy in force stayed" test "$(ctl status --json | grep -o '"policy":{[^}]*}')" = "$before"
cat "$WORK/target"
verdict "and works" until_true 3 eval '[ -s "$OUT" ]'
verdict "who talks garbage is hung up on" tool talk "$STATE/ctl.sock"
verdict "and others are answered" eval 'ctl status >/dev/null'
setpriv --reuid 65534 --regid 65534 --clear-groups "$BIN/tamisctl" --state "$STATE" status 2>"$WORK/other"
verdict "others than root may not ask" eval 'grep -q "use sudo" "$WORK/other"'
verdict "stops with status 0" sensor_stop
verdict "tamisctl says that none runs" eval '! ctl status 2>"$WORK/none" && grep -q "no sensor runs" "$WORK/none"'
verdict "the log verifies" log_verifies
done_testing
