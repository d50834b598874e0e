"""Sections of a configuration: what is declared, what is said, and what comes of it."""

from __future__ import annotations

import itertools
from dataclasses import FrozenInstanceError, dataclass, replace

import pytest

from bridge.config.kinds import NUMBER, TEXTS, WHOLE
from bridge.config.section import Section, SharedSection, declared, key, part, read, value, values
from bridge.config.unusable import UnusableError

numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pond(Section):
    ducks: int = key(WHOLE, 3, "How many.", ge=1, le=9)
    depth: float = key(NUMBER, 1, "How deep.", gt=0)
    names: tuple[str, ...] = key(TEXTS, (), "Their names.")
    number: int = key(WHOLE, lambda: next(numbers), "Which pond.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shore(SharedSection):
    length: int = key(WHOLE, 5, "How long.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Park(Section):
    pond: Pond = part("pond", Pond)
    shore: Shore = part("shore", Shore)


def wrong(section, **said):
    with pytest.raises(UnusableError) as told:
        read(section, said)
    return [(each.key, each.problem, each.cure, each.value) for each in told.value.wrong]


def test_what_is_not_said_has_its_default():
    assert values(read(Pond, {"number": 7})) == {"ducks": 3, "depth": 1, "names": (), "number": 7}
    first, second = read(Pond, {}), read(Pond, {})
    assert second.number == first.number + 1, "one that is a function is asked each time"
    assert read(Shore, {}) == Shore()


def test_what_is_said_is_read_and_held_within_its_bounds():
    assert read(Pond, {"ducks": "9", "names": "Ann, Ben"}).names == ("Ann", "Ben")
    assert wrong(Pond, names=["Ann", 7], depth=0, ducks=0) == [
        (("ducks",), "too small", "write 1 or more", 0),
        (("depth",), "too small", "write more than 0", 0),
        (("names", 1), "not a text", 'write it in quotes, as "this"', 7),
    ]
    assert wrong(Pond, ducks=10) == [(("ducks",), "too large", "write 9 or less", 10)]


def test_an_unknown_key_is_refused_or_left_to_others():
    assert wrong(Pond, geese=1) == [(("geese",), "no such key", "leave it out", 1)]
    assert read(Shore, {"width": "as written"}).others == {"width": "as written"}


def test_a_value_is_found_by_its_name_whoever_reads_it():
    shore = read(Shore, {"length": "7", "width": "8"})
    assert [value(shore, name) for name in ("length", "width", "depth")] == [7, "8", None]
    assert value(Pond(), "ducks") == 3
    assert value(Pond(), "geese") is None


def test_sections_are_within_another():
    park = read(Park, {"pond": {"ducks": 4, "number": 0}, "shore": Shore(length=2, others={"width": 1})})
    assert (park.pond.ducks, park.shore.length, park.shore.others) == (4, 2, {"width": 1})
    assert Park().shore == Shore()
    assert [setting.part for setting in declared(Park).values()] == [Pond, Shore]
    assert wrong(Park, pond={"names": [7], "ducks": "x"}, shore=3) == [
        (("pond", "ducks"), "not a whole number", "write one, as 100", "x"),
        (("pond", "names", 0), "not a text", 'write it in quotes, as "this"', 7),
        (("shore",), "not a section", "write [shore] alone on a line, and below it key = value", 3),
    ]
    with pytest.raises(UnusableError, match=r"^pond\.ducks: too small; write 1 or more$"):
        read(Park, {"pond": {"ducks": 0}})


def test_what_was_read_is_read_again_as_it_is():
    park = read(Park, {"pond": {"ducks": 4, "names": "Ann"}, "shore": {"width": 1}})
    assert read(Park, values(park)) == park
    assert read(Pond, values(park.pond)) == park.pond


def test_two_with_the_same_values_are_the_same():
    assert Pond(number=1) == Pond(number=1) != Pond(number=2)
    assert read(Shore, {"width": 1}) != read(Shore, {"width": 2})
    assert len({Pond(number=1), Pond(number=1), Pond(number=2), read(Shore, {"width": 1})}) == 3


def test_values_do_not_change():
    pond = Pond(number=1)
    with pytest.raises(FrozenInstanceError, match="ducks"):
        pond.ducks = 4  # type: ignore[misc]
    assert (replace(pond, ducks=4).ducks, pond.ducks) == (4, 3)
