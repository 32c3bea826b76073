#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The canary: while the hooks see, it is quiet, and its acts are no alerts. When one kind of event is no longer seen, that is
# said, shown in the status, recorded and an alert within a period; and so is that it is seen again. A canary that is killed or
# stopped is started again.
# Alone: it detaches whatever hooks there are.
. "$(dirname "$0")/sensor_lib.bash"
BPFTOOL=$(PATH=$PATH:/usr/sbin command -v bpftool)

policy "$WORK/p.tpb" 'open open.file.path == "/none"' 'unlink unlink.file.path =~ "/**"' 'chmod chmod.file.path =~ "/**"' \
	'connect connect.addr.family == AF_UNIX' 'dns dns.question.name == "none.test"' 'sysctl sysctl.name == "none/such"'
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

# Blinded by hand: whoever may write to the sensor's maps can make it look away. The programs of the system calls are taken out
# of their table.
table() { "$BPFTOOL" -j map show name sys_events | tr '{' '\n' | grep -o '"id":[0-9]*' | tail -n 1 | cut -d: -f2; }
program_at() { "$BPFTOOL" -j map lookup id "$1" key "$2" 0 0 0 | sed -n 's/.*"formatted":{"key":[0-9]*,"value":\([0-9]*\).*/\1/p'; }
if ctl hooks --json | grep -q '"target":"\(raw_syscalls/\)\?sys_exit"'; then
	map=$(table)
	ids=()
	for key in $(seq 0 62); do
		ids[key]=$(program_at "$map" "$key")
		[ -z "${ids[key]}" ] || "$BPFTOOL" map delete id "$map" key "$key" 0 0 0
	done
	verdict "blindness is noticed" until_true 12 says '"blind":\["chmod","connect","open","unlink"\]'
	verdict "and said" grep -q "blind: unlink, rung tracepoint" "$ERR"
	verdict "by tamisctl status, too" eval 'ctl status | grep -q "BLIND: chmod connect open unlink"'
	verdict "the log has it" until_true 5 eval "log_records canary | grep -q '\"canary\":{\"event\":\"unlink\",\"rung\":\"tracepoint\",\"seen\":false}'"
	for key in "${!ids[@]}"; do
		[ -z "${ids[key]}" ] || "$BPFTOOL" map update id "$map" key "$key" 0 0 0 value id "${ids[key]}"
	done
	verdict "that it is seen again, too" until_true 12 eval "log_records canary | grep -q '\"event\":\"unlink\",\"rung\":\"tracepoint\",\"seen\":true'"
else
	echo "# no hooks at sys_exit here: the kernel matrix blinds others"
fi

keeper() { pgrep -P "$SENSOR" -x tamisd-keeper; }
bird() { pgrep -u 1879050003 -x tamisd-canary; } # whoever its parent is
# alerts PATTERN: lines of --alerts about the sensor itself
alarm() { grep -a '"event":{"type":"sensor"}' "$OUT" | grep -aq "$1"; }
another() { [ -n "$(bird)" ] && [ "$(bird)" != "$pid" ]; }

pid=$(bird)
verdict "there is one canary" test "$(wc -w <<<"$pid")" = 1
kill -9 "$pid"
verdict "its death is recorded" until_true 15 eval "log_records canary | grep -q '\"canary\":{\"dead\":\"killed by signal 9\"}'"
verdict "and an alert" until_true 5 alarm '"id":"tamis_canary".*"reason":"killed by signal 9","what":"canary"'
verdict "it is started again" until_true 15 another
verdict "and looks again" until_true 20 says '"blind":\[\].*"restarts":1.*"state":"up"'
verdict "which is recorded" until_true 5 eval "log_records canary | grep -q '\"canary\":{\"alive\":'"

pid=$(bird)
kill -STOP "$pid"
verdict "a canary that was stopped is replaced" until_true 20 another
verdict "which is said" until_true 5 grep -q 'canary is dead (stopped by signal 19)' "$ERR"
verdict "and it looks again" until_true 20 says '"restarts":2.*"state":"up"'

pid=$(bird)
kill -9 "$(keeper)"
verdict "a canary without a keeper becomes one" until_true 20 another
verdict "which is an alert, too" until_true 5 alarm '"id":"tamis_canary".*"what":"keeper"'
verdict "and the new one is marked" until_true 20 says '"blind":\[\].*"restarts":3.*"state":"up"'
verdict "nobody else is there" test "$(pgrep -cu 1879050003)" = 2

hold "$(bird)"
verdict "one that is held by a debugger is noticed" until_true 40 says '"state":"dead"'
release
verdict "and answers when it is let go" until_true 20 says '"state":"up"'

# root's own ways to take hooks off
read -r links detached < <(unhook detach)
verdict "the kernel does not detach any of our $links links on request" test "$detached" = 0
verdict "and everything is seen" eval "sleep 5; says '\"blind\":\[\].*\"state\":\"up\"'"
# The links at cgroups are the only ones that the kernel does detach. The program that sees answers sees no act of the canary's.
if ctl hooks --json | grep -q '"program":"packet_ingress"'; then
	verdict "a program that is detached from the cgroups is noticed" eval 'test "$(unhook cgroups packet_ingress)" = 1 && until_true 12 says "\"blind\":\[\"dns\"\]"'
	verdict "and said why" grep -q "blind: dns, rung cgroup: its program was taken off the cgroups' root" "$ERR"
	unhook cgroups sysctl_asked >/dev/null
	verdict "another one, too" until_true 12 says '"blind":\["dns","sysctl"\]'
	policy "$WORK/none.tpb" 'unlink unlink.file.path =~ "/**"' 'chmod chmod.file.path =~ "/**"' 'connect connect.addr.family == AF_UNIX' \
		'open open.file.path == "/none"'
	ctl reload "$WORK/none.tpb" >/dev/null
	ctl reload "$WORK/p.tpb" >/dev/null
	verdict "attached anew, they are seen again" until_true 12 says '"blind":\[\].*"state":"up"'
else
	echo "# no programs at cgroups here: the kernel matrix detaches them"
fi
closed=$(unhook close "$SENSOR")
verdict "all $closed hooks that are closed from within are missed within a period" until_true 12 says '"blind":\["chmod","connect",.*"exec",.*"unlink"\]'
verdict "which is an alert a kind of event" until_true 5 alarm '"id":"tamis_blind".*"what":"unlink"'
verdict "that the log has as one" eval "log_records alert | grep '\"id\":\"tamis_blind\"' >/dev/null"

kill -9 $(pgrep -u 1879050003)
verdict "that all of it is gone is noticed" until_true 15 says '"state":"dead"'
verdict "the sensor goes on" kill -0 "$SENSOR"
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies

rm -rf "$STATE" "$OUT"
must_start --policy "$WORK/p.tpb" --allow-unsigned --canary 0
verdict "it can be off" says '"state":"off"'
verdict "then there is no such process" eval "! pgrep -P $SENSOR -x tamisd-keeper"
verdict "stops with status 0" sensor_stop
done_testing
