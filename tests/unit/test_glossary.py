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


@cache
def words_of(module):
    """The words in the names that a module gives: its own, and those of classes, functions, arguments and variables."""
    names = {module.rpartition(".")[2]}
    for node in ast.walk(source.tree(module)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
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


def test_names_are_taken_apart():
    assert parts("_SmtpUplink2_s") == {"smtp", "uplink", "2", "s"}
    assert parts("make_TLSContext") == {"make", "tls", "context"}
