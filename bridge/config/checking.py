"""What can be told of a configuration from its text alone: keys that do not exist, values that cannot be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bridge.config.brokers_keys import BROKERS_KEYS, SWITCHES
from bridge.config.kinds import SWITCH
from bridge.config.section import declared, read
from bridge.config.settings import Settings
from bridge.config.together import clashes
from bridge.config.unusable import UnusableError, Wrong

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from bridge.config.lines import Key
    from bridge.config.problems import Problem
    from bridge.config.source import Source
    from bridge.config.together import Clash

Keys = dict[str, frozenset[str]]


def known() -> Keys:
    """Every key of bridge and broker by its section; those at the top of the file are in section ""."""
    sections: Keys = {"": frozenset()}
    for name, setting in declared(Settings).items():
        if setting.part is not None:
            sections[name] = frozenset(declared(setting.part)) | BROKERS_KEYS.get(name, frozenset())
        else:
            sections[""] |= {name}
    return sections


@dataclass(frozen=True, slots=True)
class Checked:
    """What is right and what is wrong: the latter is left out of `values`, and has its default in `settings`."""

    source: Source
    settings: Settings
    values: Mapping[str, Any]
    problems: tuple[Problem, ...]


def check(source: Source) -> Checked:
    """The settings, and all that is wrong with the text, in its order."""
    keys = known()
    values = _only_known(source.values, keys)
    wrong = list(_as_written(values, source.variables))
    wrong += _wrong(_without(values, {tuple(map(str, each.key)) for each in wrong}))
    bad = {tuple(str(part) for part in each.key[:2]) for each in wrong}
    right = _without(values, bad)
    settings = read(Settings, right)
    problems = [
        *source.problems,
        *_unknown(source, keys),
        *(source.problem(each.key, each.problem, each.cure, value=each.value) for each in wrong),
        *(
            _of_clash(source, clash)
            for clash in clashes(settings)
            if not bad & {clash.key, *clash.others, *((name,) for name, _ in clash.others)}
        ),
    ]
    return Checked(source, settings, right, in_order(problems))


def _of_clash(source: Source, clash: Clash) -> Problem:
    """Its place is that of the key, or, where nobody wrote that one, of what it does not go with."""
    problem = source.problem(clash.key, clash.problem, clash.cure, value=written(source.values, clash.key))
    stand_in = next((key for key in sorted(clash.others) if written(source.values, key) != ""), None)
    if written(source.values, clash.key) != "" or stand_in is None:
        return problem
    at = source.problem(stand_in, "", "")
    return replace(problem, file=at.file, line=at.line, variable=at.variable)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Those of the file by their lines, then those of variables."""
    return tuple(sorted(problems, key=lambda each: (each.variable, each.line or 0)))


def _unknown(source: Source, keys: Keys) -> Iterator[Problem]:
    """Sections and keys that neither bridge nor broker has."""
    for name, value in source.values.items():
        if name in keys and isinstance(value, dict):
            yield from (_no_such_key(source, name, key, keys) for key in value if key not in keys[name])
        elif name not in keys and name not in keys[""]:
            yield _no_such_section(source, name, keys)


def _no_such_key(source: Source, section: str, key: str, keys: Keys) -> Problem:
    from bridge.config import spelling  # noqa: PLC0415 - only for mistakes

    return source.problem((section, key), "no such key", spelling.key(key, section, keys))


def _no_such_section(source: Source, name: str, keys: Keys) -> Problem:
    from bridge.config import spelling  # noqa: PLC0415 - only for mistakes

    if isinstance(source.values[name], dict):
        return source.problem((name,), "no such section", spelling.section(name, keys), table=True)
    return source.problem((name,), "no such key", spelling.section(name, keys))


def _only_known(values: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """What is left to judge by its value."""
    there = {name: value for name, value in values.items() if name in keys or name in keys[""]}
    return {
        name: {key: inner for key, inner in value.items() if key in keys.get(name, ())}
        if isinstance(value, dict) and name in keys
        else value
        for name, value in there.items()
    }


def _as_written(values: Mapping[str, Any], variables: Collection[Key]) -> Iterator[Wrong]:
    """What the file may not say, and a variable may: those are texts, and typed where a command is run."""
    place = values.get("state_dir")
    if ("state_dir",) not in variables and isinstance(place, str) and place and not place.startswith(("/", "~")):
        problem = "another directory for each place that a command is run in"
        yield Wrong(("state_dir",), problem, "write its whole path, as /var/lib/postbell", place)
    for name, section in values.items():
        for key, value in section.items() if isinstance(section, dict) else ():
            in_other_words = isinstance(value, str | int) and not isinstance(value, bool)
            if in_other_words and (name, key) not in variables and _is_a_switch(name, key):
                yield Wrong((name, key), "neither true nor false", "write true or false without quotes", value)


def _wrong(values: Mapping[str, Any]) -> tuple[Wrong, ...]:
    """Each value that cannot be."""
    try:
        read(Settings, values)
    except UnusableError as error:
        return error.wrong
    return ()


def _is_a_switch(section: str, key: str) -> bool:
    """Whether it is true or false: a variable says that in many words, and by 0 and 1."""
    part = declared(Settings)[section].part
    setting = declared(part).get(key) if part is not None else None
    return (section, key) in SWITCHES or (setting is not None and setting.kind is SWITCH)


def _without(values: Mapping[str, Any], bad: set[tuple[str, ...]]) -> dict[str, Any]:
    return {
        name: {key: inner for key, inner in value.items() if (name, key) not in bad}
        if isinstance(value, dict)
        else value
        for name, value in values.items()
        if (name,) not in bad
    }


def written(values: Mapping[str, Any], key: tuple[str, ...]) -> object:
    """What file or variable say of a key; an empty text where they say nothing."""
    value: object = values
    for part in key:
        value = value.get(part, "") if isinstance(value, dict) else ""
    return value
