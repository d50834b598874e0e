"""Somebody who writes in a language that nobody listed: names, dates and words for fields and verbs.

Dates come from Babel in the form of each locale. Names, labels and verbs are words of the locale too, but none
that a mail program would use: names of regions and of languages. So nothing can know them as words.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING

from babel import Locale
from babel.dates import format_date, format_datetime, format_time

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_LANGUAGES = """
af am ar ar_EG az be bg bn bs ca cs cy da de el en en_GB es et eu fa fi fil fr fr_CA ga gl gu he hi hr hu hy id is it
ja ka kk km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl pa pl ps pt pt_PT ro ru si sk sl sq sr sv sw ta te th tr uk
ur uz vi zh zh_Hant zu
"""
LANGUAGES = tuple(_LANGUAGES.split())
ADDRESS = "per@example.net"


@dataclass(frozen=True)
class Voice:
    """Whose mail is answered (`name`), what is said (`own`) and was said (`asked`), and what the fields are called."""

    language: str
    name: str
    me: str
    verb: str
    other_verb: str
    own: str
    asked: str
    topic: str
    notice: str
    labels: tuple[str, ...]
    moment: datetime

    @property
    def box(self) -> str:
        return f"{self.name} <{ADDRESS}>"

    def date(self, form: str = "medium") -> str:
        return format_date(self.moment, form, locale=self.language)

    def time(self) -> str:
        return format_time(self.moment, "short", locale=self.language)

    def both(self, form: str = "medium") -> str:
        return format_datetime(self.moment, form, locale=self.language).replace("\u200b", "")

    def fields(self, order: str, moment: str) -> list[tuple[str, str]]:
        """The fields of a header block, each with its label."""
        values = {"from": self.box, "date": moment, "to": f"{self.me} <nora@example.org>", "subject": self.topic}
        return [(label, values[field]) for label, field in zip(self.labels, order.split(), strict=False)]


ORDERS: dict[str, Callable[[Voice], str]] = {
    "verb date, name wrote": lambda v: f"{v.other_verb} {v.both('full')}, {v.box} {v.verb}:",
    "date, name": lambda v: f"{v.date()} {v.time()}, {v.box}:",
    "name wrote date": lambda v: f"{v.box} {v.verb} {v.date('full')} {v.time()}:",
    "date wrote name": lambda v: f"{v.other_verb} {v.date('short')} {v.time()} {v.verb} {v.box}:",
    "name, date, wrote": lambda v: f"{v.box}, {v.date()}, {v.time()} {v.verb} {v.other_verb}:",
    "ISO date, name": lambda v: f"{v.moment:%Y-%m-%d %H:%M} GMT+03:00 {v.box}:",
    "address in brackets": lambda v: f"{v.other_verb} {v.both()}, {v.name} ({ADDRESS}) {v.verb}:",
    "only the name": lambda v: f"{v.other_verb} {v.date('long')} {v.time()}, {v.name} {v.verb}:",
    "quoted name": lambda v: f'{v.other_verb} {v.date("short")} {v.time()}, "{v.name}" <{ADDRESS}> {v.verb}:',
    "a colon of its own": lambda v: f"{v.box} {v.both('long')} {v.verb}：",
    "only the address": lambda v: f"{v.both('short')}, {ADDRESS} {v.verb} :",
}
"""Attributions: the orders in which programs put date, name and verb."""


def speaking(language: str, chance: random.Random) -> Voice:
    """One voice in a language, by chance."""
    regions, languages = _words(language)

    def words(most: int, least: int = 1) -> str:
        return " ".join(chance.sample(regions, chance.randint(least, most)))

    zone = timezone(timedelta(hours=chance.randint(-5, 9)))
    day = datetime(chance.randint(2019, 2026), chance.randint(1, 12), chance.randint(1, 28), tzinfo=zone)
    return Voice(
        language,
        name=words(2),
        me=words(1),
        verb=chance.choice(languages),
        other_verb=chance.choice(languages),
        own=words(4) + chance.choice([".", "!", "", "。"]),
        asked=words(5, least=2) + chance.choice(["?", ".", ""]),
        topic=words(2, least=2),
        notice=f"{chance.choice(languages)} {chance.choice(regions)}",
        labels=tuple(chance.sample(languages, 4)),
        moment=day + timedelta(seconds=chance.randrange(86_400)),
    )


def wrapped(line: str, chance: random.Random) -> str:
    """An attribution as it is sent: on one line, or broken where programs break lines."""
    words = line.split(" ")
    if len(words) < 4 or chance.random() < 0.5:
        return line
    at = chance.choice([place for place, word in enumerate(words) if "@" in word] or [len(words) - 1])
    broken = " ".join(words[:at]) + "\n" + " ".join(words[at:])
    return broken.replace(f"<{ADDRESS}", f"<\n{ADDRESS}", 1) if chance.random() < 0.2 else broken


@cache
def _words(language: str) -> tuple[list[str], list[str]]:
    """Names of regions, and of languages, that are of letters alone."""
    locale = Locale.parse(language)
    names = locale.territories.values(), locale.languages.values()
    regions, languages = (sorted(set(filter(_of_letters, kind))) for kind in names)
    return regions, languages


def _of_letters(name: str) -> bool:
    signs = '()[],;:.!?<>|/\\@"-'
    return 2 <= len(name) <= 18 and not any(
        sign in signs or sign.isdigit() or unicodedata.category(sign) == "Cf" for sign in name
    )
