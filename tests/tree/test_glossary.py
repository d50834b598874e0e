"""docs/glossary.md is true: a word stands where it says, and only there if it says so; what was given up is gone."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.support import source

PAGE = source.ROOT / "docs" / "glossary.md"


def table(heading):
    section = PAGE.read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    assert len(rows) > 3
    return rows[1:]


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def parts(name):
    """The words that a name is made of: `_SmtpUplink2_s` is smtp, uplink, 2 and s."""
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)}


NAMING = {
    *(ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.arg, ast.Name, ast.Attribute),
    *(ast.Call, ast.MatchAs, ast.MatchStar, ast.alias),
}


@cache
def words_of(module):
    """The words in the names that a module gives: of itself, of classes, functions, arguments, keywords and variables.

    Keywords of timedelta are Python's.
    """
    names = {module.rpartition(".")[2]}
    for node in ast.walk(source.tree(module)):
        if type(node) not in NAMING:
            continue
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.Call(func=ast.Name(id="timedelta") | ast.Attribute(attr="timedelta")):
                pass
            case ast.Call(keywords=keywords):
                names |= {keyword.arg for keyword in keywords if keyword.arg}
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.alias(asname=str(name)):
                names.add(name)
    return set().union(*map(parts, names))


def squeezed(text):
    """Lower case, without what is between words: as prose, as a name and as a file name a word is the same."""
    return re.sub(r"[\s_]+", "", text.lower())


def modules_in(places):
    """The modules in files and folders; each has to be there."""
    found = set()
    for place in places:
        assert (source.ROOT / place).exists(), place
        found |= {
            module
            for module, path in source.modules().items()
            if path == source.ROOT / place or (source.ROOT / place) in path.parents
        }
    assert found
    return found


@pytest.mark.parametrize("row", table("Words"), ids=lambda row: row[0].strip("*"))
def test_a_word_stands_in_the_file_that_it_names(row):
    word, meaning, where = row
    (place,) = quoted(where)
    assert squeezed(word.strip("*")) in squeezed(place + (source.ROOT / place).read_text("utf-8"))
    assert meaning.endswith(".")


def test_words_are_in_order_and_told_once():
    words = [row[0].strip("*").lower().replace(" ", "") for row in table("Words")]
    assert words == sorted(set(words))


@pytest.mark.parametrize("row", table("One word, one thing"), ids=lambda row: row[0])
def test_a_word_means_one_thing(row):
    words, allowed = set(quoted(row[0])), modules_in(quoted(row[1]))
    used = {module: words & words_of(module) for module in source.modules()}
    assert {module: found for module, found in used.items() if found and module not in allowed} == {}
    assert any(used.values()), "nothing is called so any more"


@pytest.mark.parametrize("row", table("Words that were given up"), ids=lambda row: row[0])
def test_a_word_that_was_given_up_is_gone(row):
    words = set(quoted(row[0]))
    found = {module: words & words_of(module) for module in modules_in(quoted(row[2]))}
    assert {module: names for module, names in found.items() if names} == {}


PROSE = sorted(
    path
    for folder in (*source.PROGRAMS, "docs")
    for path in (source.ROOT / folder).rglob("*")
    if path.suffix in {".py", ".md"} and path != PAGE
)


def test_a_word_with_a_star_is_not_written_either():
    for row in table("Words that were given up"):
        (word, *_) = quoted(row[0])
        found = re.compile(rf"\b{word}s?\b", re.IGNORECASE)
        if "*" in row[0]:
            assert [str(path.relative_to(source.ROOT)) for path in PROSE if found.search(path.read_text("utf-8"))] == []


SETTINGS = {"bridge.config.sections", "bridge.config.settings", "broker.settings"}
OF_A_LIBRARY = {("bridge.ingress.connection", "duration")}


def fractions(tree):
    """The names in a module that are annotated as a float, also one that may be missing or those of a mapping."""
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as kind):
                found = name, kind
            case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name), annotation=kind):
                found = name, kind
            case ast.FunctionDef(name=name, returns=ast.expr() as kind):
                found = name, kind
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=float())):
                found = name, ast.Name("float")
            case _:
                continue
        if ast.unparse(found[1]) in {"float", "float | None", "dict[str, float]"}:
            yield found[0]


def test_a_time_ends_in_its_unit():
    section = PAGE.read_text("utf-8").partition("## Times\n")[2].partition("\n## ")[0]
    told = {unit.removeprefix("_") for row in table("Times") for unit in quoted(row[0])}
    others = set(quoted(section.rpartition("|")[2]))
    assert "rate" in others
    found = [(module, name) for module in source.modules() for name in fractions(source.tree(module))]
    assert len(found) > 100
    assert [
        (module, name)
        for module, name in found
        if module not in SETTINGS
        and (module, name) not in OF_A_LIBRARY
        and name.strip("_").lower().rpartition("_")[2] not in told
        and not name.endswith(tuple(others))
    ] == []


def test_fractions_are_found():
    lines = (
        "WAIT = 1.0",
        "age: float",
        "def f(rest: float | None, n: int) -> float:",
        "    self.x: dict[str, float] = {}",
    )
    assert set(fractions(ast.parse("\n".join(lines)))) == {"WAIT", "age", "f", "rest", "x"}


def classes():
    """The files in which each public class stands; the client of a microcontroller is a file of its own."""
    found = {}
    for module, path in source.modules().items():
        if module.startswith("clients.micropython"):
            continue
        for node in source.tree(module).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, set()).add(str(path.relative_to(source.ROOT)))
    return found


def test_a_name_that_stands_twice_is_told():
    twice = {name: files for name, files in classes().items() if len(files) > 1}
    rows = table("The same name twice")
    differ = {quoted(row[0])[0]: set(quoted(row[1]) + quoted(row[2])) for row in rows}
    assert differ == {name: twice.get(name) for name in differ}
    section = PAGE.read_text("utf-8").partition("## The same name twice\n")[2].partition("\n## ")[0]
    same = {name for name in quoted(section.rpartition("|")[2]) if "/" not in name}
    assert same | differ.keys() == twice.keys()
    assert not same & differ.keys()


def test_names_are_taken_apart():
    assert parts("_SmtpUplink2_s") == {"smtp", "uplink", "2", "s"}
    assert parts("make_TLSContext") == {"make", "tls", "context"}
