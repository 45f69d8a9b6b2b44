# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of guestctl for bash. Verbs and options come from guestctl's own help, so that they are
# always those of the version that is installed; guests come from guestd.

_guestctl_help() {
    guestctl "$@" --help 2>/dev/null
}

_guestctl() {
    local cur prev words cword verb='' word i
    if declare -F _init_completion >/dev/null; then
        _init_completion -n : || return
    else
        cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
        words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi
    for ((i = 1; i < cword; i++)); do
        word=${words[i]}
        if [[ $word != -* ]]; then
            verb=$word
            break
        fi
    done
    case $prev in
        --config | --fleet | --svg | --textfile | --output | -o | --root)
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            compopt -o filenames 2>/dev/null
            return
            ;;
        --trigger)
            mapfile -t COMPREPLY < <(compgen -W "reboot poweroff halt kexec soft-reboot ups
                maintenance session-end manual" -- "$cur")
            return
            ;;
        --deadline | --timeout | --limit | -n) return ;;
    esac
    if [[ $cur == -* ]]; then
        # shellcheck disable=SC2086  # no verb, no word
        mapfile -t COMPREPLY < <(compgen -W "$(_guestctl_help $verb |
            grep -oE -- '^  (-[a-z],)?--[a-z-]+' | grep -oE -- '--[a-z-]+')" -- "$cur")
        return
    fi
    case $verb in
        '')
            mapfile -t COMPREPLY < <(compgen -W "$(_guestctl_help |
                sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')" -- "$cur")
            ;;
        list | show | boot | drain | wait | resume-list)
            mapfile -t COMPREPLY < <(compgen -W "$(guestctl list 2>/dev/null |
                awk 'NR > 1 { print $1 }')" -- "$cur")
            ;;
        history | plot | cancel)
            mapfile -t COMPREPLY < <(compgen -W "$(guestctl history 2>/dev/null |
                awk 'NR > 1 { print $1 }')" -- "$cur")
            ;;
        plan) mapfile -t COMPREPLY < <(compgen -W "boot drain" -- "$cur") ;;
        autostart) mapfile -t COMPREPLY < <(compgen -W "take give status" -- "$cur") ;;
    esac
}
complete -F _guestctl guestctl
