# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of guestctl for fish; see guestctl.bash on where the words come from.

function __guestctl_verb
    for word in (commandline -opc)[2..]
        string match -q -- '-*' $word; or begin
            echo $word
            return
        end
    end
    return 1
end
function __guestctl_options
    guestctl (__guestctl_verb) --help 2>/dev/null | string match -r -g -- '^  (?:-[a-z],)?(--[a-z-]+)'
end
function __guestctl_first_column
    guestctl $argv 2>/dev/null | awk 'NR > 1 { print $1 }'
end
function __guestctl_is
    contains -- (__guestctl_verb) $argv
end

complete -c guestctl -f
complete -c guestctl -n 'not __guestctl_verb' -a "(guestctl --help 2>/dev/null |
    sed -n '/^Subcommands:/,/^\$/s/^  \([a-z-]*\)  *\(.*\)/\1\t\2/p')"
complete -c guestctl -n 'string match -q -- "-*" (commandline -ct)' -a '(__guestctl_options)'
complete -c guestctl -n '__guestctl_is list show boot drain wait resume-list' -a '(__guestctl_first_column list)'
complete -c guestctl -n '__guestctl_is history plot cancel' -a '(__guestctl_first_column history)'
complete -c guestctl -n '__guestctl_is plan' -a 'boot drain'
complete -c guestctl -n '__guestctl_is autostart' -a 'take give status'
complete -c guestctl -l trigger -x -a 'reboot poweroff halt kexec soft-reboot ups maintenance session-end manual'
for file in config fleet svg textfile output root
    complete -c guestctl -l $file -r -F
end
