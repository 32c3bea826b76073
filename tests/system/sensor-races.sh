#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Directories, files, mounts and programs move between where rules look and where they do not, while others look at them and
# the policy is swapped: what was done where a rule looks is told, each time; what was done elsewhere is not. See races.c.
. "$(dirname "$0")/sensor_lib.bash"
TURNS=${TAMIS_RACES_N:-1500}
DIR=$WORK/tree

mkdir "$DIR"
mkdir "$DIR/want" "$DIR/dead" "$DIR/names" "$DIR/who"
${CC:-cc} -O2 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Werror -pthread -o "$WORK/races" tests/system/races.c || exit 1
rules=("opened open.file.path =~ \"$DIR/want/**\" && open.flags & O_APPEND > 0"
	"made mkdir.file.path =~ \"$DIR/want/**/mine\""
	"named open.file.path == \"$DIR/names/hit\" && open.flags & O_APPEND > 0"
	"ran exec.file.path =~ \"$DIR/want/**\""
	"acted open.file.path == \"$DIR/who/file\" && open.flags & O_APPEND > 0 && process.file.path == \"$DIR/who/caller\""
	"acted_as open.file.path == \"$DIR/who/file\" && open.flags & O_APPEND > 0 && process.file.name == \"caller\" && process.uid == 7")
policy "$WORK/a.tpb" "${rules[@]}"
# in the other one clauses have other bits, and the automaton other states
policy "$WORK/b.tpb" "first open.file.path =~ \"$DIR/nothing/*/at/all\"" "second exec.file.path =~ \"$DIR/*/nothing/**\"" "${rules[@]}"
policy "$WORK/c.tpb" "only open.file.path == \"$DIR/nothing\""


must_start --policy "$WORK/c.tpb" --allow-unsigned
# what was learned under a policy that wants none of it is worth nothing under the next one
cat "$DIR"/*/* 2>/dev/null
ctl reload "$WORK/a.tpb" >/dev/null
"$WORK/races" "$DIR" "$TURNS" >"$WORK/due" &
worker=$!
n=0
while kill -0 $worker 2>/dev/null; do
	for p in b a; do ctl reload "$WORK/$p.tpb" >/dev/null || break 2; n=$((n + 1)); done
done
verdict "all was done" wait $worker
echo "# $n reloads meanwhile"
verdict "all is evaluated" until_true 60 settled
verdict "nothing was lost" test "$(field events lost)" = 0
verdict "stops with status 0" sensor_stop
while read -r rule due; do
	verdict "$rule: $due, and no other" test "$(logged_of "$rule")" = "$due"
	echo "# $rule: $(logged_of "$rule") came"
done <"$WORK/due"
done_testing
