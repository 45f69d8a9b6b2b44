# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of guestctl for fish; see guestctl.bash on where the words come from.

# The verb, and the one below it where there is one.
function __guestctl_verbs
    set -l verbs (string match -v -- '-*' (commandline -opc)[2..])
    contains -- "$verbs[1]" config autostart; and echo $verbs[1..2]; or echo $verbs[1]
end
function __guestctl_options
    guestctl (__guestctl_verbs | string split ' ') --help 2>/dev/null |
        string match -r -g -- '^  (?:-[a-z],)?(--[a-z-]+)'
end
function __guestctl_subcommands
    guestctl $argv --help 2>/dev/null |
        sed -n '/^Subcommands:/,/^$/s/^  \([a-z][a-z-]*\)  *\(.*\)/\1\t\2/p'
end
# As wide as it gets: no name goes on in a line of its own.
function __guestctl_first_column
    COLUMNS= guestctl $argv 2>/dev/null | awk 'NR > 1 { print $1 }'
end
function __guestctl_is
    contains -- (__guestctl_verbs | string collect) $argv
end

complete -c guestctl -f
complete -c guestctl -n '__guestctl_is ""' -a '(__guestctl_subcommands)'
complete -c guestctl -n '__guestctl_is config' -a '(__guestctl_subcommands config)'
complete -c guestctl -n '__guestctl_is autostart' -a '(__guestctl_subcommands autostart)'
complete -c guestctl -n 'string match -q -- "-*" (commandline -ct)' -a '(__guestctl_options)'
complete -c guestctl -n '__guestctl_is list show boot drain wait resume-list "config show"' -a '(__guestctl_first_column list)'
complete -c guestctl -n '__guestctl_is history plot cancel' -a '(__guestctl_first_column history)'
complete -c guestctl -n '__guestctl_is plan' -a 'boot drain'
complete -c guestctl -n '__guestctl_is "config check"' -F
complete -c guestctl -l trigger -x -a 'reboot poweroff halt kexec soft-reboot ups maintenance session-end manual'
for file in config fleet svg textfile output root
    complete -c guestctl -l $file -r -F
end
