"""The script for zsh, a function of its completion system."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.cli.shells.positions import Position

_SCRIPT = r"""#compdef postbell
# Completion of postbell for zsh; made by: postbell completion zsh

_postbell_at() { # what may follow a command, into the variables of _postbell
    commands=() switches=() valued=() arguments=()
    case $1 in
%(table)s
    esac
}

_postbell_names() { # the first or second column of a list, as far as these are names
    local column=$1 first second rest
    local -a names
    shift
    while IFS=$'\t' read -r first second rest; do
        [[ $first =~ '^[a-z0-9_-]+$' ]] || continue
        case $column in
            1) names+=("$first") ;;
            2) names+=("$second") ;;
            *) names+=("$first/$second") ;;
        esac
    done < <("$words[1]" "$@" "${config[@]}" 2>/dev/null)
    compadd -a names
}

_postbell_fill() { # what may stand for a value
    case $1 in
        @files) _files ;;
        @directories) _files -/ ;;
        @nothing) _message 'a value of your own' ;;
        @users) _postbell_names 1 user list ;;
        @devices) _postbell_names 2 device list "$user" ;;
        @pairs) _postbell_names 3 device list ;;
        @*) _postbell_names 1 "${1[2,-2]}" list ;;
        *) compadd -- ${(s:,:)1} ;;
    esac
}

_postbell() {
    local place='' user='' takes='' option='' word each
    local -i given=0 i
    local -a commands switches valued arguments config shown
    _postbell_at ''
    for ((i = 2; i < CURRENT; i++)); do
        word=$words[i]
        if [[ -n $takes ]]; then
            [[ $option == --config ]] && config=(--config "$word")
            takes=''
        elif [[ $word == -* ]]; then
            option=${word%%%%=*}
            [[ $word == *=* ]] && continue
            for each in $valued; do
                [[ ${each%%%%=*} == "$word" ]] && takes=${${each#*=}%%%%:*}
            done
        elif (( ${#commands:#^$word:*} )); then
            place="${place:+$place }$word"
            _postbell_at "$place"
        else
            ((given++ == 0)) && user=$word
        fi
    done
    if [[ -n $takes ]]; then
        _postbell_fill "$takes"
    elif [[ $PREFIX == -* ]]; then
        shown=($switches)
        for each in $valued; do
            shown+=("${each%%%%=*}:${each#*:}")
        done
        _describe option shown
    elif (( $#commands )); then
        _describe command commands
    elif ((given < $#arguments)); then
        _postbell_fill "$arguments[given+1]"
    fi
}

if [[ $funcstack[1] == _postbell ]]; then
    _postbell "$@"
else
    compdef _postbell postbell
fi
"""


def script(positions: Iterable[Position]) -> str:
    """The script."""
    return _SCRIPT % {"table": "\n".join(map(_row, positions))}


def _row(position: Position) -> str:
    def told(words: Iterable[tuple[str, str]]) -> str:
        return " ".join(quote(f"{word}:{help_}") for word, help_ in words)

    return (
        f"        {quote(position.path)})\n"
        f"            commands=({told(position.commands)})\n"
        f"            switches=({told(position.switches)})\n"
        f"            valued=({told((f'{name}={taken}', help_) for name, help_, taken in position.valued)})\n"
        f"            arguments=({' '.join(map(quote, position.arguments))}) ;;"
    )
