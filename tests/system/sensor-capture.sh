#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a running sensor sees is captured and replayed: the same alerts, also for another user on a machine without a sensor;
# other policies find other things in it. Captures end with their client, with time, size or sensor; bad ones are refused.
. "$(dirname "$0")/sensor_lib.bash"

mkdir "$WORK/w"
echo x >"$WORK/w/secret"
cp /bin/true "$WORK/w/true"
chmod 755 "$WORK"
policy "$WORK/p.tpb" \
	"read open.file.path == \"$WORK/w/secret\" && open.flags & O_CREAT == 0" \
	"made open.file.path =~ \"$WORK/w/new/**\" && open.flags & O_CREAT > 0" \
	"ran exec.file.path == \"$WORK/w/true\"" \
	"connected connect.addr.port == 4242" \
	"moved rename.file.destination.path == \"$WORK/w/b\"" \
	"user open.file.path == \"$WORK/w/b\" && process.user == \"nobody\""
policy "$WORK/q.tpb" "other exec.file.name == \"sleep\"" "same exec.file.path == \"$WORK/w/true\""

# a process that was there before the sensor, and later does what is forbidden
mkfifo "$WORK/go" "$WORK/go2"
bash -c 'read -r _ <"$0/go"; cat "$0/w/secret"' "$WORK" an argument with "two  words" >"$WORK/out1" &
early=$!
must_start --policy "$WORK/p.tpb" --allow-unsigned
# and one that the sensor has seen, before the capture
bash -c 'read -r _ <"$0/go2"; exec cat "$0/w/secret"' "$WORK" >"$WORK/out2" &
later=$!

act() {
	local i
	echo >"$WORK/go"
	echo >"$WORK/go2"
	wait "$early" "$later"
	mkdir -p "$WORK/w/new"
	for i in 1 2 3; do
		"$WORK/w/true" --flag=$i "two words" ''
		sh -c "cat '$WORK/w/secret'" >/dev/null
		env -i A=1 sh -c "echo $i >'$WORK/w/new/$i'"
	done
	(exec 3<>/dev/tcp/127.0.0.1/4242) 2>/dev/null
	cp /bin/true "$WORK/w/a" && mv "$WORK/w/a" "$WORK/w/b"
	setpriv --reuid 65534 --regid 65534 --clear-groups cat "$WORK/w/b" >/dev/null
	sleep 1.2 # over a tick, in which the dead are looked after
	sh -c "exec cat '$WORK/w/secret'" >/dev/null
}

# capture OPTION...: in the background; its pid is in client
capture() {
	"$BIN/tamisctl" --state "$STATE" capture "$@" >"$WORK/info" 2>&1 &
	client=$!
}
capture_on() { [ "$(grep -c 'a capture begins' "$ERR")" = "$1" ]; }
capture_off() { [ "$(grep -c 'the capture has ended' "$ERR")" = "$1" ]; }
replay() { "$BIN/tamisd" --replay "$1" --policy "$2" --allow-unsigned --alerts - 2>"$WORK/replay.err"; }
# what is documented to differ: number, and where events come from
normal() { sed -E 's/"seq":[0-9]+,//; s/"origin":"(ebpf|replay)",//' "$1"; }
rules() { grep -ao '"rule":{[^}]*"id":"[a-z]*"' "$1" | sort | uniq -c; }
info() { ctl capture --info "$1" --json | grep -o "\"$2\":[^,}]*" | cut -d: -f2 | tr -d '"'; }

