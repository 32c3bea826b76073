#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Watched files as they change, with the running sensor: one alert a change, with who did it, in the signed log.
. "$(dirname "$0")/sensor_lib.bash"

T=$WORK/tree
mkdir -p "$T/sub" "$WORK/outside"
mkdir -m 711 "$STATE"
echo one >"$T/a"
echo two >"$T/sub/b"
# watches FILE DEBOUNCE
watches() {
	printf '%s\n' "watches:" "  - id: tree" "    paths: ['$T', '$WORK/later/**']" "    exclude: ['$T/**/*.swp']" \
		"    attributes: [standard, links]" "    diff: true" "    severity: high" "    debounce: $2" "    tags: {team: web}" \
		>"$1.yaml"
	"$BIN/tamisc" build -o "$1" "$1.yaml" >"$WORK/tamisc.log" 2>&1 || { cat "$WORK/tamisc.log"; exit 1; }
}
fim() { "$BIN/tamisctl" --state "$STATE" fim "$@"; }
# alert PATTERN...: a line of --alerts on integrity that has them all
alert() {
	local lines pattern
	lines=$(grep -a '"type":"integrity"' "$OUT")
	for pattern; do lines=$(grep -a -- "$pattern" <<<"$lines"); done
	[ -n "$lines" ]
}
# told PATTERN...: soon
told() { until_true 10 alert "$@"; }
# kind_of PATH: of the newest alert about it
alerts_on() { grep -a '"type":"integrity"' "$OUT" | grep -ac "\"path\":\"$1\""; }

watches "$WORK/p.tpb" 50ms
fim init --quiet --policy "$WORK/p.tpb" --allow-unsigned || exit 1
must_start --policy "$WORK/p.tpb" --allow-unsigned

# ---- nobody was watching ---------------------------------------------------------------------------------------------------

scanned() { ctl status --json | grep "\"scans\":1" >/dev/null; }
verdict "a scan at the beginning" until_true 15 scanned
verdict "finds nothing" eval "! alert integrity"
sensor_stop
echo offline >>"$T/sub/b"
must_start --policy "$WORK/p.tpb" --allow-unsigned
verdict "what changed while the sensor was off is told, and that nobody was watching" until_true 15 \
	alert "\"path\":\"$T/sub/b\"" '"diff":"@@ -1 +1,2 @@\\n two\\n+offline\\n"' '"watched":false'
verdict "without a process" eval "! alert '\"process\"'"
echo two >"$T/sub/b"
sleep 0.3

# ---- what happened, and who did it --------------------------------------------------------------------------------------

bash -c "echo more >>'$T/a'"
verdict "a write is told, with the diff and who it was" told "\"path\":\"$T/a\"" '"kind":"changed"' '"changed":\["size","content"\]' \
	'"diff":"@@ -1 +1,2 @@\\n one\\n+more\\n"' '"process":{.*"args":"-c echo more' '"severity":"high"' '"team":"web"' '"watch":"tree"'
verdict "once" test "$(alerts_on "$T/a")" = 1
chmod 600 "$T/sub/b"
verdict "a mode" told "\"path\":\"$T/sub/b\"" '"changed":\["permissions"\]' '"comm":"chmod"'
touch "$T/x.swp" && sleep 0.3
verdict "what is excluded is not" test "$(alerts_on "$T/x.swp")" = 0
echo new >"$T/new"
verdict "a new file" told "\"path\":\"$T/new\"" '"kind":"added"'
rm "$T/new"
python3 -c "import os; os.setxattr('$T/a', 'user.x', b'1'); os.chown('$T/a', 1, 2)"
verdict "attributes and owner" told "\"path\":\"$T/a\"" '"xattrs"' '"owner"' '"event":"chown"' '"event":"setxattr"' '"event":"write"'
mv "$T/sub" "$T/moved"
verdict "what lay in a directory that moved" told "\"path\":\"$T/sub/b\"" '"kind":"removed"' '"event":"rename"'
verdict "and what lies there now" told "\"path\":\"$T/moved/b\"" '"kind":"added"'
mkdir -p "$WORK/later/d" && echo x >"$WORK/later/d/f"
verdict "a path that was not there yet" told "\"path\":\"$WORK/later/d/f\"" '"kind":"added"'
verdict "the status shows it" eval "ctl status --json | grep -q '\"fim\":{\"accepted\":0,\"alerts\":[1-9][0-9]*,.*\"files\":4,.*\"lost\":0,.*\"state\":\"up\"'"

# ---- by memory, after the descriptor was closed ----------------------------------------------------------------------------

${CC:-cc} -O2 -D_GNU_SOURCE -o "$WORK/holes" tests/system/fim_holes.c || exit 1
echo text >"$T/mapped"
told "\"path\":\"$T/mapped\""
"$WORK/holes" mmap "$T/mapped" &
sleep 2.4
verdict "a store into memory" told "\"path\":\"$T/mapped\"" '"kind":"added"' '"event":"mmap"'
wait $!
"$WORK/holes" uring "$T/moved/b" 0
case $? in
0) verdict "io_uring: the open, if not the write, on every rung" told "\"path\":\"$T/moved/b\"" '"comm":"holes"' ;;
*) echo "# no io_uring here" ;;
esac

