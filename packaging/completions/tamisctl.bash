# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion for tamisctl: commands, those of `log`, options, then files

_tamisctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} i=1
	local words='status hooks stats top metrics sinks reload capture log fim doctor --state --help --version'

	[ "${COMP_WORDS[1]:-}" != --state ] || i=3
	if [ "$COMP_CWORD" -gt "$i" ]; then
		case ${COMP_WORDS[i]}:$((COMP_CWORD - i)) in
		log:1) words='verify prove tail export checkpoint' ;;
		log:*)
			case ${COMP_WORDS[i + 1]} in
			verify) words='--key --from-segment --json --help' ;;
			prove) words='--check --key --json --help' ;;
			tail) words='-n -f --help' ;;
			export) words='--format --from --to --help' ;;
			checkpoint) words='--segment -o --key --help' ;;
			esac ;;
		fim:1) words='init check diff accept list verify-packages report' ;;
		fim:*)
			case ${COMP_WORDS[i + 1]} in
			init) words='--policy --trust --allow-unsigned --force --fresh --idle --rate --workers --root --json --quiet' ;;
			check) words='--policy --trust --allow-unsigned --quick --no-packages --fresh --idle --rate --workers --root
				--json --quiet' ;;
			accept) words='--all --root --json --quiet' ;;
			report) words='--html --quiet' ;;
			*) words='--root --json --quiet' ;;
			esac ;;
		sinks:1) words='test check --json' ;;
		reload:*) words='' ;;
		capture:*) words='-o --seconds --events --max-bytes --all --info --json --export-json' ;;
		*) words='--json --help' ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	[ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -o filenames -F _tamisctl tamisctl
