#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Learned discarders: opens of a file whose hash no rule asks for are not sent after the first one, until the file changes, in whichever way,
# or is open for writing, the policy changes, or a minute is over.
. "$(dirname "$0")/sensor_lib.bash"

case $(stat -f -c %T "$WORK") in ext2/ext3 | ext4) ;; *) echo "skipped: $WORK is not on ext4, of which alone anything is learned" && exit 77 ;; esac

mkdir "$WORK/w"
evil() { echo evil; }
for f in write truncate chmod replace held expires policy; do echo good >"$WORK/w/$f"; done
evil >"$WORK/evil"
EVIL=$(sha256sum <"$WORK/evil" | cut -d' ' -f1)
RULE="open.file.path =~ \"$WORK/w/*\" && open.file.hashes == \"sha256:$EVIL\" && process.file.name == \"cat\""
policy "$WORK/p.tpb" "evil $RULE"
# what sets a variable is stamped anew when it is sent: it asks by that time
cat >"$WORK/q.yaml" <<-YAML
	rules:
	- id: evil2
	  expression: >-
	    $RULE
	  actions: [{set: {name: seen, value: true}}]
YAML
"$BIN/tamisc" build -o "$WORK/q.tpb" "$WORK/q.yaml" >"$WORK/tamisc.log" 2>&1 || { cat "$WORK/tamisc.log" && exit 1; }
must_start --policy "$WORK/p.tpb" --allow-unsigned
hash_up() { [ -n "$(pid_of hash)" ] && [ "$(state_of hash)" = up ]; }
verdict "the process that reads files is there" until_true 10 hash_up
sleep 2.2 # what has changed a moment ago is not learned of

# Opens that the engine has looked up a hash for, and those that were not sent; of a second ago at most.
evaluated() { echo $(($(field lookups asked) + $(field lookups kept))); }
spared() { field lookups spared; }
cats() { for ((i = 0; i < $2; i++)); do cat "$WORK/w/$1" >/dev/null; done; }
# settle: until the counters have not changed for a while
settle() {
	local was=
	until [ "$was" = "$(evaluated) $(spared)" ]; do was="$(evaluated) $(spared)" && sleep 1.2; done
}
# learn FILE...: until opens of none of them are sent
learn() {
	local before i f
	for ((i = 0; i < 8; i++)); do
		settle
		before=$(spared)
		for f; do cats "$f" 1; done
		settle
		[ "$(spared)" != $((before + $#)) ] || return 0
	done
	return 1
}
# is_spared N FILE..., is_sent N FILE...: N opens of each, all of them
came() {
	local times=$1 sent=$2 e s f
	shift 2
	settle
	e=$(evaluated) s=$(spared)
	for f; do cats "$f" "$times"; done
	settle
	[ "$(evaluated) $(spared)" = "$((e + sent * times * $#)) $((s + !sent * times * $#))" ] ||
		{ echo "# $e+$s became $(evaluated)+$(spared)" && false; }
}
is_spared() { came "$1" 0 "${@:2}"; }
is_sent() { came "$1" 1 "${@:2}"; }

# learn_and_spare N FILE...: on a machine that is busy it may be over in between
learn_and_spare() {
	local i
	for ((i = 0; i < 4; i++)); do
		learn "${@:2}" || return 1
		since=$(now_ms)
		is_spared "$@" && return 0
	done
	return 1
}

ALL=(expires write truncate chmod replace held policy)
verdict "what the hash of a file rules out is learned, and no further open of it sent" learn_and_spare 5 "${ALL[@]}"
learnt=$since
verdict "nor is there an alert" is_count evil 0

evil >"$WORK/w/write"
cats write 1
verdict "what is written is seen" until_true 10 is_count evil 1

mv "$WORK/evil" "$WORK/w/replace"
cats replace 1
verdict "a file that takes the place of another is seen" until_true 10 is_count evil 2

truncate -s 2 "$WORK/w/truncate"
chmod 600 "$WORK/w/chmod"
exec 9>>"$WORK/w/held"
verdict "opens after a truncate, a chmod and while somebody may be writing are sent" is_sent 1 truncate chmod held
exec 9>&-
verdict "and are not when he is through" learn_and_spare 3 held

until [ $(($(now_ms) - learnt)) -gt 200000 ] || is_sent 1 expires >/dev/null; do sleep 1; done
verdict "an answer does not hold for ever" test $(($(now_ms) - learnt)) -lt 200000

verdict "learned: before another policy" learn policy
ctl reload "$WORK/q.tpb" 2>"$WORK/reload.log" || cat "$WORK/reload.log"
verdict "an open under another policy is sent" is_sent 1 policy
verdict "the status tells" eval 'ctl status | grep -q "opens were not even sent"'
verdict "the metrics, too" eval '[ "$(ctl metrics | grep -a "^tamis_lookups_spared_total" | grep -o "[0-9]*$")" -ge 20 ]'
verdict "learned under the other policy, whose rule sets a variable" learn_and_spare 2 policy
verdict "nothing was lost" test "$(field events lost)" = 0
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
done_testing
