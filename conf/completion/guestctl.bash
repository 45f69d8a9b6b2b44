# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of guestctl for bash. Verbs and options come from guestctl's own help, so that they are
# always those of the version that is installed; guests come from guestd. Names are only ever data:
# they are compared and quoted here, and never given to what expands words, as compgen -W does.

_guestctl_help() {
    guestctl "$@" --help 2>/dev/null
}

_guestctl_verbs() {
    _guestctl_help "$@" | sed -n '/^Subcommands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

_guestctl_options() {
    _guestctl_help "$@" | grep -oE -- '^  (-[a-z],)?--[a-z-]+' | grep -oE -- '--[a-z-]+'
}

# As wide as it gets: nothing goes on in a line of its own.
_guestctl_runs() {
    COLUMNS='' guestctl history 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# Offers those lines of the input that begin with the word under the cursor.
_guestctl_offer() {
    local word typed=${cur//\\/} quoted=''
    case $typed in
        [\"\']*) typed=${typed#?} quoted=yes ;; # readline closes the quote itself
    esac
    COMPREPLY=()
    while IFS= read -r word; do
        [[ $word == "$typed"* ]] || continue
        [[ $quoted ]] || printf -v word %q "$word"
        COMPREPLY+=("$word")
    done
}

_guestctl_offer_files() {
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    compopt -o filenames 2>/dev/null
}

_guestctl() {
    local cur prev words cword verb='' more='' word
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
        --config | --fleet | --svg | --textfile | --output | -o | --root) _guestctl_offer_files ;;
        --trigger)
            _guestctl_offer < <(printf '%s\n' reboot poweroff halt kexec soft-reboot ups \
                maintenance session-end manual)
            ;;
        --forget) _guestctl_offer < <(guestctl list --names 2>/dev/null) ;;
        --deadline | --timeout | --limit | -n) ;;
        *)
            if [[ $cur == -* ]]; then
                _guestctl_offer < <(_guestctl_options ${verb:+"$verb"} ${more:+"$more"})
                return
            fi
            case $verb${more:+ $more} in
                '') _guestctl_offer < <(_guestctl_verbs) ;;
                config | autostart) _guestctl_offer < <(_guestctl_verbs "$verb") ;;
                list | show | boot | drain | wait | 'config show')
                    _guestctl_offer < <(guestctl list --names 2>/dev/null)
                    ;;
                history | plot | cancel) _guestctl_offer < <(_guestctl_runs) ;;
                plan) _guestctl_offer < <(printf '%s\n' boot drain) ;;
                'config check') _guestctl_offer_files ;;
            esac
            ;;
    esac
}
complete -F _guestctl guestctl
