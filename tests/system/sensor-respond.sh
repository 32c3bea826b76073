#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Rules that kill: only where the operator allows it, only the process (or container) that the rule held for, only so often; and
# all of it is in the alerts and in the signed log.
# Alone: it makes containers, and sensor-containers.sh counts them.
. "$(dirname "$0")/sensor_lib.bash"

ID=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a07

mkdir "$WORK/w"
touch "$WORK"/w/{bad,often,all,hup,other}
rule() { printf -- '  - id: %s\n    expression: open.file.path == "%s"\n    actions: [{kill: {signal: %s, scope: %s}}]\n' "$@"; }
{
	echo "rules:"
	rule bad "$WORK/w/bad" SIGKILL process
	rule often "$WORK/w/often" SIGKILL process
	rule all "$WORK/w/all" SIGKILL container
	rule hup "$WORK/w/hup" SIGHUP process
} >"$WORK/hard.yaml"
{
	echo "rules:"
	rule other "$WORK/w/other" SIGKILL process
} >"$WORK/soft.yaml"
"$BIN/tamisc" build -o "$WORK/p.tpb" "$WORK/hard.yaml" "$WORK/soft.yaml" 2>"$WORK/tamisc.log" || cat "$WORK/tamisc.log"
verdict "a rule that kills is nothing to warn of" eval '! grep -q warning "$WORK/tamisc.log"'
must_start --policy "$WORK/p.tpb" --allow-unsigned --allow-actions "hard=kill" --kill-limit 2
verdict "it is said that one policy may not" grep -q 'p.tpb: 1 actions "kill" of rules are not allowed by --allow-actions' "$ERR"

logged() { log_records action | grep -qaE -- "$1"; }
# how_ends COMMAND...: by which signal, 0 for none, within some seconds
how_ends() {
	timeout -k 0.1 "${PATIENCE:-8}" "$@" >/dev/null 2>&1
	local s=$?
	ended=$((s > 128 ? s - 128 : 0))
	[ $s != 124 ] || ended=none
}
# shellcheck disable=SC2016
reads() { how_ends bash -c 'read -r _ <"$1"; while :; do read -rt 1 _ <><(:); done' "$@"; }

reads reads "$WORK/w/bad"
verdict "what does what the rule asks for is killed" test "$ended" = 9
verdict "the alert says what was asked for" until_true 5 has bad \
	'"actions":[{"kind":"kill","request":1,"scope":"process","signal":"SIGKILL","state":"asked"}]'
verdict "the log has what came of it" until_true 5 logged \
	'"action":\{"action":"kill",("container":"[^"]*",)?"file":"[^"]*/bash","killed":1,"pid":[0-9]+,"policy":"hard","request":1,"result":"done","rule":"bad","scope":"process","signal":9\}'
reads reads "$WORK/w/hup"
verdict "by the signal that the rule names" test "$ended" = 1
PATIENCE=2 reads reads "$WORK/w/other"
verdict "what is not allowed is not done" test "$ended" = none
verdict "and the alert says so" until_true 5 has other '"state":"not allowed"'
cat "$WORK/w/bad"
verdict "a process that has ended by then is not hunted" until_true 5 logged '"request":3,"result":"(gone|done)"'

for _ in 1 2; do reads reads "$WORK/w/often"; done
PATIENCE=2 reads reads "$WORK/w/often"
verdict "a rule that kills too often is disarmed" test "$ended" = none
verdict "that is an alert" until_true 5 grep -qa '"id":"tamis_disarmed"' "$OUT"
verdict "and a record" until_true 5 logged '"reason":"it wants to kill more often than is allowed","request":[0-9]*,"result":"disarmed","rule":"often"'
PATIENCE=1 reads reads "$WORK/w/often"
verdict "from then on alerts say so" until_true 5 has often '"state":"disarmed"'
verdict "status, too" eval 'ctl status | grep -q "responses .* asked for, .* 1 rules disarmed until the next reload"'
verdict "a reload arms it again" ctl reload "$WORK/p.tpb"
reads reads "$WORK/w/often"
verdict "and it kills" test "$ended" = 9

if [ -n "$CGROUPS" ]; then
	cgroup_make "/docker/$ID"
	(enter_cgroup "/docker/$ID" && exec sleep 30) &
	bystander=$!
	(enter_cgroup "/docker/$ID" && exec bash -c 'sleep 0.3; read -r _ <"$1"; sleep 30' reads "$WORK/w/all") &
	culprit=$!
	ended=
	for pid in $bystander $culprit; do
		wait "$pid" 2>/dev/null
		ended="$ended $?"
	done
	verdict "a container is killed as a whole" test "$ended" = " 137 137"
	verdict "the record has the container" until_true 5 logged "\"container\":\"$ID\".*\"killed\":[2-9].*\"scope\":\"container\""
fi
how_ends bash -c 'read -r _ <"$1"; exit 0' reads "$WORK/w/all"
verdict "outside of containers nothing is killed" until_true 5 logged '"result":"(nowhere|gone)","rule":"all"'
kill -0 "$SENSOR"
verdict "the sensor lives" test $? = 0
verdict "nothing was lost" test "$(field events lost)" = 0
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
verdict "an alert with actions is an event that rules can be tried on" \
	eval 'last_of bad >"$WORK/event.json" && "$BIN/tamisc" eval -e "open.file.path == \"$WORK/w/bad\"" "$WORK/event.json"'
verdict "what cannot be allowed is refused at the start" eval '! sensor_start --policy "$WORK/p.tpb" --allow-unsigned --allow-actions "hard=murder" && grep -q "there is no action .murder" "$ERR"'
SENSOR=
done_testing
