# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The kernels of the matrix. This table is the only list of them.
#
# series	Debian suites that carry its cloud kernel
KERNELS="
5.10	bullseye bullseye-security
6.1	bookworm bookworm-security
6.12	trixie trixie-security
7.2	trixie-backports
"

kernels_names() { awk 'NF { print $1 }' <<<"$KERNELS"; }
kernels_suites() { awk '{ for (i = 2; i <= NF; i++) print $i }' <<<"$KERNELS" | sort -u; }
