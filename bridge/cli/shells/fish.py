"""The script for fish."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.cli.shells.positions import Position

_SCRIPT = r"""# Completion of postbell for fish; made by: postbell completion fish

function __postbell_at -d 'What may follow a command'
    set -g __postbell_commands
    set -g __postbell_switches
    set -g __postbell_valued
    set -g __postbell_arguments
    switch "$argv[1]"
%(table)s
    end
end

function __postbell_names -d 'The first or second column of a list, as far as these are names' -a column
    set -l program (commandline -opc)[1]
    $program $argv[2..] $__postbell_config 2>/dev/null | while read -d \t -l first second rest
        string match -qr '^[a-z0-9_-]+$' -- $first; or continue
        switch $column
            case 1
                echo $first
            case 2
                echo $second
            case '*'
                echo $first/$second
        end
    end
end

function __postbell_fill -d 'What may stand for a value' -a kind user
    switch $kind
        case @files
            __fish_complete_path (commandline -ct)
        case @directories
            __fish_complete_directories (commandline -ct) ''
        case @nothing
        case @users
            __postbell_names 1 user list
        case @devices
            __postbell_names 2 device list $user
        case @pairs
            __postbell_names 3 device list
        case '@*'
            __postbell_names 1 (string replace -r '^@(.*)s$' '$1' -- $kind) list
        case '*'
            string split , -- $kind
    end
end

function __postbell_complete
    set -l place ''
    set -l user ''
    set -l takes ''
    set -l option ''
    set -l given 0
    set -g __postbell_config
    __postbell_at ''
    for word in (commandline -opc)[2..]
        if test -n "$takes"
            test "$option" = --config; and set __postbell_config --config $word
            set takes ''
        else if string match -q -- '-*' $word
            set option $word
            for each in $__postbell_valued
                set -l parts (string split -m 2 \t -- $each)
                test "$parts[1]" = "$word"; and set takes $parts[3]
            end
        else if contains -- $word (string replace -r '\t.*' '' -- $__postbell_commands)
            set place (string trim -- "$place $word")
            __postbell_at "$place"
        else
            test $given -eq 0; and set user $word
            set given (math $given + 1)
        end
    end
    if test -n "$takes"
        __postbell_fill $takes $user
    else if string match -q -- '-*' (commandline -ct)
        string join \n -- $__postbell_switches (string replace -r '\t[^\t]*$' '' -- $__postbell_valued)
    else if test (count $__postbell_commands) -gt 0
        string join \n -- $__postbell_commands
    else if test $given -lt (count $__postbell_arguments)
        __postbell_fill $__postbell_arguments[(math $given + 1)] $user
    end
end

complete -c postbell -f -a '(__postbell_complete)'
"""


def script(positions: Iterable[Position]) -> str:
    """The script."""
    return _SCRIPT % {"table": "\n".join(map(_row, positions))}


def _row(position: Position) -> str:
    valued = [(name, f"{help_}\t{taken}") for name, help_, taken in position.valued]
    rows = {"commands": position.commands, "switches": position.switches, "valued": valued}
    lines = [f"        case {quoted(position.path)}"]
    for name, words in rows.items():
        if words:
            lines.append(f"            set __postbell_{name} " + " ".join(quoted(f"{a}\t{b}") for a, b in words))
    if position.arguments:
        lines.append("            set __postbell_arguments " + " ".join(map(quoted, position.arguments)))
    return "\n".join(lines)


def quoted(text: str) -> str:
    """A text as a word of fish; a tab is written as the escape that it has there."""
    parts = ["'" + part.replace("\\", "\\\\").replace("'", "\\'") + "'" for part in text.split("\t")]
    return "\\t".join(parts)
