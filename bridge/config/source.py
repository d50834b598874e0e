"""Where the configuration comes from: a TOML file and the variables over it, merged, and where each value stands."""

from __future__ import annotations

import os
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bridge.config.lines import Key, lines_of
from bridge.config.problems import Problem, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

PREFIX: Final = "POSTBELL_"
_NO_KEYS = frozenset(
    PREFIX + name for name in ("CONFIG", "DEBUG", "ID", "PASSWORD", "PROGRAM", "URL")
)  # they are for commands
_LINKS = re.compile(r"(?:\w+_)?SERVICE_(?:HOST|PORT)\w*|(?:\w+_)?PORT_\d+\w*|PORT|IMAGE_\w+")
"""What containers get for a service or an image of our name: nobody meant a key by them."""
_MOST = 100
_TWICE = ("overwrite", "declare", "mutate", "namespace")  # tomllib's words for what is there already
_AT_LINE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column \d+|end of document)\)")
_LINE_OF_A_PAIR = re.compile(r"""\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.[^=]*)?\s*=(?P<value>.*)""")


@dataclass(frozen=True, kw_only=True)
class Source:
    """The merged values of a configuration, and where they are from.

    `text` is the file without the lines that are no TOML, so that the others can be judged as well. `strangers` are
    variables with our prefix that set nothing: they may be another program's, and keep nothing from running.
    """

    path: Path | None = None
    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    strangers: tuple[Problem, ...] = ()

    def problem(self, key: Key, problem: str, cure: str, *, value: object = None, table: bool = False) -> Problem:
        """A mistake in the value of a key, with its place; `table` where the whole section is meant."""
        dotted = ".".join(str(part) for part in key)
        told = shown(value, key=dotted) if _is_plain(value) else ""
        variable = self.variables.get(tuple(str(part) for part in key[:2]), "")
        if variable:
            return Problem(problem, cure, key=dotted, value=told, variable=variable)
        return Problem(
            problem,
            cure,
            key=f"[{dotted}]" if table else dotted,
            value=told,
            file=str(self.path or ""),
            line=self.line(key),
        )

    def place(self, key: Key) -> str:
        """Where a key has its value from: a variable, the file with the line, or `default`."""
        variable = self.variables.get(tuple(str(part) for part in key[:2]), "")
        line = lines_of(self.text).get(key)
        return variable or (f"{self.path}:{line}" if line else "default")

    def line(self, key: Key) -> int | None:
        """The line of a key in the file, or of the nearest thing around it that stands there."""
        lines = lines_of(self.text)
        return next((lines[key[:size]] for size in range(len(key), 0, -1) if key[:size] in lines), None)


def _is_plain(value: object) -> bool:
    """Whether a value can be shown in a line; tables are not."""
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    return value is not None and not isinstance(value, dict)


def read(path: Path | None, environ: Mapping[str, str], known: Mapping[str, Collection[str]]) -> Source:
    """The file with the variables over it; `known` has the keys of each section, "" those at the top of the file.

    Lines that are no TOML, and a file that cannot be read, are among its problems.
    """
    text, problems = "", []
    values: dict[str, Any] = {}
    if path is not None:
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            problems.append(Problem(f"cannot be read: {error.strerror}", _cure(error), file=str(path)))
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            problems.append(Problem("not UTF-8", "save the file as UTF-8", file=str(path), line=line))
        text, values, broken = _parsed(text, str(path))
        problems += broken
    variables, wrong = _override(values, environ, known)
    return Source(
        path=path,
        text=text,
        values=values,
        variables=variables,
        problems=(*problems, *(each for each in wrong if not each.may_pass)),
        strangers=tuple(each for each in wrong if each.may_pass),
    )


