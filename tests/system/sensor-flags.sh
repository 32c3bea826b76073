#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A variable of rules counts as set in the kernel from the moment on that an event has which may set it: what another processor does
# later, by the times of both, is not ruled out. And over a reload: what a variable holds, it holds in the kernel. See flags.c.
. "$(dirname "$0")/sensor_lib.bash"
ROUNDS=${TAMIS_FLAGS_N:-10} # of 16 variables, so many as have a flag
EACH=16
TREE=$WORK/tree

${CC:-cc} -O2 -D_GNU_SOURCE -Iinclude -Wall -Wextra -Wno-unused-parameter -Werror -pthread -o "$WORK/flags" tests/system/flags.c || exit 1
# a path that takes a while: between the time of the write and the end of its hook
deep=$TREE/$(printf "a-directory-with-a-long-name-%02d/" {1..85})
mkdir -p "$deep"
deep=${deep%/}

# rules ROUND FILE: each round has variables and files of its own
rules() {
	local i n events=(write exec)
	mkdir -p "$deep/$1"
	{
		echo "rules:"
		echo "- {id: any, silent: true, expression: 'chmod.file.path == \"$TREE/x\"'}"
		for ((i = 0; i < EACH; i++)); do
			n=$(($1 * EACH + i))
			echo "- {id: set$n, silent: true, expression: '${events[i % 2]}.file.path == \"$deep/$1/s$i\"', actions: [{set: {name: v$n, value: true}}]}"
			echo "- {id: ask$n, expression: 'chmod.file.path == \"$TREE/x\" && chmod.file.destination.mode == $n && \${v$n}'}"
		done
	} >"$2.yaml"
	"$BIN/tamisc" build -o "$2" "$2.yaml" >"$WORK/tamisc.log" 2>&1 || { cat "$WORK/tamisc.log" && exit 1; }
}
for ((r = 0; r < ROUNDS; r++)); do rules "$r" "$WORK/$r.tpb"; done

capture_on() { grep -q 'a capture begins' "$ERR"; }

must_start --policy "$WORK/0.tpb" --allow-unsigned
ctl capture -o "$WORK/c" --seconds 900 >/dev/null 2>&1 &
client=$!
verdict "a capture begins" until_true 20 capture_on
for ((r = 0; r < ROUNDS; r++)); do
	[ "$r" = 0 ] || ctl reload "$WORK/$r.tpb" >/dev/null
	"$WORK/flags" race "$TREE" "$deep/$r" $((r * EACH)) $EACH || break
done
verdict "all was done" test "$r" = "$ROUNDS"
verdict "all is evaluated" until_true 60 settled
verdict "nothing was lost" test "$(field events lost)" = 0
last=$((ROUNDS * EACH - 1))
n=$(logged_of ask$last)
verdict "the rule holds once its variable is set" test "$n" -gt 0

# the same policy again: the variables have what they had
ctl reload "$WORK/$((ROUNDS - 1)).tpb" >/dev/null
chmod "$(printf %o $last)" "$TREE/x"
more() { [ "$(logged_of ask$last)" -gt "$n" ]; }
verdict "what is set stays so over a reload" until_true 20 more
verdict "stops with status 0" sensor_stop
wait $client # a capture ends with the sensor
verdict "no clause was ruled out too long" "$WORK/flags" check "$WORK/c" $((ROUNDS * EACH))
done_testing
