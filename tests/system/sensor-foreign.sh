#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The sensor beside other eBPF programs, at network devices and at cgroups, that came before it and after it: they stay where
# they are and count every packet, traffic flows, and when the sensor is gone, however it went, nothing of it is left.
# Alone: no BPF program may come or go but those that it knows of.
. "$(dirname "$0")/sensor_lib.bash"
BPFTOOL=$(PATH=$PATH:/usr/sbin command -v bpftool)

${CC:-cc} -O2 -D_GNU_SOURCE -o "$WORK/foreign" tests/system/foreign.c -lbpf || exit 1
coproc BEFORE { "$WORK/foreign"; }
before_in=${BEFORE[1]} before_out=${BEFORE[0]}
read -r -t 10 -u "$before_out" first
verdict "somebody has programs there" test "$first" = ready

# ask before|after LINE
ask() {
	local in=${1}_in out=${1}_out answer
	echo "$2" >&"${!in}"
	read -r -t 10 -u "${!out}" answer
	echo "$answer"
}
# flows WHO: traffic, and all three places have counted it: one packet there and one back, each out and in
flows() {
	local a b
	read -ra a <<<"$(ask "$1" counts)"
	[ "$(ask "$1" traffic)" = ok ] || return 1
	read -ra b <<<"$(ask "$1" counts)"
	[ $((b[0] - a[0])) = 2 ] && [ $((b[1] - a[1])) = 2 ] && [ $((b[2] - a[2])) -ge 2 ]
}
there() { [ "$(ask "$1" there)" = yes ]; }
ours() { "$BPFTOOL" -j prog show | grep -o '"name":"packet_[a-z0-9]*"' | sort -u | wc -l; }
questions() { grep -ac '"name":"foo.example"' "$OUT"; }
told() { [ "$(questions)" -ge "$1" ]; }

# of the packets' hooks, how many are attached
attached() { ctl hooks --json | tr '{' '\n' | grep '"program":"packet_' | grep -c '"attached":true'; }

verdict "its traffic flows, and is counted" flows before
verdict "nothing of ours is there" test "$(ours)" = 0

policy "$WORK/p.tpb" 'dns dns.question.name == "foo.example"'
policy "$WORK/none.tpb" 'open open.file.path == "/none"'
must_start --policy "$WORK/p.tpb" --allow-unsigned
verdict "six programs are ours" test "$(ours)" = 6
verdict "and attached, for both events" test "$(attached)" = 12
verdict "those that were there stay" there before
verdict "traffic flows, and is counted" flows before
verdict "and is seen: a question and its answer" until_true 5 told 2
verdict "once each" test "$(questions)" = 2

{ coproc AFTER { "$WORK/foreign"; }; } 2>/dev/null # bash warns of a second one
after_in=${AFTER[1]} after_out=${AFTER[0]}
read -r -t 10 -u "$after_out" first
verdict "somebody comes after us" test "$first" = ready
verdict "whose traffic flows, and is counted" flows after
verdict "and is seen" until_true 5 told 4
verdict "and so is that of those before" flows before
verdict "which is seen, too" until_true 5 told 6

ctl reload "$WORK/none.tpb" >/dev/null
verdict "without a rule the hooks are let go" test "$(attached)" = 0
verdict "traffic flows" flows before
sleep 0.5
verdict "and is not told" test "$(questions)" = 6
ctl reload "$WORK/p.tpb" >/dev/null
verdict "with the rule they are back, without privilege to mount" flows before
verdict "and see" until_true 5 told 8

verdict "the sensor stops" sensor_stop
verdict "nothing of ours is left" until_true 5 test "$(ours)" = 0
for who in before after; do
	verdict "those $who us are there" there $who
	verdict "and count" flows $who
done

must_start --policy "$WORK/p.tpb" --allow-unsigned
kill -9 "$SENSOR"
wait "$SENSOR" 2>/dev/null
SENSOR=
none_left() { [ "$(ours)" = 0 ]; }
verdict "nothing of ours is left after kill -9" until_true 10 none_left
for who in before after; do
	verdict "those $who us are there" there $who
	verdict "and count" flows $who
done
must_start --policy "$WORK/p.tpb" --allow-unsigned
verdict "six programs are ours again, no more" test "$(ours)" = 6
verdict "the sensor stops" sensor_stop
exec {before_in}>&- {after_in}>&-
done_testing
