#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# write: once for each open file and process image. What is opened anew is told anew, however often its address in the kernel
# comes back; with a policy that asks for writes alone, so that opens are not events of their own.
. "$(dirname "$0")/sensor_lib.bash"

f=$WORK/f
policy "$WORK/p.tpb" "w write.file.path == \"$f\""
policy "$WORK/q.tpb" "w write.file.path == \"$f\"" "o open.file.path == \"$WORK/none\""
touch "$f" "$WORK/other"
n=0
alerts() { [ ! -e "$OUT" ] || grep -ac '"id":"w"' "$OUT"; }
came() { [ "$(alerts)" = "$1" ]; }
# exactly MORE: that many come, and then no other
exactly() {
	n=$((n + $1))
	until_true 5 came $n && sleep 0.5 && came $n
}

must_start --policy "$WORK/p.tpb" --allow-unsigned --canary 0
for _ in {1..100}; do echo x >&3; done 3>>"$f"
verdict "a hundred writes through one open are one event" exactly 1
for _ in {1..50}; do echo x >>"$f"; done
verdict "fifty opens with a write each are fifty" exactly 50
(
	echo a >&3
	sh -c 'echo b; echo c' >&3
) 3>>"$f"
verdict "a child that inherits it is another writer" exactly 2
bash -c 'echo a >&3; exec sh -c "echo b >&3; echo c >&3"' 3>>"$f"
verdict "so is the program that a process executes" exactly 2
for _ in {1..50}; do echo x >>"$WORK/other"; done
verdict "of another file nothing is told" exactly 0
exec 3>>"$f"
echo x >&3
verdict "an open that stays" exactly 1
ctl reload "$WORK/q.tpb" >/dev/null
echo x >&3
verdict "another policy begins anew" exactly 1
for _ in {1..50}; do echo x >>"$f"; done
verdict "fifty more, with a rule on opens" exactly 50
verdict "nothing was lost" test "$(field alerts lost)$(field events lost)" = 00
verdict "stops with status 0" sensor_stop
done_testing