echo "# the same alerts"
capture -o "$WORK/c"
verdict "a capture begins" until_true 5 capture_on 1
sleep 0.2
act
verdict "the acts raise alerts" until_true 5 eval '[ "$(wc -l <"$OUT")" -ge 15 ]'
ctl capture -o "$WORK/second" 2>"$WORK/second.err"
verdict "one at a time" eval 'grep -q "another capture" "$WORK/second.err" && [ ! -e "$WORK/second" ]'
kill -TERM $client
wait $client
verdict "ends when the client is told to, with status 0" test $? = 0
verdict "it is root's alone" test "$(stat -c '%a %U' "$WORK/c")" = "600 root"
verdict "what is there is not written over" eval '! ctl capture -o "$WORK/c" 2>/dev/null'
verdict "a whole one" test "$(info "$WORK/c" end)" = asked
replay "$WORK/c" "$WORK/p.tpb" >"$WORK/r"
verdict "the replay ends with status 0" test $? = 0
sed 's/^/#   /' "$WORK/replay.err"
rules "$OUT" | sed 's/^/#   /'
normal "$OUT" >"$WORK/live.normal"
normal "$WORK/r" >"$WORK/replay.normal"
verdict "the same alerts in the same order, to the byte" cmp "$WORK/live.normal" "$WORK/replay.normal"
cmp -s "$WORK/live.normal" "$WORK/replay.normal" ||
	diff "$WORK/live.normal" "$WORK/replay.normal" | grep '^[<>]' | sed -E 's/"process":.*"rule"/… "rule"/' | cut -c1-300 | head -n 20
verdict "among them of processes that were there before" eval 'grep -qa "two  words" "$WORK/r"'
verdict "and names of users" eval 'grep -a "\"id\":\"user\"" "$WORK/r" | grep -qa "\"user\":\"nobody\""'

echo "# another policy, another user"
replay "$WORK/c" "$WORK/q.tpb" >"$WORK/r2"
verdict "another policy finds other things" eval '[ "$(grep -ac "\"id\":\"other\"" "$WORK/r2")" -ge 1 ] && [ "$(grep -ac "\"id\":\"same\"" "$WORK/r2")" = 3 ]'
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all --inh-caps -all --no-new-privs "$@"; }
as_nobody "$BIN/tamisd" --replay "$WORK/c" --policy "$WORK/p.tpb" --allow-unsigned >/dev/null 2>"$WORK/replay.err"
verdict "a file that cannot be read is an error" eval "[ $? = 1 ] && grep -q 'cannot open.*Permission denied' '$WORK/replay.err'"
cp "$WORK/c" "$WORK/open" && chmod 644 "$WORK/open"
as_nobody "$BIN/tamisd" --replay "$WORK/open" --policy "$WORK/p.tpb" --allow-unsigned >"$WORK/r3" 2>/dev/null
verdict "no privilege is needed" cmp "$WORK/r" "$WORK/r3"
ctl capture --export-json "$WORK/c" >"$WORK/events"
verdict "exported events are events" test "$(wc -l <"$WORK/events")" = "$(info "$WORK/c" events)"
# others open files meanwhile whose path cannot be told, which so may be what a rule is about
grep '"type":"open"' "$WORK/events" | grep -m1 -F "\"path\":\"$WORK/w/secret\"" >"$WORK/event.json"
verdict "that rules can be tried on" eval '"$BIN/tamisc" eval -e "open.file.path == \"$WORK/w/secret\"" "$WORK/event.json" | grep -qx true'

echo "# bad ones"
cp "$WORK/c" "$WORK/bad"
printf '\x99' | dd of="$WORK/bad" bs=1 seek=13 conv=notrunc status=none
head -c 20 "$WORK/bad" | gzip -nc | tail -c 8 | head -c 4 | dd of="$WORK/bad" bs=1 seek=20 conv=notrunc status=none
replay "$WORK/bad" "$WORK/p.tpb" >/dev/null
verdict "of another catalog" eval "[ $? = 1 ] && grep -q 'another catalog' '$WORK/replay.err'"
size=$(stat -c %s "$WORK/c")
head -c $((size / 2)) "$WORK/c" >"$WORK/half"
replay "$WORK/half" "$WORK/p.tpb" >/dev/null
verdict "half of it is replayed, and said to be" eval "[ $? = 0 ] && grep -q 'cut off' '$WORK/replay.err'"
cp "$WORK/c" "$WORK/flip"
printf '\xa5\x5a' | dd of="$WORK/flip" bs=1 seek=$((size / 2)) conv=notrunc status=none
replay "$WORK/flip" "$WORK/p.tpb" >/dev/null
verdict "a damaged one is an error that names the place" eval "[ $? = 1 ] && grep -q 'damaged within block' '$WORK/replay.err'"
replay "$WORK/w/secret" "$WORK/p.tpb" >/dev/null
verdict "no capture at all" eval "[ $? = 1 ] && grep -q 'no capture' '$WORK/replay.err'"
"$BIN/tamisd" --replay "$WORK/c" --policy "$WORK/p.tpb" >/dev/null 2>"$WORK/replay.err"
verdict "a policy that nobody vouches for" eval "[ $? = 1 ] && grep -q -- --trust '$WORK/replay.err'"

