#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a script executes is found by rules on the script as its parent, by whatever path it was called; also at once, before the
# engine process has looked at the script, and also where no hook has seen its file.
. "$(dirname "$0")/sensor_lib.bash"
DIR=$WORK/tree
TURNS=${TAMIS_SCRIPTS_N:-20}

mkdir -p "$DIR/bin" "$DIR/other"
cp /bin/true "$DIR/child"
cp /bin/true "$DIR/last"
printf '#!/bin/sh\n"%s"\n:\n' "$DIR/child" >"$DIR/bin/job"
chmod 755 "$DIR/bin/job"
ln -s job "$DIR/bin/called"
policy "$WORK/p.tpb" \
	"by_path exec.file.path == \"$DIR/child\" && process.parent.file.path == \"$DIR/bin/job\"" \
	"by_name exec.file.path == \"$DIR/child\" && process.parent.file.name in [\"job\", \"called\"]" \
	"above exec.file.path == \"$DIR/child\" && process.ancestors.file.name in [\"job\", \"called\"]" \
	"nobody exec.file.path == \"$DIR/child\" && process.parent.file.name == \"jo\"" \
	"last exec.file.path == \"$DIR/last\""

# Events are evaluated in the order of their times.
settled() { [ "$(logged_of last)" = 1 ] && [ "$(field alerts made)" = "$(field alerts durable)" ]; }

# found TEXT OPTION...
found() {
	local text=$1
	shift
	# shellcheck disable=SC2034 # of alerts of its own
	STATE=$WORK/state.$#
	must_start --policy "$WORK/p.tpb" --allow-unsigned "$@"
	for ((i = 0; i < TURNS; i++)); do
		"$DIR/bin/job"
		(cd "$DIR/bin" && exec ./job)
		(cd "$DIR/other" && exec ../bin/job)
		(cd "$DIR" && exec bin//./job)
		PATH=$DIR/bin:$PATH job
		"$DIR/bin/called"
	done
	"$DIR/last"
	verdict "$text: all is evaluated" until_true 60 settled
	verdict "$text: nothing was lost" test "$(field events lost)" = 0
	# where links are resolved the script has its own name, else the one it was called by
	verdict "$text: by its path" test "$(logged_of by_path)" -ge $((5 * TURNS))
	verdict "$text: by its name" test "$(logged_of by_name)" = $((6 * TURNS))
	verdict "$text: as one above" test "$(logged_of above)" = $((6 * TURNS))
	verdict "$text: and by no other name" test "$(logged_of nobody)" = 0
	verdict "$text: stops with status 0" sensor_stop
}

found "as it comes"
found "by its string alone" --rung tracepoint
done_testing