def _cure(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "give it to the group of the user that runs Postbell, with mode 0640, or run this as one who may read it"
    return "mend it, or name another with --config"


def _parsed(text: str, file: str) -> tuple[str, dict[str, Any], list[Problem]]:
    """The text without its broken lines, its values, and what is wrong with those lines."""
    problems: list[Problem] = []
    rows = text.split("\n")
    while True:
        try:
            text = "\n".join(rows)
            return text, tomllib.loads(text), problems
        except tomllib.TOMLDecodeError as error:
            told = str(error)
        place = _AT_LINE.search(told)
        ends = place is None or place["line"] is not None
        line = int(place["line"]) if place and place["line"] else _begin_of_what_does_not_end(rows)
        row = rows[line - 1]
        problems.append(Problem(*_no_toml(_AT_LINE.sub("", told), row), file=file, line=line))
        if not ends:
            rows = rows[: line - 1]
        elif _LINE_OF_A_PAIR.fullmatch(row) and len(problems) < _MOST:
            rows[line - 1] = ""
        else:  # what stands below belongs to a section that nobody knows
            return "", {}, problems


def _begin_of_what_does_not_end(rows: list[str]) -> int:
    """The line up to which a text is TOML, where the reader came to the end of it and wanted more."""
    for line in range(len(rows), 0, -1):
        with suppress(tomllib.TOMLDecodeError):
            tomllib.loads("\n".join(rows[: line - 1]))
            return line
    return 1


def _no_toml(told: str, row: str) -> tuple[str, str]:
    """What is wrong with a line, and the cure; the line itself may hold a password, and is not shown."""
    pair = _LINE_OF_A_PAIR.fullmatch(row)
    if any(word in told for word in _TWICE):
        return "not TOML: a key or section that was there before", "remove one of the two"
    if pair is None and row.lstrip().startswith("["):
        return "not TOML: a section that does not end as it should", "write it as [smtp], alone on its line"
    if pair is None:
        return f"not TOML: {told[:1].lower()}{told[1:]}", "write key = value, or begin the line with # for a comment"
    value = pair["value"].strip()
    if value.lower() in {"true", "false", "yes", "no", "on", "off"}:
        return "not TOML: neither true nor false", "write true or false, in small letters and without quotes"
    if value[:1] in {"'", '"', "[", "{"}:
        cure = "look for a quote or a bracket that is missing or too many"
        return "not TOML: a value that does not end as it should", cure
    return "not TOML: a value that is none", 'write a text in quotes, as "127.0.0.1:25", or a number'


def _override(
    values: dict[str, Any], environ: Mapping[str, str], known: Mapping[str, Collection[str]]
) -> tuple[dict[tuple[str, ...], str], list[Problem]]:
    """Put POSTBELL_SECTION__KEY and POSTBELL_KEY over what the file says; which variable each key is from."""
    variables: dict[tuple[str, ...], str] = {}
    problems = []
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in _NO_KEYS:
            continue
        section, nested, key = variable.removeprefix(PREFIX).lower().partition("__")
        if not nested and section in known[""]:
            values[section], variables[section,] = value, variable
        elif not nested and section in known:
            cure = f"write {variable}__KEY for one of its keys"
            problems.append(Problem("a whole section", cure, value=shown(value), variable=variable))
        elif section and section in known:
            there = values.get(section, {})
            if isinstance(there, dict):
                values[section] = {**there, key: value}
                variables[section, key] = variable
        else:
            problems += _no_such_variable(variable, known)
    return variables, problems


def _no_such_variable(variable: str, known: Mapping[str, Collection[str]]) -> Iterator[Problem]:
    """A variable that sets nothing. One with a single part that is like none of ours may be somebody else's."""
    from bridge.config import spelling  # noqa: PLC0415 - only for mistakes

    every = {variable_of((section, key) if section else (key,)) for section, keys in known.items() for key in keys}
    meant = spelling.variable(variable, every, prefix=PREFIX)
    name = variable.removeprefix(PREFIX)
    section, nested, _ = name.lower().partition("__")
    if meant:
        yield Problem("no such variable", f"did you mean {meant}?", variable=variable)
    elif nested:
        yield Problem("no such section", spelling.section(section, known), key=section, variable=variable)
    elif not _LINKS.fullmatch(name):
        cure = spelling.stranger(name, every, prefix=PREFIX)
        yield Problem("no such variable, and nothing is set by it", cure, variable=variable, may_pass=True)


def variable_of(key: tuple[str, ...]) -> str:
    """The variable that overrides a key."""
    return PREFIX + "__".join(key).upper()


def variable_in(key: Key, environ: Mapping[str, str] = os.environ) -> str:
    """The variable that overrides a key now; empty when none does."""
    variable = variable_of(tuple(str(part) for part in key[:2]))
    return variable if variable in environ else ""
