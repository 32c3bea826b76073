#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Words in an exec's arguments and environment, wherever they stand: across the pieces in which the kernel side takes them, at
# their end, as flags and options.
. "$(dirname "$0")/sensor_lib.bash"

N=64
cp "$(type -P true)" "$WORK/t"
policy "$WORK/p.tpb" "arg exec.file.path == \"$WORK/t\" && exec.args =~ \"*needle-[[*\"" \
	"end exec.file.path == \"$WORK/t\" && exec.argv == \"last one\"" \
	"flag exec.file.path == \"$WORK/t\" && exec.args_flags == \"q\" && exec.args_options == \"out=x\"" \
	"env exec.file.path == \"$WORK/t\" && exec.envs == \"WORDS_NEEDLE\""
must_start --policy "$WORK/p.tpb" --allow-unsigned

printf -v long '%9000s' ''
long=${long// /x}
for ((i = 0; i < N; i++)); do
	"$WORK/t" "${long:0:i * 131}" "needle-[["
	"$WORK/t" "${long:0:i * 131}" "last one"
	env -i WORDS_OTHER="${long:0:i * 131}" WORDS_NEEDLE= "$WORK/t"
done
"$WORK/t" -aqb --out x
"$WORK/t" -aqb --out=x
"$WORK/t" -q --out=y
verdict "a word in the arguments is found at $N places" until_true 10 is_count arg $N
verdict "so is an argument that is the last" until_true 10 is_count end $N
verdict "so is a variable" until_true 10 is_count env $N
verdict "flags and options are found in each form" until_true 10 is_count flag 2
verdict "stops with status 0" sensor_stop
done_testing
