#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Rules in two steps: one remembers something of a process, another asks for it; children inherit it, and it is forgotten when
# the last of them is gone. Alerts are held back by "every", rules can be silent, and a new policy knows what the old one knew.
. "$(dirname "$0")/sensor_lib.bash"

mkdir "$WORK/w"
cat >"$WORK/p.yaml" <<EOF
rules:
  - id: marks
    expression: open.file.path == "$WORK/w/mark"
    actions:
      - set: {name: marked, value: "yes", scope: process, inherited: true}
      - set: {name: hidden, value: 1, scope: process, private: true}
      - set: {name: seen, field: process.pid, append: true, size: 3}
      - log: {level: warning, message: "%{process.comm} opened the mark"}
  - id: marked_opens
    expression: open.file.path == "$WORK/w/target" && \${process.marked} == "yes"
  - id: limited
    group_id: the group
    every: 2s
    expression: open.file.path == "$WORK/w/limited"
  - id: quiet
    silent: true
    expression: open.file.path == "$WORK/w/quiet"
    actions: [{set: {name: asked, value: true, ttl: 1h}}]
  - id: after_quiet
    expression: open.file.path == "$WORK/w/after" && \${asked}
EOF
"$BIN/tamisc" build -o "$WORK/p.tpb" "$WORK/p.yaml" 2>"$WORK/tamisc.log" || cat "$WORK/tamisc.log"
touch "$WORK"/w/{mark,target,limited,quiet,after}
must_start --policy "$WORK/p.tpb" --allow-unsigned

held() { field variables held; }

cat "$WORK/w/target" >/dev/null
# a shell marks itself; what it starts is marked, and what that starts
bash -c "read -r _ <$WORK/w/mark; cat $WORK/w/target; bash -c 'cat $WORK/w/target; :'; :" >/dev/null
verdict "a process that was marked, its child and its grandchild" until_true 5 is_count marked_opens 2
verdict "the alert shows what was set, and nothing private" has marks "\"variables\":{\"process.marked\":\"yes\",\"seen\":["
verdict "the alert has the message" has marks '"log":[{"level":"warning","message":"bash opened the mark"}]'
cat "$WORK/w/target" >/dev/null
sleep 1
verdict "another process is not marked" is_count marked_opens 2

verdict "what was remembered of a process goes with it" until_true 12 eval '[ "$(held)" = 1 ]'

for _ in 1 2 3 4; do cat "$WORK/w/limited" >/dev/null; done
sleep 2.2
cat "$WORK/w/limited" >/dev/null
verdict "two alerts of five matches" until_true 5 is_count limited 2
verdict "the second says how many were held back" has limited '"suppressed":3'
verdict "and which group the rule is of" has limited '"group_id":"the group"'
cat "$WORK/w/after" >/dev/null
cat "$WORK/w/quiet" >/dev/null
cat "$WORK/w/after" >/dev/null
verdict "a silent rule sets its variable" until_true 5 is_count after_quiet 1
verdict "and raises no alert" is_count quiet 0
verdict "status counts what raised no alert" eval '[ "$(field alerts suppressed)" = 3 ] && [ "$(field alerts silent)" = 1 ]'
verdict "status for people, too" eval 'ctl status | grep -q "3 held back by their rules. limits, 1 of silent rules"'

# a new policy takes over what is remembered
sed -i "s/id: after_quiet/id: after_reload/" "$WORK/p.yaml"
"$BIN/tamisc" build -o "$WORK/p.tpb" "$WORK/p.yaml" 2>"$WORK/tamisc.log" || cat "$WORK/tamisc.log"
verdict "reload" ctl reload "$WORK/p.tpb"
cat "$WORK/w/after" >/dev/null
verdict "a new policy knows what the old one knew" until_true 5 is_count after_reload 1
verdict "nothing was lost" test "$(field events lost)" = 0
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
verdict "an alert with variables is an event that rules can be tried on" \
	eval 'last_of marks >"$WORK/event.json" && "$BIN/tamisc" eval -e "open.file.path == \"$WORK/w/mark\"" "$WORK/event.json"'
done_testing
