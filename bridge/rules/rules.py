"""One user's rules, frozen, and the JSON document that the store keeps of them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    model_validator,
)

from bridge.errors import ConfigurationError
from bridge.rules.hide import Hide
from bridge.rules.pattern import canonical
from bridge.rules.rate import Rate
from bridge.rules.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_PATTERNS = 1000
MOST_SPANS = 50


class RulesError(ConfigurationError):
    """Rules that cannot be read or set; the text names the rule, its value, and what to write instead."""


def _span(value: Any) -> Span:
    return value if isinstance(value, Span) else Span.parse(_text(value))


def _rate(value: Any) -> Rate | None:
    if value is None or isinstance(value, Rate):
        return value
    return Rate.parse(text) if (text := _text(value)) else None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("write it as text")  # noqa: TRY004 - pydantic takes a ValueError for a bad value
    return value


def _zone(text: str) -> str:
    if text:
        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a directory, "Europe"
            raise ValueError("this system knows no such time zone; write it as Europe/Berlin") from error
    return text


def _sorted(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(set(values)))


Patterns = Annotated[
    tuple[Annotated[str, AfterValidator(canonical)], ...], Field(max_length=MOST_PATTERNS), AfterValidator(_sorted)
]
Spans = Annotated[
    tuple[Annotated[Span, PlainValidator(_span), PlainSerializer(str)], ...],
    Field(max_length=MOST_SPANS),
    AfterValidator(_sorted),
]


class Rules(BaseModel):
    """One user's rules; what `docs/rules.md` calls them. Spans and rate are text in the document.

    `mute` and `vip` are patterns in their canonical spelling, `zone` a name of the tz database or
    empty where there are no quiet hours, `rate` None where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mute: Patterns = ()
    vip: Patterns = ()
    quiet: Spans = ()
    zone: Annotated[str, AfterValidator(_zone)] = ""
    hide: Hide = Hide.NOTHING
    rate: Annotated[
        Rate | None, PlainValidator(_rate), PlainSerializer(lambda rate: "" if rate is None else str(rate))
    ] = None

    @model_validator(mode="after")
    def _knows_when(self) -> Self:
        if self.quiet and not self.zone:
            raise ValueError("quiet hours need a time zone: --zone Europe/Berlin")
        return self


SAFEST = Rules(hide=Hide.SUBJECT)
"""For a user whose rules cannot be read: rather a ring too many and a word too few."""


@lru_cache(maxsize=1024)
def parse(document: str) -> Rules:
    """The rules in a document of the store; raises RulesError. Cached: it is read again for each message."""
    try:
        return Rules.model_validate_json(document)
    except ValidationError as error:
        raise RulesError(f"the rules cannot be read: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """The first thing that is wrong: which rule, its value, and what to write instead."""
    problem = error.errors(include_url=False)[0]
    advice = problem["msg"].removeprefix("Value error, ")
    return f"{problem['loc'][0]} = {problem['input']!r}: {advice}" if problem["loc"] else advice
