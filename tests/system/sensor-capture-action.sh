#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Rules that ask for captures: only where the operator allows it, with what was before the match, replayed to the same alerts and
# by another policy; matches that share one; bounds, a full disk, the engine killed meanwhile; and the log's word on each file.
. "$(dirname "$0")/sensor_lib.bash"

mkdir "$WORK/w"
touch "$WORK"/w/{secret,before,again,other,short,first}
rule() { printf -- '  - id: %s\n    expression: open.file.path == "%s"\n' "$@"; }
act() { printf -- '    actions: [{capture: {before: %s, after: %s}}]\n' "$@"; }
{
	echo "rules:"
	rule hit "$WORK/w/secret" && act 10s 3s
	rule short "$WORK/w/short" && act 10s 0s
	rule before "$WORK/w/before"
	rule first "$WORK/w/first"
} >"$WORK/hard.yaml"
{
	echo "rules:"
	rule other "$WORK/w/other" && act 1s 1s
} >"$WORK/soft.yaml"
"$BIN/tamisc" build -o "$WORK/p.tpb" "$WORK/hard.yaml" "$WORK/soft.yaml" 2>"$WORK/tamisc.log" || cat "$WORK/tamisc.log"
verdict "a rule that captures is nothing to warn of" eval '! grep -q warning "$WORK/tamisc.log"'
# what somebody thinks of afterwards
policy "$WORK/later.tpb" "ran exec.file.name == \"sleep\" && process.parent.args =~ \"*the way in*\"" "seen open.file.path == \"$WORK/w/before\""

CAPTURES=$STATE/captures
alert_is() { last_of "$1" | grep -qaE -- "$2"; }
file_of() { last_of "$1" | grep -ao '"file":"[^"]*\.cap","kind":"capture"' | cut -d'"' -f4; }
logged() { log_records capture | grep -qaE -- "$1"; }
kept() { log_records capture | grep -a '"action":"kept"' | grep -a "\"file\":\"$1\""; }
member() { grep -ao "\"$1\":[^,}]*" | head -n 1 | cut -d: -f2 | tr -d '"'; }
captures() { field captures "$1"; }
replay() { "$BIN/tamisd" --replay "$1" --policy "$2" --allow-unsigned --alerts - 2>"$WORK/replay.err"; }
# what is documented to differ: number, where events come from, what was done
normal() { sed -E 's/"seq":[0-9]+,//; s/"origin":"(ebpf|replay)",//; s/^\{"actions":\[[^]]*\],/{/' "$@"; }
info() { ctl capture --info "$1" --json | member "$2"; }
is_kept() { [ -n "$1" ] && kept "$1" | grep -q '"result":"whole"'; }

must_start --policy "$WORK/p.tpb" --allow-unsigned
verdict "by default it is said that none is made" grep -q 'p.tpb: 3 actions "capture" of rules are not allowed by --allow-actions' "$ERR"
cat "$WORK/w/secret"
verdict "the alert says so" until_true 5 alert_is hit '"actions":\[\{"kind":"capture","state":"not allowed"\}\]'
verdict "and there is none" test -z "$(ls "$CAPTURES")"
sensor_stop
: >"$OUT"