echo "# ends"
capture -o "$WORK/k"
verdict "another one begins" until_true 5 capture_on 2
cat "$WORK/w/secret" >/dev/null
sleep 1.5 # what was seen is in the file after a second
kill -9 $client
wait $client 2>/dev/null
verdict "a killed client ends it" until_true 5 capture_off 2
replay "$WORK/k" "$WORK/p.tpb" >"$WORK/r4"
verdict "what it had is there" eval '[ "$(info "$WORK/k" end)" = cut ] && grep -qa "\"id\":\"read\"" "$WORK/r4"'
verdict "the sensor is well" eval '[ "$(state_of engine)" = up ] && [ "$(field events lost)" = 0 ]'
(for _ in $(seq 40); do cat "$WORK/w/secret"; sleep 0.05; done >/dev/null) &
ctl capture -o "$WORK/n" --events 10 --seconds 20 >/dev/null
verdict "so many events" eval '[ "$(info "$WORK/n" end)" = events ]'
wait $!
begin=$SECONDS
ctl capture -o "$WORK/t" --seconds 2 >/dev/null
took=$((SECONDS - begin))
verdict "so many seconds" test "$(info "$WORK/t" end)$((took <= 4))" = asked1
ctl capture -o "$WORK/b" --max-bytes 64K --seconds 3 >/dev/null
verdict "so many bytes" test "$(info "$WORK/b" end)" = bytes
verdict "arguments that make no sense" eval 'ctl capture --seconds 3 2>/dev/null; [ $? = 2 ]'

echo "# everything"
capture -o "$WORK/all" --all --seconds 20
verdict "the sieve is opened" until_true 5 grep -q "the sieve is open" "$ERR"
sleep 0.2
ctl reload "$WORK/q.tpb" 2>"$WORK/reload"
verdict "no reload meanwhile" grep -q "capture of all" "$WORK/reload"
touch "$WORK/w/unwatched" && cat "$WORK/w/unwatched" && mkdir "$WORK/w/dir" && rmdir "$WORK/w/dir"
before=$(wc -l <"$OUT")
cat "$WORK/w/secret" >/dev/null
verdict "alerts come as before" until_true 3 eval "[ \"\$(wc -l <'$OUT')\" = $((before + 1)) ]"
kill -TERM $client
wait $client
policy "$WORK/u.tpb" "unwatched open.file.path == \"$WORK/w/unwatched\"" "dir rmdir.file.path == \"$WORK/w/dir\""
verdict "what no rule asked for is in it" eval '[ "$(replay "$WORK/all" "$WORK/u.tpb" | wc -l)" = 3 ] && [ "$(info "$WORK/all" all)" = true ]'
dropped=$(field events dropped)
for _ in $(seq 50); do cat "$WORK/w/unwatched"; done
verdict "the sieve is closed again" test "$(field events dropped)" -gt "$((dropped + 49))"
ctl reload "$WORK/q.tpb" >/dev/null
verdict "a reload works again" test $? = 0

echo "# the sensor stops"
capture -o "$WORK/s"
sleep 1
verdict "stops with status 0" sensor_stop
wait $client
verdict "the capture has its end" test "$(info "$WORK/s" end)" = stopped
verdict "the log has who made captures when, and verifies" eval 'log_verifies && [ "$(log_records capture | grep -c "\"action\":\"begin\"")" -ge 7 ]'
done_testing
