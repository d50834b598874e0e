"""A change of a user's rules, as the command line asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.rules import pattern
from bridge.rules.rules import Rules, RulesError, plain, read
from bridge.rules.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Change:
    """Additions and removals in any spelling; None leaves a rule as it is, an empty text takes it away."""

    mute: tuple[str, ...] = ()
    remove_mute: tuple[str, ...] = ()
    vip: tuple[str, ...] = ()
    remove_vip: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    remove_quiet: tuple[str, ...] = ()
    zone: str | None = None
    hide: str | None = None
    rate: str | None = None


def changed(rules: Rules, change: Change) -> Rules:
    """The rules after a change; raises RulesError. To add twice is no error, to remove what is not there is one."""
    values = plain(rules)
    for kind, canonical, added, removed in (
        ("mute", pattern.canonical, change.mute, change.remove_mute),
        ("vip", pattern.canonical, change.vip, change.remove_vip),
        ("quiet", lambda text: str(Span.parse(text)), change.quiet, change.remove_quiet),
    ):
        unwanted = {_canonical(kind, text, canonical) for text in removed}
        for text in sorted(unwanted.difference(values[kind])):
            raise RulesError(f"{kind}: there is no {text!r} to remove")
        values[kind] = (*(value for value in values[kind] if value not in unwanted), *added)
    for key in ("zone", "hide", "rate"):
        if getattr(change, key) is not None:
            values[key] = getattr(change, key)
    return read(values)


def _canonical(kind: str, text: str, canonical: Callable[[str], str]) -> str:
    try:
        return canonical(text)
    except ValueError as error:
        raise RulesError(f"{kind} = {text!r}: {error}") from error
