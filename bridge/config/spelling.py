"""What an operator may have meant by a key, a section or a variable that does not exist. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

ALIKE: Final = 60
SAME: Final = 84
"""How alike two words are to be, in percent: for a key of this section, and for what is farther away."""

ELSEWHERE: Final = {
    "address": ("listen",),
    "bind": ("listen",),
    "ca": ("ca_file", "tls_client_ca"),
    "ca_cert": ("ca_file", "tls_client_ca"),
    "cert": ("tls_cert",),
    "certfile": ("tls_cert",),
    "certificate": ("tls_cert",),
    "group": ("socket_owner",),
    "host": ("listen", "url"),
    "key": ("tls_key",),
    "keyfile": ("tls_key",),
    "login": ("username",),
    "name": ("hostname",),
    "owner": ("socket_owner",),
    "password": ("password_file",),
    "port": ("listen", "url"),
    "prefix": ("root",),
    "server": ("url",),
    "ssl_cert": ("tls_cert",),
    "ssl_key": ("tls_key",),
    "topic": ("root",),
    "user": ("username",),
    "verbosity": ("level",),
}
"""What other programs call our keys."""


def key(name: str, section: str, sections: Mapping[str, Collection[str]]) -> str:
    """What to do about a key that its section does not have."""
    plain = _plain(name)
    known_as = next((each for each in ELSEWHERE.get(plain, ()) if each in sections[section]), None)
    here = known_as or _nearest(plain, sections[section], ALIKE)
    if here:
        return f"did you mean {_dotted(section, here)}?"
    elsewhere = [_dotted(other, plain) for other, keys in sections.items() if plain in keys]
    if elsewhere:
        return f"did you mean {' or '.join(sorted(elsewhere))}?"
    every = {each: _dotted(other, each) for other, keys in sections.items() for each in keys}
    near = _nearest(plain, every, SAME)
    return f"did you mean {every[near]}?" if near else f"[{section}] has {', '.join(sorted(sections[section]))}"


def section(name: str, sections: Mapping[str, Collection[str]]) -> str:
    """What to do about a section, or a key at the top of the file, that does not exist."""
    names = [each for each in sections if each]
    near = _nearest(_plain(name), [*names, *sections[""]], ALIKE)
    if near:
        return f"did you mean {near}?" if near in sections[""] else f"did you mean [{near}]?"
    inside = [_dotted(other, _plain(name)) for other, keys in sections.items() if _plain(name) in keys]
    if inside:
        return f"did you mean {' or '.join(sorted(inside))}? It stands below its [section]"
    return f"there are {', '.join(sorted([*names, *sections['']]))}"


def variable(name: str, known: Collection[str], *, prefix: str) -> str:
    """The variable that was meant, if one is much like it; empty for one that may be somebody else's."""
    joined = {each.replace("__", "_"): each for each in known}
    bare = {each.removeprefix(prefix): each for each in known}
    near = _nearest(name.removeprefix(prefix), bare, SAME)
    return joined.get(name.replace("__", "_")) or (bare[near] if near else "")


def stranger(name: str, known: Collection[str], *, prefix: str) -> str:
    """What to do about a variable, named without its prefix, that may be somebody else's."""
    keys: dict[str, list[str]] = {}
    for each in sorted(known):
        keys.setdefault(each.removeprefix(prefix).rpartition("__")[2], []).append(each)
    near = _nearest(name, keys, SAME)
    head, _, tail = name.partition("_")
    named = [f"{prefix}{head}__{each.upper()}" for each in ELSEWHERE.get(tail.lower(), ())]
    meant = keys[near] if near else [each for each in named if each in known]
    if meant:
        return f"did you mean {' or '.join(meant)}?"
    return f"write {prefix}SECTION__KEY (config show --all has every key), or take it away if nothing else needs it"


def _nearest(name: str, known: Collection[str], percent: int) -> str | None:
    return next(iter(difflib.get_close_matches(name, sorted(known), 1, percent / 100)), None)


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _dotted(section_name: str, key_name: str) -> str:
    return f"{section_name}.{key_name}" if section_name else key_name
