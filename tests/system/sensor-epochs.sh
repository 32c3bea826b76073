#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The log's key is replaced every two seconds while alerts come and the record process is killed at random moments: the log
# verifies, also by the other verifier; records of different epochs can be proved with the first public key alone; and no
# private key is left but the present one.
. "$(dirname "$0")/sensor_lib.bash"

policy "$WORK/p.tpb" "target open.file.path == \"$WORK/target\""
touch "$WORK/target"
is_another() { [ "$(pid_of record)" != "$1" ] && [ "$(state_of engine)" = up ] && [ "$(state_of record)" = up ]; }
epochs() { ctl log verify --json 2>/dev/null | grep -o '"epochs":[0-9]*' | cut -d: -f2; }
reached() { [ "$(epochs)" -ge "$1" ]; }
# the names of the files that hold a private key
private_keys() { (cd "$STATE/keys" && grep -l PRIVATE -- * | paste -sd ' '); }
other_verifier() { tools/log-verify "$STATE/log" "$STATE/keys/log.pub.pem" >"$WORK/verify" 2>&1 || { cat "$WORK/verify"; false; }; }

must_start --policy "$WORK/p.tpb" --allow-unsigned --log-epoch 2
first=$(sha256sum <"$STATE/keys/log.pub.pem")
opens 300 "$WORK/target"
verdict "epochs end while nothing happens" until_true 15 reached 3

for _ in 1 2 3 4 5; do # as many deaths within a minute as the sensor allows itself
	opens 3000 "$WORK/target" &
	sleep $((RANDOM % 3)).$((RANDOM % 1000))
	pid=$(pid_of record)
	kill -9 "$pid"
	wait $!
	verdict "record is started again" until_true 15 is_another "$pid"
	sleep 1
done
opens 300 "$WORK/target"
at=$(epochs)
verdict "epochs go on ending" until_true 15 reached $((at + 2))
verdict "nobody had to be told of a key that stays" eval '! grep -q "cannot be replaced" "$ERR"'
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
echo "# $(ctl log verify 2>&1)"
verdict "and by the other verifier" other_verifier
verdict "the present private key is the only one ($(private_keys))" test "$(private_keys)" = log.key.pem
verdict "the first public key is what it was" test "$(sha256sum <"$STATE/keys/log.pub.pem")" = "$first"

# proves SEQ: with the proof and the first key, away from the log
cp "$STATE/keys/log.pub.pem" "$WORK/first.pem"
proves() {
	ctl log prove "$1" >"$WORK/proof" &&
		"$BIN/tamisctl" --state /nonexistent log prove --check "$WORK/proof" --key "$WORK/first.pem" >"$WORK/proved" 2>&1 &&
		grep -q "\"seq\":$1," "$WORK/proved"
}
last=$(cat "$STATE"/log/*.jsonl | wc -l)
for seq in 2 $((last / 3)) $((last / 2)) "$last"; do verdict "record $seq of $last can be proved" proves "$seq"; done
verdict "the newest checkpoint, by openssl and its epoch's key" eval 'ctl log checkpoint -o "$WORK/newest" 2>/dev/null &&
	openssl dgst -sha256 -verify "$WORK/newest.pem" -signature "$WORK/newest.sig" "$WORK/newest.txt" | grep -q "Verified OK"'
verdict "which the first key is not" eval '! cmp -s "$WORK/newest.pem" "$WORK/first.pem"'

# the present key cannot be replaced: said once, and the log goes on
must_start --policy "$WORK/p.tpb" --allow-unsigned --log-epoch 2
mkdir "$STATE/keys/log.past.pem.new"
verdict "a key that cannot be replaced is told" until_true 10 grep -q "the log's key cannot be replaced, and stays in use" "$ERR"
metric() { ctl metrics | grep -qx "$1"; }
verdict "  in the status" until_true 5 eval 'ctl status | grep -q "^log key .*CANNOT BE REPLACED"'
verdict "  and in the metrics" metric "tamis_log_epoch_error 1"
opens 1 "$WORK/target"
sleep 2.5
verdict "  once" test "$(grep -c "cannot be replaced" "$ERR")" = 1
rmdir "$STATE/keys/log.past.pem.new"
verdict "  and that it can be again" until_true 5 grep -q "the log's key was replaced" "$ERR"
verdict "  and the metrics" until_true 5 metric "tamis_log_epoch_error 0"
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
verdict "the present private key is the only one ($(private_keys))" test "$(private_keys)" = log.key.pem

# the first segment is not what was signed: it is not pruned, but kept as evidence, and that is told
sed -i '2s/a/b/' "$STATE/log/00000001.jsonl"
must_start --policy "$WORK/p.tpb" --allow-unsigned --log-epoch 2 --log-keep 1K
verdict "evidence that is not pruned is told" until_true 15 metric "tamis_log_prune_error 1"
verdict "  in the status" eval 'ctl status | grep -q "^retention .*CANNOT BE PRUNED"'
verdict "stops with status 0" sensor_stop
done_testing
