# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion for tamisc: commands, each one's options, then files

_tamisc()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local -A options=(
		[check]='--json --strict --no-lint --compat-version --help'
		[build]='-o --sign --keep-going --workload --compat-version --help' [keygen]='-o --help'
		[explain]='--json --rule --workload --compat-version --help' [test]='--tap --junit --help' [eval]='--vars --policy -e --help'
		[fields]='--json --markdown --help' [schema]='--help' [fmt]='--check -w --help'
	)

	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "${!options[*]} --help --version" -- "$cur")
	elif [ "$prev" = --no-lint ]; then
		mapfile -t COMPREPLY < <(compgen -W 'never-true duplicate-rule shadowed-rule passes-all bare-wildcard literal-star
			literal-backslash leading-zero dashed-flag some-ancestor plain-regex unused-macro mixed-operators' -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${options[${COMP_WORDS[1]}]:-}" -- "$cur")
	elif [ "${COMP_WORDS[1]}" = fields ] && [ "$prev" = fields ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(tamisc fields 2>/dev/null | awk '{ print $1 }')" -- "$cur")
	elif [ "$prev" = schema ]; then
		mapfile -t COMPREPLY < <(compgen -W 'policy test' -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -o filenames -F _tamisc tamisc
