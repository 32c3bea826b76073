# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion for tamisctl: commands, those of `log`, options, then files

_tamisctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} i=1
	local words='status hooks stats top reload capture log doctor --state --help --version'

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
			checkpoint) words='--segment -o --help' ;;
			esac ;;
		reload:*) words='' ;;
		capture:*) words='-o --seconds --events --max-bytes --all --info --json --export-json' ;;
		*) words='--json --help' ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	[ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -o filenames -F _tamisctl tamisctl
