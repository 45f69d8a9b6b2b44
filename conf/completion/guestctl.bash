# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of guestctl for bash. Verbs and options come from guestctl's own help, so that they are
# always those of the version that is installed; guests come from guestd.

_guestctl_help() {
    guestctl "$@" --help 2>/dev/null
}

_guestctl_verbs() {
    _guestctl_help "$@" | sed -n '/^Subcommands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

# As wide as it gets: no name goes on in a line of its own.
_guestctl_first_column() {
    COLUMNS='' guestctl "$1" 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_guestctl() {
    local cur prev words cword verb='' more='' word words_known=''
    if declare -F _init_completion >/dev/null; then
        _init_completion -n : || return
    else
        cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
        words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi
    for word in "${words[@]:1:cword-1}"; do
        if [[ $word == -* ]]; then
            continue
        elif [[ -z $verb ]]; then
            verb=$word
        elif [[ -z $more && $verb =~ ^(config|autostart)$ ]]; then
            more=$word
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
        words_known=$(_guestctl_help ${verb:+"$verb"} ${more:+"$more"} |
            grep -oE -- '^  (-[a-z],)?--[a-z-]+' | grep -oE -- '--[a-z-]+')
    else
        case $verb${more:+ $more} in
            '') words_known=$(_guestctl_verbs) ;;
            config | autostart) words_known=$(_guestctl_verbs "$verb") ;;
            list | show | boot | drain | wait | resume-list | 'config show')
                words_known=$(_guestctl_first_column list)
                ;;
            history | plot | cancel) words_known=$(_guestctl_first_column history) ;;
            plan) words_known='boot drain' ;;
            'config check')
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                compopt -o filenames 2>/dev/null
                return
                ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words_known" -- "$cur")
}
complete -F _guestctl guestctl
