#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Hashes and packages of files: looked up only when a rule that holds otherwise asks, remembered, never of another file, and given
# up where it takes too long.
. "$(dirname "$0")/sensor_lib.bash"

mkdir "$WORK/w"
echo hello >"$WORK/w/known" # no shell opens it from here on: what is moved there is not opened
echo other >"$WORK/w/other"
touch "$WORK/w/dropped" "$WORK/w/big" "$WORK/w/exec"
truncate -s 64M "$WORK/w/big"
cp "$(type -P true)" "$WORK/w/tool"
sum_of() { sha256sum "$1" | cut -d' ' -f1; }
KNOWN=$(sum_of "$WORK/w/known") TOOL=$(sum_of "$WORK/w/tool")
OWNER=$(dpkg-query -S '*bin/cat' 2>/dev/null | cut -d: -f1)
VERSION=$(dpkg-query -W -f '${Version}' "$OWNER" 2>/dev/null)
EXPECT=${VERSION#*:}
policy "$WORK/p.tpb" \
	"known open.file.path in [ \"$WORK/w/known\", \"$WORK/w/other\", \"$WORK/w/big\" ] && open.file.hashes == \"sha256:$KNOWN\"" \
	"others open.file.path in [ \"$WORK/w/known\", \"$WORK/w/other\", \"$WORK/w/big\" ] && open.file.hashes not in [ \"sha256:$KNOWN\", \"x\" ]" \
	"tool exec.file.name == \"tool\" && exec.file.hashes in [ \"sha256:$TOOL\" ]" \
	"child open.file.path == \"$WORK/w/exec\" && process.parent.file.name == \"bash\" && process.parent.file.package.name == \"bash\"" \
	"packaged open.file.path == \"$WORK/w/dropped\" && process.file.package.name == \"$OWNER\" && process.file.package.version == \"${EXPECT%-*}\"" \
	"strange open.file.path == \"$WORK/w/dropped\" && process.file.package.name == \"\""
cat >>"$WORK/p.tpb.yaml" <<EOF
- id: act
  expression: open.file.path == "$WORK/w/exec" && process.file.name == "head"
  actions: [{hash: {}}]
EOF
"$BIN/tamisc" build -o "$WORK/p.tpb" "$WORK/p.tpb.yaml" 2>"$WORK/tamisc.log" || cat "$WORK/tamisc.log"
must_start --policy "$WORK/p.tpb" --allow-unsigned --allow-actions "*=hash"

hash_up() { [ -n "$(pid_of hash)" ] && [ "$(state_of hash)" = up ]; }

verdict "the process that reads files is there" until_true 10 hash_up
sleep 1 # the package database is being read
cat "$WORK/w/known" >/dev/null
verdict "a file of a known hash" until_true 5 is_count known 1
verdict "the alert shows the hash" has known "\"hashes\":[\"sha256:$KNOWN\"]"
cat "$WORK/w/other" >/dev/null
verdict "a file of another one" until_true 5 is_count others 1
for _ in 1 2 3 4 5; do cat "$WORK/w/known" >/dev/null; done
verdict "the same again" until_true 5 is_count known 6
sleep 1.2
verdict "is not read again" eval '[ "$(field lookups kept)" -ge 5 ] && [ "$(field lookups asked)" -le 4 ]'
echo changed >"$WORK/w/new"
mv "$WORK/w/new" "$WORK/w/known"
cat "$WORK/w/known" >/dev/null
verdict "but when it has changed" until_true 5 is_count others 2
head -c 1 "$WORK/w/big" >/dev/null
verdict "a file that is too big has no hash" until_true 5 is_count others 3
verdict "and the alert none" eval '! has others hashes'
"$WORK/w/tool"
verdict "a program by its hash" until_true 5 is_count tool 1
verdict "the alert has it of the program, and of the process" eval '[ "$(last_of tool | grep -oaF "sha256:$TOOL" | wc -l)" = 2 ]'
if [ -n "$OWNER" ]; then
	cat "$WORK/w/dropped"
	verdict "a program of a package, by name and version" until_true 5 is_count packaged 1
	verdict "the alert shows the package" has packaged "\"package\":{"
	bash -c "cat '$WORK/w/exec'; :"
	verdict "the package of the parent's program" until_true 5 is_count child 1
fi
head -c 1 "$WORK/w/exec"
verdict "the action hash" until_true 5 has act "\"actions\":[{\"file\":\"open.file\",\"kind\":\"hash\",\"state\":\"done\"}]"
verdict "shows the hash" has act "\"hashes\":[\"sha256:$(sum_of /dev/null)\"]"
cp "$(type -P cat)" "$WORK/w/cat"
"$WORK/w/cat" "$WORK/w/dropped"
verdict "a program of none" until_true 5 is_count strange 1
sleep 1.2
before=$(field lookups asked)
for _ in 1 2 3; do cat /etc/hostname >/dev/null; done
sleep 1.2
verdict "nobody asks where no rule does" test "$(field lookups asked)" = "$before"
kill -9 "$(pid_of hash)"
verdict "the process that reads files dies, and comes back" until_true 10 hash_up
sleep 1 # it reads the package database first
echo hello >"$WORK/w/new"
mv "$WORK/w/new" "$WORK/w/known"
cat "$WORK/w/known" >/dev/null
verdict "and knows hashes" until_true 5 is_count known 7
ctl capture -o "$WORK/c" --seconds 2 2>/dev/null &
capture=$!
until_true 5 grep -q "a capture begins" "$ERR"
before=$(grep -c . "$OUT")
cat "$WORK/w/known" "$WORK/w/dropped" >/dev/null
"$WORK/w/tool"
wait "$capture"
events() { sed 's/.*"open":/"open":/; s/.*"exec":/"exec":/; s/"seq":[0-9]*,//'; }
tail -n +$((before + 1)) "$OUT" | events >"$WORK/live"
"$BIN/tamisd" --replay "$WORK/c" --policy "$WORK/p.tpb" --allow-unsigned --alerts - 2>"$WORK/replay.err" | events >"$WORK/replayed"
verdict "a replay finds what was found" eval '[ "$(grep -c "" "$WORK/live")" -ge 3 ] && cmp "$WORK/live" "$WORK/replayed"'
verdict "status for people" eval 'ctl status | grep -q "look-ups .* of hashes and packages"'
verdict "nothing was lost" test "$(field events lost)" = 0
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
done_testing
