# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion for tamisd: options, and what they take

_tamisd()
{
	local cur=${COMP_WORDS[COMP_CWORD]}

	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--rung) mapfile -t COMPREPLY < <(compgen -W 'fentry kprobe tracepoint' -- "$cur") ;;
	--state) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	--policy | --trust | --btf | --config | --alerts | --replay) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	*) mapfile -t COMPREPLY < <(compgen -W '--policy --trust --allow-unsigned --allow-actions --kill-limit --deny-limit --captures-keep --state --alerts --foreground --rung
		--ring-bytes --lineage-bytes --queue-bytes --log-epoch --canary --btf --config --replay --version --help' -- "$cur") ;;
	esac
}
complete -o filenames -F _tamisd tamisd
