#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The published cases of the language, which are kept beside the repository, not in it.
cd "$(dirname "$0")/../.." || exit 1
CASES=../shared/secl/cases.jsonl
[ -r $CASES ] || { echo "skip: $CASES is not here"; exit 77; }
exec "${BUILD:-build}/bin/conformance" $CASES
