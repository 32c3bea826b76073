#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What rules know of programs: the names that symbolic links give, scripts and their interpreters, programs in memory, arguments and
# environment to the last one; one exit a process. Processes that a new engine process has never been told of; and on which layer of
# an overlay a program lies, also one that was there before the sensor.
. "$(dirname "$0")/sensor_lib.bash"

mkdir "$WORK/bin"
cp /bin/true "$WORK/bin/real"
ln -s real "$WORK/bin/alias"
printf '#!/bin/sh\nexit 0\n' >"$WORK/bin/script"
chmod +x "$WORK/bin/script"
touch "$WORK/target"
opens 1 "$WORK/target" # builds the tool
chmod 755 "$WORK" "$WORK/tool"
chmod 644 "$WORK/target"
policy "$WORK/p.tpb" "alias_name exec.file.name == \"alias\"" \
	"alias_path exec.file.path == \"$WORK/bin/alias\" && exec.file.name == \"real\"" \
	"alias_glob exec.file.path =~ \"$WORK/bin/al*\"" \
	"not_alias exec.file.path =~ \"$WORK/bin/*\" && exec.file.name != \"alias\" && exec.file.name != \"script\"" \
	"by_alias exit.file.name == \"alias\"" \
	"script exec.file.path == \"$WORK/bin/script\" && exec.interpreter.file.name == \"sh\"" \
	"no_script exec.file.path == \"$WORK/bin/script\" && exec.interpreter.file.path == \"\"" \
	"last_argument exec.file.name == \"real\" && exec.argv == \"the-last-one\" && exec.args_truncated == false" \
	"environment exec.file.name == \"real\" && exec.envp == \"TAMIS_LAST=1\"" \
	"in_memory exec.file.name =~ \"memfd:*\"" \
	"threads exit.file.name == \"tool\" && exit.code == 7" \
	"target open.file.path == \"$WORK/target\" && process.file.path == \"$WORK/tool\""

came() { [ "$(alerts_of "$1")" = "${2:-1}" ]; }

must_start --policy "$WORK/p.tpb" --allow-unsigned
"$WORK/bin/alias"
for rule in alias_name alias_path alias_glob by_alias; do verdict "called by a link: $rule" until_true 5 came $rule; done
"$WORK/bin/real"
verdict "a condition with != holds for neither name" until_true 5 came not_alias
verdict "and the link's rules hold for it no more" came alias_name
(cd "$WORK/bin" && ./real)
verdict "a relative path is no link" until_true 5 came not_alias 2
"$WORK/bin/script"
verdict "a script and its interpreter" until_true 5 came script
verdict "which is not the program" came no_script 0
mapfile -t many < <(seq 1 4000)
"$WORK/bin/real" "${many[@]}" the-last-one
verdict "thousands of arguments, to the last one" until_true 5 came last_argument
env -i A=1 B=2 TAMIS_LAST=1 "$WORK/bin/real"
verdict "the environment" until_true 5 came environment
"$WORK/tool" memfd "$WORK/bin/real"
verdict "a program in memory" until_true 5 came in_memory
for _ in 1 2 3 4 5 6 7 8; do "$WORK/tool" threads 16; done
verdict "threads that end at once: one exit a process" until_true 5 came threads 8

verdict "stops with status 0" sensor_stop

echo "# processes whose beginning was lost"
rm -rf "$STATE" "$OUT"
must_start --policy "$WORK/p.tpb" --allow-unsigned --lineage-bytes 64K --queue-bytes 512K
lost() { ctl stats --json | grep -o '"now":{.*' | grep -o '"exec":{[^}]*}' | head -n 1 | grep -o '"lost_context":[0-9]*' | cut -d: -f2; }
engine=$(pid_of engine)
# The monitor wakes a stopped engine up, so both are stopped until the ring is full.
kill -STOP "$SENSOR" "$engine"
for _ in $(seq 300); do /bin/true; done
"$WORK/tool" late "$WORK/target" &
mine=$!
setpriv --reuid 65534 --clear-groups "$WORK/tool" late "$WORK/target" &
other=$!
sleep 0.3
kill -CONT "$SENSOR" "$engine"
verdict "records of execs are lost" until_true 5 eval '[ "$(lost)" -gt 0 ]'
sleep 3 # the monitor looks once a second, and so does the engine
kill -USR1 $mine $other
wait $mine $other
verdict "their programs are known" until_true 5 came target 2
verdict "stops with status 0" sensor_stop

echo "# programs on the layers of an overlay, some of which were there before the sensor"
rm -rf "$STATE" "$OUT"
mkdir "$WORK"/{lo,up,wk,ov}
cp "$WORK/tool" "$WORK/lo/lower"
cp "$WORK/tool" "$WORK/up/upper"
policy "$WORK/p.tpb" "upper open.file.path == \"$WORK/target\" && process.file.in_upper_layer" \
	"lower open.file.path == \"$WORK/target\" && process.file.path == \"$WORK/ov/lower\" && !process.file.in_upper_layer"
# on_overlay COMMAND...: becomes it, with the overlay in a mount namespace of its own, which leaves nothing behind
on_overlay() {
	exec unshare -m --propagation private sh -c 'w=$1; shift
		mount -t overlay -o "lowerdir=$w/lo,upperdir=$w/up,workdir=$w/wk" ov "$w/ov" && exec "$@"' sh "$WORK" "$@"
}
# Whether process $1 is $2 by now, and waits for its signal.
waits() { [ "$(readlink "/proc/$1/exe")" = "$2" ] && ((0x$(awk '/^SigBlk:/ { print $2 }' "/proc/$1/status") & 0x200)); }
if (on_overlay true) 2>/dev/null; then
	on_overlay "$WORK/ov/upper" late "$WORK/target" &
	before=$!
	until_true 5 waits $before "$WORK/ov/upper"
	must_start --policy "$WORK/p.tpb" --allow-unsigned
	kill -USR1 $before
	wait $before
	verdict "one that was there before" until_true 5 came upper
	on_overlay "$WORK/ov/lower" late "$WORK/target" &
	lower=$!
	until_true 5 waits $lower "$WORK/ov/lower"
	kill -USR1 $lower
	wait $lower
	verdict "one on the lower layer" until_true 5 came lower
	verdict "which is not on the upper one" came upper
	verdict "stops with status 0" sensor_stop
else
	echo "# skipped: no overlay can be mounted here"
fi
done_testing
