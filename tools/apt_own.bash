# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An apt of our own, for packages that are unpacked and not installed: kernels of other releases, libraries of another
# architecture. It needs no root and leaves the machine's apt alone: sources, lists and cache are in a directory of its own.
# The mirror is the one that the machine itself uses; where it uses none of Debian's, TAMIS_DEBIAN_MIRROR names one.
#
#	apt_own_setup DIR ARCHITECTURES SUITE...	makes it and reads the package lists
#	apt_own COMMAND...				apt-get, apt-cache, ... with it

APT_OWN=
APT_OWN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

apt_own() { APT_CONFIG=$APT_OWN/apt.conf "$@"; }

apt_own_die() { echo "${0##*/}: $*" >&2; exit 1; }

# The machine's own mirrors as "URI SUITE" lines. --print-uris reads both forms of source file for us.
apt_own_mirrors() {
	apt-get -o Dir::State="$APT_OWN/state" -o Dir::State::status=/dev/null update --print-uris |
		sed -n "s#^'\([^']*\)/dists/\([^']*\)/InRelease' .*#\1 \2#p"
}

# @1 main|security, @2 all of apt_own_mirrors: that archive's URI
apt_own_mirror() {
	local uri
	while read -r uri _; do
		case $1:$uri in
		main:*/debian) echo "$uri"; return ;;
		security:*/debian-security | security:*security*) echo "$uri"; return ;;
		esac
	done <<<"$2"
	[ -n "${TAMIS_DEBIAN_MIRROR:-}" ] || return 1
	case $1 in
	main) echo "$TAMIS_DEBIAN_MIRROR" ;;
	security) echo "${TAMIS_DEBIAN_MIRROR%/}-security" ;;
	esac
}

# @1 URI, then the suites
apt_own_source() {
	local uri=$1
	shift
	[ $# -gt 0 ] || return 0
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' "$uri" "$*" "$APT_OWN_KEYRING"
}

apt_own_setup() {
	APT_OWN=$1
	local arches=$2 mirrors main security suite of_main=() of_security=()
	shift 2
	mkdir -p "$APT_OWN"/{state/lists/partial,cache/archives/partial,sources}
	[ -f "$APT_OWN_KEYRING" ] || apt_own_die "$APT_OWN_KEYRING is missing; apt-get install debian-archive-keyring"
	mirrors=$(apt_own_mirrors)
	main=$(apt_own_mirror main "$mirrors") || apt_own_die "no Debian mirror in apt's sources; set TAMIS_DEBIAN_MIRROR"
	security=$(apt_own_mirror security "$mirrors") || security=${main%/}-security
	for suite in "$@"; do
		case $suite in
		*-security) of_security+=("$suite") ;;
		*) of_main+=("$suite") ;;
		esac
	done
	{
		apt_own_source "$main" "${of_main[@]}"
		apt_own_source "$security" "${of_security[@]}"
	} >"$APT_OWN/sources/own.sources"
	# An old release's index has expired by date; its signature is checked all the same.
	cat >"$APT_OWN/apt.conf" <<-CONF
		Dir::State "$APT_OWN/state/";
		Dir::State::status "/dev/null";
		Dir::Cache "$APT_OWN/cache/";
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$APT_OWN/sources";
		APT::Architecture "${arches%% *}";
		APT::Architectures { $(printf '"%s"; ' $arches)};
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Check-Valid-Until "false";
	CONF
	echo "${0##*/}: reading the package lists of $*" >&2
	apt_own apt-get -q -q update >&2
}
