"""One user's rules, frozen, and the JSON document that the store keeps of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.errors import ConfigurationError
from bridge.rules.hide import Hide
from bridge.rules.pattern import canonical
from bridge.rules.rate import Rate
from bridge.rules.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_PATTERNS = 1000
MOST_SPANS = 50


class RulesError(ConfigurationError):
    """Rules that cannot be read or set; the text names the rule, its value, and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One user's rules; what `docs/rules.md` calls them.

    `mute` and `vip` are patterns in their canonical spelling, `zone` a name of the tz database or
    empty where there are no quiet hours, `rate` None where there is none. What somebody said becomes rules by `read`.
    """

    mute: tuple[str, ...] = ()
    vip: tuple[str, ...] = ()
    quiet: tuple[Span, ...] = ()
    zone: str = ""
    hide: Hide = Hide.NOTHING
    rate: Rate | None = None


SAFEST = Rules(hide=Hide.SUBJECT)
"""For a user whose rules cannot be read: rather a ring too many and a word too few."""


@lru_cache(maxsize=1024)
def parse(document: str) -> Rules:
    """The rules in a document of the store; raises RulesError. Cached: it is read again for each message."""
    try:
        said = json.loads(document)
        return read(_object(said))
    except (ValueError, RecursionError, RulesError) as error:
        raise RulesError(f"the rules cannot be read: {error}") from error


def _object(said: object) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise RulesError("they are no object of JSON")
    return said


def read(said: Mapping[str, Any]) -> Rules:
    """The rules of what somebody said of each, in any spelling; raises RulesError with the first that is none."""
    values = {}
    for name, value in said.items():
        if name not in _READERS:
            raise RulesError(f"there is no rule {name!r}")
        try:
            values[name] = _READERS[name](value)
        except ValueError as error:
            raise RulesError(f"{name} = {_culprit(error, value)!r}: {error.args[0]}") from error
    rules = Rules(**values)
    if rules.quiet and not rules.zone:
        raise RulesError("quiet hours need a time zone: --zone Europe/Berlin")
    return rules


def plain(rules: Rules) -> dict[str, Any]:
    """The rules as JSON has them, spans and rate as text: what `read` takes."""
    told = {each.name: getattr(rules, each.name) for each in fields(rules)}
    return told | {"quiet": [str(span) for span in rules.quiet], "rate": "" if rules.rate is None else str(rules.rate)}


def document(rules: Rules) -> str:
    """What `parse` reads."""
    return json.dumps(plain(rules), ensure_ascii=False, separators=(",", ":"))


def _several(reader: Callable[[str], Any], most: int) -> Callable[[object], tuple[Any, ...]]:
    """What reads a list of things, in order and each once."""

    def read_all(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError("write them as a list")  # noqa: TRY004 - as every reader
        if len(value) > most:
            raise ValueError(f"there may be {most}", f"{len(value)} of them")
        return tuple(sorted({_within(reader, each) for each in value}))

    return read_all


def _within(reader: Callable[[str], Any], value: object) -> Any:
    """One thing of a list; its refusal has the thing as well."""
    try:
        return reader(_text(value))
    except ValueError as error:
        raise ValueError(error.args[0], value) from error


def _culprit(error: ValueError, value: object) -> object:
    """What was refused: the whole value, or what a refusal names of it."""
    return error.args[1] if len(error.args) > 1 else value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("write it as text")  # noqa: TRY004 - as every reader
    return value


def _zone(value: object) -> str:
    text = _text(value)
    if text:
        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a directory, "Europe"
            raise ValueError("this system knows no such time zone; write it as Europe/Berlin") from error
    return text


def _hide(value: object) -> Hide:
    try:
        return Hide(_text(value))
    except ValueError:
        raise ValueError(f"write {', '.join(Hide)}") from None


def _rate(value: object) -> Rate | None:
    return Rate.parse(text) if value is not None and (text := _text(value)) else None


_READERS: dict[str, Callable[[Any], Any]] = {
    "mute": _several(canonical, MOST_PATTERNS),
    "vip": _several(canonical, MOST_PATTERNS),
    "quiet": _several(Span.parse, MOST_SPANS),
    "zone": _zone,
    "hide": _hide,
    "rate": _rate,
}
