#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The log's key sealed by a TPM 2.0 (swtpm): no file has a private key, epochs end, a record process that is killed opens it again, and
# on another TPM, or without, the sensor says what is wrong and changes nothing.
. "$(dirname "$0")/sensor_lib.bash"
MODULE=$PWD/${TAMIS_BUILD:-build}/seal/tamis-seal-tpm2.so
command -v swtpm >/dev/null || { echo "skipped: no swtpm"; exit 77; }
[ -e "$MODULE" ] || { echo "skipped: built without tpm2-tss"; exit 77; }

policy "$WORK/p.tpb" "target open.file.path == \"$WORK/target\""
touch "$WORK/target"
TPM=
# tpm NAME: swtpm with that state, on free ports
tpm() {
	local said=$WORK/swtpm.$1
	[ -z "$TPM" ] || { kill "$TPM"; wait "$TPM" 2>/dev/null; }
	mkdir -p "$WORK/tpm.$1"
	swtpm socket --tpm2 --tpmstate dir="$WORK/tpm.$1" --server type=tcp,port=17321,bindaddr=127.0.0.1 \
		--ctrl type=tcp,port=17322,bindaddr=127.0.0.1 --flags not-need-init,startup-clear >"$said" 2>&1 &
	TPM=$!
	until_true 10 eval '[ -n "$(ss -Hltn "sport = :17321")" ] && [ -n "$(ss -Hltn "sport = :17322")" ]'
}
trap '[ -z "$TPM" ] || kill "$TPM"; cleanup' EXIT
SEAL=(--log-seal "swtpm:host=127.0.0.1,port=17321" --log-seal-module "$MODULE")
start() { sensor_start --policy "$WORK/p.tpb" --allow-unsigned --log-epoch 2 "$@"; }
epochs() { ctl log verify --json 2>/dev/null | jq .epochs; }
reached() { [ "$(epochs)" -ge "$1" ]; }
no_private_key() { ! grep -l PRIVATE "$STATE"/keys/*; }
is_another() { [ "$(pid_of record)" != "$1" ] && [ "$(state_of record)" = up ]; }
# refuses WORDS OPTION...: it does not start, says so, and leaves the keys as they are
refuses() {
	local words=$1 before
	shift
	before=$(cat "$STATE"/keys/* | sha256sum)
	if start "$@"; then
		sensor_stop
		return 1
	fi
	wait "$SENSOR"
	SENSOR=
	grep -q "$words" "$ERR" && [ "$before" = "$(cat "$STATE"/keys/* | sha256sum)" ]
}

tpm one
must_start --policy "$WORK/p.tpb" --allow-unsigned --log-epoch 2 "${SEAL[@]}"
opens 50 "$WORK/target"
verdict "epochs end" until_true 15 reached 3
verdict "no file has a private key" no_private_key
verdict "the present one is sealed" grep -q "BEGIN TAMIS SEALED KEY" "$STATE/keys/log.key.pem"
pid=$(pid_of record)
kill -9 "$pid"
verdict "a record process that is killed opens it again" until_true 15 is_another "$pid"
opens 50 "$WORK/target"
at=$(epochs)
verdict "and epochs go on" until_true 15 reached $((at + 2))
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
verdict "  by the other verifier, too" tools/log-verify "$STATE/log" "$STATE/keys/log.pub.pem"
verdict "without the TPM's name it does not start, and says why" refuses "sealed by a TPM: --log-seal has to say by which"
tpm two
verdict "nor with another TPM" refuses "cannot be opened: another TPM has sealed it" "${SEAL[@]}"
kill "$TPM"
wait "$TPM" 2>/dev/null
TPM=
verdict "nor with none" refuses "the log's key cannot be sealed: cannot reach the TPM" "${SEAL[@]}"
tpm one
verdict "with the first it goes on" start "${SEAL[@]}"
opens 5 "$WORK/target"
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies

# a log that was begun without
rm -rf "$STATE"
verdict "a log without a TPM" start
verdict "stops with status 0" sensor_stop
verdict "goes on with one" start "${SEAL[@]}"
sealed() { no_private_key >/dev/null && grep -q "BEGIN TAMIS SEALED KEY" "$STATE/keys/log.key.pem"; }
verdict "whose next epoch's key is sealed" until_true 15 sealed
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
done_testing
