#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Rules that deny, on this kernel: what was allowed is refused, or it is said wherever one looks that nothing can be; nothing
# else is. What is refused, on kernels where it can be, is seen in tests/kernel-matrix (the rung "deny").
. "$(dirname "$0")/sensor_lib.bash"

mkdir "$WORK/w"
touch "$WORK"/w/{no,free,half}
cat >"$WORK/hard.yaml" <<END
rules:
  - {id: no, expression: 'open.file.path == "$WORK/w/no"', actions: [{deny: {}}]}
  - {id: half, expression: 'open.file.path == "$WORK/w/half" && process.file.name != "nobody"', actions: [{deny: {}}]}
END
cat >"$WORK/soft.yaml" <<END
rules:
  - {id: free, expression: 'open.file.path == "$WORK/w/free"', actions: [{deny: {}}]}
END
"$BIN/tamisc" build -o "$WORK/p.tpb" "$WORK/hard.yaml" "$WORK/soft.yaml" 2>"$WORK/tamisc.log" || cat "$WORK/tamisc.log"
verdict "the compiler says which rule refuses nothing" grep -q 'warning: the rule half refuses nothing' "$WORK/tamisc.log"
verdict "and of no other" test "$(grep -c 'refuses nothing' "$WORK/tamisc.log")" = 1
must_start --policy "$WORK/p.tpb" --allow-unsigned --allow-actions "hard=deny"
verdict "it is said that one policy may not" grep -q 'p.tpb: 1 actions "deny" of rules are not allowed by --allow-actions' "$ERR"
verdict "and that one rule cannot" grep -q 'p.tpb: 1 rules that deny are not decided in the kernel alone' "$ERR"

says() { last_of "$1" | grep -qaF -- "\"actions\":[{\"kind\":\"deny\",\"state\":\"$2\"}]"; }
denials() { ctl status --json | grep -o '"denials":{[^}]*}'; }

if denials | grep -q '"state":"on"'; then
	verdict "what the rule means is refused" eval '! cat "$WORK/w/no"'
	verdict "and its alert says so" until_true 5 says no "done"
else
	verdict "the status says that nothing can be refused" eval 'denials | grep -q "\"state\":\"not possible\""'
	verdict "for people, too" eval 'ctl status | grep -q "^DENIALS .*NOT POSSIBLE here"'
	verdict "the log says so" grep -q 'cannot be refused here: ' "$ERR"
	verdict "the hooks say so" eval 'ctl hooks | grep -q "does not see: nothing is refused"'
	verdict "then it goes on" cat "$WORK/w/no"
	verdict "and its alert says so" until_true 5 says no "not done"
fi
verdict "what is not allowed goes on" cat "$WORK/w/free"
verdict "and the alert says so" until_true 5 says free "not allowed"
verdict "what user space would have to decide goes on" cat "$WORK/w/half"
verdict "and the alert says so" until_true 5 says half "not done"
verdict "stops with status 0" sensor_stop
must_start --policy "$WORK/p.tpb" --allow-unsigned
verdict "without leave nothing is even tried" eval 'denials | grep -q "\"state\":\"off\"" && ! grep -q "cannot be refused here" "$ERR"'
verdict "stops with status 0 again" sensor_stop
done_testing
