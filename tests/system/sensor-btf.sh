#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A kernel that does not tell its types (they are hidden here, in a mount namespace of our own): a file takes their place,
# and one that will not do is refused by its name, with a remedy.
[ -n "${TAMIS_TYPES_HIDDEN:-}" ] || { [ "$(id -u)" = 0 ] && TAMIS_TYPES_HIDDEN=1 exec unshare -m "$0" "$@"; }
. "$(dirname "$0")/sensor_lib.bash"
RELEASE=$(uname -r)

cp /sys/kernel/btf/vmlinux "$WORK/types" || { echo "skipped: this kernel has no types to hide"; exit 77; }
mount -t tmpfs hidden /sys/kernel/btf || { echo "skipped: cannot mount here"; exit 77; }
touch "$WORK/target"
cp /bin/true "$WORK/run"
policy "$WORK/p.tpb" "target open.file.path == \"$WORK/target\"" "mode chmod.file.path == \"$WORK/target\"" \
	"run exec.file.path == \"$WORK/run\"" "gone unlink.file.path == \"$WORK/target\""
start() { sensor_start --policy "$WORK/p.tpb" --allow-unsigned "$@"; }
# refused WHAT OPTION...: it does not start, and says so
refused() {
	local what=$1
	shift
	! start "$@" && wait "$SENSOR"
	SENSOR=
	grep -q "error:.*$what" "$ERR"
}
alert_of() { grep -aq "\"rule\":{\"id\":\"$1\"" "$OUT"; }
acts_are_seen() {
	cat "$WORK/target"
	chmod 600 "$WORK/target"
	"$WORK/run"
	rm "$WORK/target"
	for rule in target mode run gone; do
		verdict "$rule is an alert" until_true 5 alert_of $rule
	done
	touch "$WORK/target"
}

verdict "a file that is missing" refused "$WORK/none: No such file" --btf "$WORK/none"
echo hello >"$WORK/text"
verdict "a file that is something else" refused "$WORK/text is no BTF.*TYPE INFORMATION in tamisd(8)" --btf "$WORK/text"
head -c 100000 "$WORK/types" >"$WORK/half"
verdict "half a file" refused "$WORK/half is no BTF.*TYPE INFORMATION in tamisd(8)" --btf "$WORK/half"
# another kernel's: the same with other names of functions
sed 's/\x00vfs_\([a-z]\)/\x00vfz_\1/g; s/\x00security_\([a-z]\)/\x00zecurity_\1/g; s/\x00tcp_\([a-z]\)/\x00tzp_\1/g' "$WORK/types" >"$WORK/other"
verdict "another kernel's" refused "$WORK/other is not of this kernel ($RELEASE)" --btf "$WORK/other"

verdict "the right one does" start --btf "$WORK/types"
acts_are_seen
verdict "no hook needs the kernel's own types" eval '! ctl hooks | grep -qE "^[a-z]+ +fentry|[^/]sys_exit"'
verdict "stops with status 0" sensor_stop

rm -rf "$OUT"
verdict "without a file it finds out what it needs" start
acts_are_seen
verdict "hooks says what cannot be seen that way" eval 'ctl hooks | grep -A2 "^setns *none" | grep -q "more than can be found out without type information"'
verdict "stops with status 0" sensor_stop
verdict "doctor counts what was found" eval '"$BIN/tamisctl" --state "$STATE" doctor | grep -qE "no file stands in for it; 1[0-9][0-9] of [0-9]+ offsets are found out"'

rm -rf "$OUT"
mkdir -p "$STATE/btf"
cp "$WORK/types" "$STATE/btf/$RELEASE.btf"
verdict "it is found in the state directory" start
acts_are_seen
verdict "stops with status 0" sensor_stop
verdict "doctor names it" eval '"$BIN/tamisctl" --state "$STATE" doctor | grep -q "$STATE/btf/$RELEASE.btf stands in for it"'
done_testing
