#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The runner of the language's cases: on the cases in own.jsonl, and on what it has to tell apart by its exit status.
set -u
cd "$(dirname "$0")/../.." || exit 1
RUN=${BUILD:-build}/bin/conformance
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
passed=0
failed=0

# check NAME STATUS "TEXT that has to be in the output" ARGUMENT...
check() {
	local name=$1 status=$2 text=$3 got=0
	shift 3
	"$RUN" "$@" >"$TMP/out" 2>&1 || got=$?
	if [ $got -eq "$status" ] && grep -qF -- "$text" "$TMP/out"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $name: exit status $got, not $status, or no \"$text\" in:"
		cat "$TMP/out"
	fi
}

own=tests/conformance/own.jsonl
# every line but the first, which describes the fields, is a case
check "own cases" 0 "$(($(wc -l <$own) - 1)) passed, 0 failed" $own
head -n 1 $own >"$TMP/wrong.jsonl"
sed -n 's/"own-eval-any"\(.*\)"expected": true/"wrong"\1"expected": false/p' $own >>"$TMP/wrong.jsonl"
check "a wrong expectation" 1 "FAIL wrong: expected false, got true" "$TMP/wrong.jsonl"
check "its sums" 1 "0 passed, 1 failed" "$TMP/wrong.jsonl"
check "several files" 1 "$(($(wc -l <$own) - 1)) passed, 1 failed" $own "$TMP/wrong.jsonl"
echo '{"id": "x", "kind": "not_a_kind"}' >"$TMP/kind.jsonl"
check "an unknown kind" 0 "not_a_kind: 1 skipped" "$TMP/kind.jsonl"
check "is not counted" 0 "0 passed, 0 failed" "$TMP/kind.jsonl"
echo '{"id": ' >"$TMP/broken.jsonl"
check "no JSON" 2 "broken.jsonl:1" "$TMP/broken.jsonl"
check "no such file" 2 "No such file" "$TMP/missing.jsonl"
check "no argument" 2 "usage"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
