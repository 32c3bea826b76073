# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# How test programs are run and counted; sourced by tools/check-host and tools/check.
#
# A program's result is, in this order: the last line "N passed, M failed[, K skipped]" that it printed; the sums of cmocka
# or of TAP; else its exit status: 0 one test passed, 77 one skipped (its last line says why), anything else one failed. A
# program that exits with an error and names no failed test has failed once.

SKIP=77

# test_count LOG STATUS: prints "passed failed skipped"
test_count() {
	awk -v status="$2" -v skip=$SKIP '
		/^[0-9]+ passed, [0-9]+ failed/ { total = 1; p = $1; f = $3; s = $6 == "skipped" ? $5 : 0 }
		/^\[  PASSED  \] [0-9]+ test/ { known = 1; cp += $4 }
		/^\[  FAILED  \] [0-9]+ test/ { known = 1; cf += $4 }
		/^\[  SKIPPED \] [0-9]+ test/ { known = 1; cs += $4 }
		/^ok [0-9]+/ { known = 1; if (/# [Ss][Kk][Ii][Pp]/) cs++; else cp++ }
		/^not ok [0-9]+/ { known = 1; cf++ }
		END {
			if (!total && known) { p = cp; f = cf; s = cs }
			else if (!total) { p = status == 0; s = status == skip; f = !p && !s }
			if (status && status != skip && !f) f = 1
			printf "%d %d %d\n", p, f, s
		}' "$1"
}

# first_of COMMAND...: the path of the first that is here. Not "command -v ... | head": that dies of SIGPIPE now and then.
first_of() {
	local c
	for c; do command -v "$c" && return; done
	return 0
}

# test_run LOG COMMAND...: runs one program with its output in LOG and its counts in LOG.count. Never fails.
test_run() {
	local log=$1 status=0
	shift
	timeout --kill-after=10 "${TEST_SECONDS:-300}" "$@" </dev/null >"$log" 2>&1 || status=$?
	[ $status -ne 124 ] || echo "timed out after ${TEST_SECONDS:-300} s: $*" >>"$log"
	echo "$(test_count "$log" $status) $*" >"$log.count"
}

# test_show LOG: a line on what failed or was skipped, and why
test_show() {
	local failed skipped command
	read -r _ failed skipped command <"$1.count"
	if [ "$failed" -gt 0 ]; then
		echo "FAIL $command"
		tail -n "${TEST_LINES:-40}" "$1" | sed 's/^/     /'
	elif [ "$skipped" -gt 0 ]; then
		echo "skip $command: $(test_why_skipped "$1")"
	fi
}

# The reasons that it printed; else cmocka's names of what was skipped; else its last line.
test_why_skipped() {
	{ grep -oE '(# SKIP|[Ss]kip(ped)?:).*' "$1" || grep -oE '^\[  SKIPPED \] [a-z_]+$' "$1" || tail -n 1 "$1"; } |
		sed 's/^\[  SKIPPED \] //' | sort -u | head -n 3 | paste -sd ';'
}

# test_sum LOG...: the closing line; false where something failed or nothing ran at all
test_sum() {
	local log
	for log; do cat "$log.count"; done | awk '
		{ p += $1; f += $2; s += $3 }
		END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p + s == 0 }'
}
