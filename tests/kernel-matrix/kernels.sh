# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The kernels of the matrix. This table is the only list of them. A kernel of another architecture than amd64 has that behind
# its series: 6.12-arm64.
#
# kernel	Debian suites that carry its cloud kernel
KERNELS="
5.10	bullseye bullseye-security
6.1	bookworm bookworm-security
6.1-arm64	bookworm bookworm-security
6.12	trixie trixie-security
6.12-arm64	trixie trixie-security
6.18	trixie-backports
7.3	trixie-backports
"

# of one architecture, or of all
kernels_names() { awk -v of="${1:-}" 'NF { arch = $1; if (!sub(/^[^-]*-/, "", arch)) arch = "amd64"; if (of == "" || of == arch) print $1 }' <<<"$KERNELS"; }
# of these kernels, or of all
kernels_suites() {
	awk -v of="$*" 'BEGIN { n = split(of, w, " "); for (i = 1; i <= n; i++) want[w[i]] }
		NF && (!n || $1 in want) { for (i = 2; i <= NF; i++) print $i }' <<<"$KERNELS" | sort -u
}
kernels_series() { echo "${1%%-*}"; }
kernels_arch() { case $1 in *-*) echo "${1#*-}" ;; *) echo amd64 ;; esac; }