# ---- a large file ----------------------------------------------------------------------------------------------------------

truncate -s 512M "$T/large"
echo beside >>"$T/a"
verdict "who is small does not wait for a large file" told "\"path\":\"$T/a\"" '+beside'
verdict "which is told of, too" until_true 30 alert "\"path\":\"$T/large\"" '"kind":"added"' '"size":536870912'
rm "$T/large"

# ---- the processes ---------------------------------------------------------------------------------------------------------

verdict "the hash process is nobody, and may read" eval "grep -q '^Uid:.1879050004.1879050004' /proc/$(pid_of hash)/status && grep -q '^CapEff:.0000000000000004' /proc/$(pid_of hash)/status && grep -q '^Seccomp:.2' /proc/$(pid_of hash)/status"
# killed ROLE PID: and another one is there
killed() { kill -9 "$2" && until_true 10 another "$1" "$2"; }
another() { [ "$(pid_of "$1")" != "$2" ] && [ "$(state_of "$1")" = up ]; }
verdict "it is started again" killed hash "$(pid_of hash)"
echo again >>"$T/a"
verdict "and goes on" told "\"path\":\"$T/a\"" 'again'
verdict "so it does with another engine" killed engine "$(pid_of engine)"
echo still >>"$T/a"
verdict "whose events it looks at" told "\"path\":\"$T/a\"" 'still'

watches "$WORK/p2.tpb" 0s
verdict "a reload takes other watches along" ctl reload "$WORK/p2.tpb"
echo last >>"$T/a"
verdict "which are in force" told "\"path\":\"$T/a\"" 'last'

# ---- what is mounted over a watched directory -------------------------------------------------------------------------------

changed() { test "$(field fim changed)" = "$1"; }
mkdir "$T/over"
echo below >"$T/over/f"
told "\"path\":\"$T/over/f\"" '"kind":"added"'
fim check --quiet --json >"$WORK/said" 2>&1
fim accept --quiet --all >"$WORK/said" 2>&1
verdict "what is accepted does not differ any more" until_true 15 changed 0
mount -t tmpfs none "$T/over"
verdict "a mount hides what is below" told "\"path\":\"$T/over/f\"" '"kind":"removed"' '"event":"mount"'
umount "$T/over"
verdict "and without it all is as it was" until_true 15 changed 0

# ---- a new start ------------------------------------------------------------------------------------------------------------

echo told >>"$T/a"
verdict "a change is told" told "\"path\":\"$T/a\"" '+told'
rm "$T/mapped"
verdict "so is a file that is gone" told "\"path\":\"$T/mapped\"" '"kind":"removed"'
verdict "stops" sensor_stop
echo meanwhile >>"$T/moved/b"
not_again() { changed 3 && [ "$(alerts_on "$T/a")" = "$1" ] && [ "$(alerts_on "$T/mapped")" = "$2" ]; }
before=$(alerts_on "$T/a")
gone=$(alerts_on "$T/mapped")
must_start --policy "$WORK/p2.tpb" --allow-unsigned
verdict "what changed meanwhile is told" until_true 10 alert "\"path\":\"$T/moved/b\"" '+meanwhile' '"watched":false'
verdict "what was told before is known, and not told again" until_true 15 not_again "$before" "$gone"
echo "once more" >>"$T/a"
verdict "until it is another change" told "\"path\":\"$T/a\"" '+once more'
ctl status >"$WORK/said"
verdict "the status for people has it" grep -q '^integrity .* 3 differ' "$WORK/said"
ctl metrics >"$WORK/said"
verdict "so do the metrics" grep -qx 'tamis_fim_changed 3' "$WORK/said"
echo late >>"$T/a"
verdict "stops" sensor_stop
verdict "what came last is in the log" eval "grep -aq '+late' '$STATE'/log/*.jsonl"
verdict "which verifies" log_verifies
moved_in_index() { ctl log query --event integrity --json 2>/dev/null | grep -a "\"path\":\"$T/moved/b\"" >/dev/null; }
verdict "and can be asked" moved_in_index

# ---- the report -------------------------------------------------------------------------------------------------------------

: >"$T/"$'new\xff<b>'
fim check --quiet --json >"$WORK/said" 2>&1
verdict "a report" fim report --quiet --html "$WORK/report.html"
verdict "has who did it" eval "grep -aF '$T/a</span>' '$WORK/report.html' | grep -aq '<span class=by>/usr/bin/bash (root)</span>'"
verdict "and with which arguments, and whose child it was" eval \
	"grep -a '<div class=dim>run by ' '$WORK/report.html' | grep -aFq 'tests/system/sensor-fim.sh'"
verdict "and for what the log does not have it, says so" eval \
	"grep -aFq '<p class=dim>Who did it is not known: the log has no alert about it.</p>' '$WORK/report.html'"
done_testing
