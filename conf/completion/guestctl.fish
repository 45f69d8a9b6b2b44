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
function __guestctl_guests
    guestctl list --names 2>/dev/null
end
# As wide as it gets: nothing goes on in a line of its own.
function __guestctl_runs
    COLUMNS= guestctl history 2>/dev/null | awk 'NR > 1 { print $1 }'
end
function __guestctl_is
    contains -- (__guestctl_verbs | string collect) $argv
end

complete -c guestctl -f
complete -c guestctl -n '__guestctl_is ""' -a '(__guestctl_subcommands)'
complete -c guestctl -n '__guestctl_is config' -a '(__guestctl_subcommands config)'
complete -c guestctl -n '__guestctl_is autostart' -a '(__guestctl_subcommands autostart)'
complete -c guestctl -n 'string match -q -- "-*" (commandline -ct)' -a '(__guestctl_options)'
complete -c guestctl -n '__guestctl_is list show boot drain wait "config show"' -a '(__guestctl_guests)'
complete -c guestctl -n '__guestctl_is history plot cancel' -a '(__guestctl_runs)'
complete -c guestctl -n '__guestctl_is plan' -a 'boot drain'
complete -c guestctl -n '__guestctl_is "config check"' -F
complete -c guestctl -n '__guestctl_is show drain plan "config show"' -l trigger -x -a 'reboot poweroff halt kexec soft-reboot ups maintenance session-end manual'
complete -c guestctl -n '__guestctl_is resume-list' -l forget -x -a '(__guestctl_guests)'
for file in config fleet svg
    complete -c guestctl -n '__guestctl_is plan' -l $file -r -F
end
complete -c guestctl -n '__guestctl_is metrics' -l textfile -r -F
complete -c guestctl -n '__guestctl_is plot' -l output -s o -r -F
complete -c guestctl -n '__guestctl_is import' -l root -r -F
