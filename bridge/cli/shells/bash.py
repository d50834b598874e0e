"""The script for bash, 4.4 or newer."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.cli.shells.positions import Position

_SCRIPT = r"""# Completion of postbell for bash; made by: postbell completion bash

_postbell_at() { # what may follow a command, into the variables of _postbell
    commands='' switches='' valued='' arguments=()
    case $1 in
%(table)s
    esac
}

_postbell_names() { # the first or second column of a list, as far as these are names
    local column=$1 first second
    shift
    while IFS=$'\t' read -r first second _; do
        [[ $first =~ ^[a-z0-9_-]+$ ]] || continue
        case $column in
            1) echo "$first" ;;
            2) echo "$second" ;;
            *) echo "$first/$second" ;;
        esac
    done < <("${COMP_WORDS[0]}" "$@" "${config[@]}" 2>/dev/null)
}

_postbell_fill() { # COMPREPLY with what may stand for a value
    local words
    case $1 in
        @files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        @directories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        @nothing) return ;;
        @users) words=$(_postbell_names 1 user list) ;;
        @devices) words=$(_postbell_names 2 device list "$user") ;;
        @pairs) words=$(_postbell_names 3 device list) ;;
        @*) words=$(_postbell_names 1 "${1:1:-1}" list) ;;
        *) words=${1//,/ } ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

_postbell() {
    local current=${COMP_WORDS[COMP_CWORD]} path='' user='' takes='' option='' given=0 word each i
    local commands switches valued
    local -a arguments config=()
    COMPREPLY=()
    [[ $current == = ]] && current=''
    _postbell_at ''
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        [[ $word == = ]] && continue
        if [[ -n $takes ]]; then
            [[ $option == --config ]] && config=(--config "$word")
            takes=''
        elif [[ $word == -* ]]; then
            option=$word
            for each in $valued; do
                [[ ${each%%%%=*} == "$word" ]] && takes=${each#*=}
            done
        elif [[ " $commands " == *" $word "* ]]; then
            path="${path:+$path }$word"
            _postbell_at "$path"
        else
            ((given++ == 0)) && user=$word
        fi
    done
    if [[ -n $takes ]]; then
        _postbell_fill "$takes"
    elif [[ $current == -* ]]; then
        for each in $valued; do
            switches+=" ${each%%%%=*}"
        done
        mapfile -t COMPREPLY < <(compgen -W "$switches" -- "$current")
    elif [[ -n $commands ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
    elif ((given < ${#arguments[@]})); then
        _postbell_fill "${arguments[given]}"
    fi
}

complete -F _postbell postbell
"""


def script(positions: Iterable[Position]) -> str:
    """The script."""
    return _SCRIPT % {"table": "\n".join(map(_row, positions))}


def _row(position: Position) -> str:
    valued = " ".join(f"{name}={taken}" for name, _, taken in position.valued)
    return (
        f"        {quote(position.path)})\n"
        f"            commands={quote(' '.join(name for name, _ in position.commands))}\n"
        f"            switches={quote(' '.join(name for name, _ in position.switches))}\n"
        f"            valued={quote(valued)}\n"
        f"            arguments=({' '.join(map(quote, position.arguments))}) ;;"
    )