echo "# allowed"
must_start --policy "$WORK/p.tpb" --allow-unsigned --allow-actions "hard=capture" --captures-keep 64M
verdict "it is said that one policy may not" grep -q 'p.tpb: 1 actions "capture"' "$ERR"
# shellcheck disable=SC2016
bash -c 'cat "$1"; sleep 0.01; sh -c "sleep 0.0; exec cat \"$2\""; cat "$3"; cat "$2"' "the way in" "$WORK/w/before" "$WORK/w/first" "$WORK/w/secret" >/dev/null
sleep 1.2 # over a tick, in which the dead are looked after
cat "$WORK/w/before"
cat "$WORK/w/secret" # within the three seconds: the same capture
verdict "the rule fires" until_true 5 eval '[ "$(alerts_of hit)" = 2 ]'
file=$(file_of hit)
verdict "the alert names its capture" alert_is hit '"actions":\[\{"file":"[0-9]{8}T[0-9]{6}Z-hit-[0-9]+\.cap","kind":"capture","request":[0-9]+,"state":"asked"\}\]'
verdict "both alerts name the same" test "$(grep -ac "\"file\":\"$file\"" "$OUT")" = 2
verdict "it comes to its end, which is a record" until_true 10 is_kept "$file"
verdict "with what there is to know of it" eval 'kept "$file" | grep -qE "\"end\":\"asked\",\"events\":[0-9]+,.*\"lost\":0,\"matches\":2,\"policy\":\"hard\",\"records\":[0-9]+,\"request\":[0-9]+,\"result\":\"whole\",\"rule\":\"hit\""'
verdict "the record has the hash of the file" test "$(kept "$file" | member sha256)" = "$(sha256sum "$CAPTURES/$file" | cut -d' ' -f1)"
verdict "and its size" test "$(kept "$file" | member bytes)" = "$(stat -c %s "$CAPTURES/$file")"
verdict "the file is the record process's alone" test "$(stat -c %a "$CAPTURES/$file")$(stat -c %a "$CAPTURES")" = 600700
verdict "its head names the bundle" test "$(info "$CAPTURES/$file" policy_sha256)" = "$(sha256sum "$WORK/p.tpb" | cut -d' ' -f1)"
verdict "as many records and events as that says" eval '[ "$(info "$CAPTURES/$file" records) $(($(info "$CAPTURES/$file" events) - $(info "$CAPTURES/$file" context)))" = "$(kept "$file" | member records) $(kept "$file" | member events)" ]'
verdict "the status counts it" eval '[ "$(captures asked) $(captures shared) $(captures kept) $(captures failed)" = "2 1 1 0" ]'
ctl status | grep captures | sed 's/^/#   /'
ctl metrics | grep -q '^tamis_captures_total 1$'
verdict "so do the metrics" test $? = 0

replay "$CAPTURES/$file" "$WORK/p.tpb" >"$WORK/r"
sed 's/^/#   /' "$WORK/replay.err"
normal "$OUT" >"$WORK/live.normal"
normal "$WORK/r" >"$WORK/replay.normal"
verdict "a replay gives the same alerts, to the byte, those before the match among them" cmp "$WORK/live.normal" "$WORK/replay.normal"
cmp -s "$WORK/live.normal" "$WORK/replay.normal" ||
	diff "$WORK/live.normal" "$WORK/replay.normal" | grep '^[<>]' | cut -c1-1500 | head -n 10
replay "$CAPTURES/$file" "$WORK/later.tpb" >"$WORK/r2"
verdict "another policy finds what was before the match" eval '[ "$(grep -ac "\"id\":\"ran\"" "$WORK/r2") $(grep -ac "\"id\":\"seen\"" "$WORK/r2")" = "1 2" ]'
grep -ao '"rule":{[^}]*"id":"[a-z]*"' "$WORK/r2" | sort | uniq -c | sed 's/^/#   /'
cat "$WORK/w/other"
verdict "what is not allowed is not done" until_true 5 alert_is other '"state":"not allowed"'

echo "# beside a capture of tamisctl"
ctl capture -o "$WORK/c" --seconds 4 >/dev/null 2>&1 &
client=$!
until_true 5 grep -q "a capture begins" "$ERR"
cat "$WORK/w/short"
verdict "a match alone" until_true 10 eval 'is_kept "$(file_of short)"'
wait $client
for f in "$WORK/c" "$CAPTURES/$(file_of short)"; do
	verdict "the match is in ${f##*/}" eval '[ "$(replay "$f" "$WORK/p.tpb" | grep -ac "\"id\":\"short\"")" = 1 ] && [ "$(info "$f" end)" = asked ]'
done

echo "# limits"
for _ in $(seq 12); do
	n=$(alerts_of short)
	cat "$WORK/w/short"
	until_true 5 eval '[ "$(alerts_of short)" = $((n + 1)) ]'
	last=$(file_of short)
	! alert_is short '"state":"asked"' || until_true 10 is_kept "$last"
done
verdict "one rule begins six in a minute" eval '[ "$(log_records capture | grep -ac "\"result\":\"whole\",\"rule\":\"short\"")" = 6 ]'
verdict "the alert says so" alert_is short '"actions":\[\{"kind":"capture","state":"limited"\}\]'
verdict "and it is counted" test "$(captures limited)" = 7
verdict "a reload lets it again" ctl reload "$WORK/p.tpb"
cat "$WORK/w/short"
verdict "so many are there" until_true 10 eval '[ "$(captures files)" = 8 ] && [ "$(ls "$CAPTURES" | wc -l)" = 8 ]'
verdict "and so many bytes" test "$(captures bytes)" = "$(cat "$CAPTURES"/* | wc -c)"

