#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The canary: while the hooks see, it is quiet, and its acts are no alerts. When one kind of event is no longer seen, that is
# said, shown in the status and recorded within a period; and so is that it is seen again, and that the canary was killed.
. "$(dirname "$0")/sensor_lib.bash"
BPFTOOL=$(PATH=$PATH:/usr/sbin command -v bpftool)

policy "$WORK/p.tpb" 'open open.file.path == "/none"' 'unlink unlink.file.path =~ "/**"' 'chmod chmod.file.path =~ "/**"' \
	'connect connect.addr.family == AF_UNIX'
canary() { ctl status --json | grep -o '"canary":{[^}]*}'; }
says() { canary | grep -q "$1"; }
# acts of the canary among the alerts
own_alerts() { grep -a '"unlink"\|"chmod"' "$OUT" | grep -c "$STATE/canary"; }

must_start --policy "$WORK/p.tpb" --allow-unsigned --canary 2
verdict "all kinds of acts are seen" until_true 10 says '"blind":\[\].*"state":"up"'
sleep 5
verdict "and again" says '"blind":\[\].*"state":"up"'
verdict "nothing is said of it" test -z "$(grep -E 'blind|canary' "$ERR")"
verdict "its acts are no alerts" test "$(own_alerts)" = 0

# Blinded by hand: whoever may write to the sensor's maps can make it look away. The table of system calls is emptied.
syscalls_map() { "$BPFTOOL" -j map show name syscalls | tr '{' '\n' | grep -o '"id":[0-9]*' | tail -n 1 | cut -d: -f2; }
if ctl hooks --json | grep -q '"target":"\(raw_syscalls/\)\?sys_exit"'; then
	map=$(syscalls_map)
	blank=$(for _ in $(seq 8192); do printf '00 '; done)
	# shellcheck disable=SC2086 # one word a byte
	"$BPFTOOL" map update id "$map" key hex 00 00 00 00 value hex $blank
	verdict "blindness is noticed" until_true 12 says '"blind":\["chmod","connect","open","unlink"\]'
	verdict "and said" grep -q "blind: unlink, rung tracepoint" "$ERR"
	verdict "by tamisctl status, too" eval 'ctl status | grep -q "BLIND: chmod connect open unlink"'
	verdict "the log has it" until_true 5 eval "log_records canary | grep -q '\"canary\":{\"event\":\"unlink\",\"rung\":\"tracepoint\",\"seen\":false}'"
	ctl reload "$WORK/p.tpb" >/dev/null # writes the table anew
	verdict "that it is seen again, too" until_true 12 eval "log_records canary | grep -q '\"event\":\"unlink\",\"rung\":\"tracepoint\",\"seen\":true'"
else
	echo "# no hooks at sys_exit here: the kernel matrix blinds others"
fi

pid=$(pgrep -P "$SENSOR" -x tamisd-canary)
kill -9 "$pid"
verdict "its death is noticed" until_true 15 says '"state":"dead"'
verdict "and recorded" until_true 5 eval "log_records canary | grep -q '\"canary\":{\"dead\":'"
verdict "the sensor goes on" kill -0 "$SENSOR"
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies

rm -rf "$STATE" "$OUT"
must_start --policy "$WORK/p.tpb" --allow-unsigned --canary 0
verdict "it can be off" says '"state":"off"'
verdict "then there is no such process" eval "! pgrep -P $SENSOR -x tamisd-canary"
verdict "stops with status 0" sensor_stop
done_testing