echo "# the engine is killed in the midst of one"
n=$(alerts_of hit)
cat "$WORK/w/secret"
verdict "it is under way" until_true 10 eval '[ "$(alerts_of hit)" = $((n + 1)) ] && ls "$CAPTURES" | grep -q "part$"'
file=$(file_of hit)
sleep 1.2 # what was seen is in the file after a second
kill -9 "$(pid_of engine)"
verdict "what came is kept, and said to be cut off" until_true 10 eval 'kept "$file" | grep -q "\"reason\":\"the engine process ended\",.*\"result\":\"cut\""'
verdict "with the hash of what is there" test "$(kept "$file" | member sha256)" = "$(sha256sum "$CAPTURES/$file" | cut -d' ' -f1)"
replay "$CAPTURES/$file" "$WORK/p.tpb" >"$WORK/r3"
verdict "a replay says so, too, and has the match" eval 'grep -q "cut off" "$WORK/replay.err" && grep -qa "\"id\":\"hit\"" "$WORK/r3"'
until_true 10 eval '[ "$(state_of engine)" = up ]'

echo "# the record process is killed in the midst of one"
n=$(alerts_of hit)
cat "$WORK/w/secret"
verdict "it is under way" until_true 10 eval '[ "$(alerts_of hit)" = $((n + 1)) ] && ls "$CAPTURES" | grep -q "part$"'
file=$(file_of hit)
sleep 1.2
kill -9 "$(pid_of record)"
verdict "the next one makes an end of it" until_true 10 eval 'kept "$file" | grep -q "\"reason\":\"the record process ended\",\"result\":\"cut\""'
verdict "nothing is left half made" eval '! ls "$CAPTURES" | grep -q part'
until_true 10 eval '[ "$(state_of record)" = up ]'

echo "# the sensor stops"
n=$(alerts_of hit)
cat "$WORK/w/secret"
until_true 10 eval "[ \"\$(alerts_of hit)\" = $((n + 1)) ]"
file=$(file_of hit)
verdict "stops with status 0" sensor_stop
verdict "the capture has its end" eval 'kept "$file" | grep -q "\"end\":\"stopped\",.*\"result\":\"whole\"" && [ "$(info "$CAPTURES/$file" end)" = stopped ]'
verdict "the log verifies" log_verifies

echo "# room"
must_start --policy "$WORK/p.tpb" --allow-unsigned --allow-actions "*=capture" --captures-keep 8M
head -c 6M /dev/zero >"$CAPTURES/20000101T000000Z-old-1.cap"
head -c 1M /dev/zero >"$CAPTURES/20000102T000000Z-old-2.cap"
echo mine >"$CAPTURES/notes.txt"
for f in "$CAPTURES"/2*; do truncate -s 512K "$f"; done
truncate -s 7M "$CAPTURES/20000101T000000Z-old-1.cap"
cat "$WORK/w/short"
verdict "the oldest gives way, which is a record" until_true 10 logged '"action":"removed","bytes":7340032,"file":"20000101T000000Z-old-1.cap"'
verdict "and counted" until_true 5 eval '[ "$(captures removed)" -ge 1 ] && [ "$(captures bytes)" -le 8388608 ]'
verdict "what is no capture stays" test -e "$CAPTURES/notes.txt"
sensor_stop
must_start --policy "$WORK/p.tpb" --allow-unsigned --allow-actions "*=capture" --captures-keep 16K
cat "$WORK/w/short"
verdict "one that cannot hold the processes is not made, and said" until_true 5 grep -q "larger than one may be (--captures-keep)" "$ERR"
verdict "the alert says so" until_true 5 alert_is short '"actions":\[\{"kind":"capture","state":"failed"\}\]'
sensor_stop

echo "# a full disk"
mkdir "$WORK/small" && mount -t tmpfs -o size=70M,mode=755 none "$WORK/small"
STATE=$WORK/small/state CAPTURES=$WORK/small/state/captures
must_start --policy "$WORK/p.tpb" --allow-unsigned --allow-actions "*=capture"
head -c 10M /dev/zero >"$WORK/small/ballast"
cat "$WORK/w/short"
verdict "there is none, and the log says why" until_true 10 logged '"action":"failed","file":"[^"]*-short-[0-9]*.cap","policy":"hard","reason":"less than 64 MiB are left on the disk"'
verdict "the status counts it" until_true 5 eval '[ "$(captures failed)" = 1 ] && [ "$(captures kept)" = 0 ]'
verdict "alerts are in the log as ever" until_true 5 eval '[ "$(log_records alert | grep -ac "\"id\":\"short\"")" = 1 ]'
rm "$WORK/small/ballast"
cat "$WORK/w/short"
verdict "with room there is one again" until_true 10 eval '[ "$(captures kept)" = 1 ]'
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
done_testing
