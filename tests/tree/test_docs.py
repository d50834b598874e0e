"""What the pages and the docstrings name exists: files, links, and the code that a table sends a reader to."""

from __future__ import annotations

import ast
import functools
import re

import pytest

from tests.support import source

ROOT = source.ROOT
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FOLDERS = r"(?:bridge|broker|clients|tests|docs)"
PLACES = re.compile(
    rf"(?<![\w./:-]){FOLDERS}/[\w./-]*(?:\.[a-z]+\b|/(?![\w*<]))|(?<![\w./-])(?:[a-z][\w-]*/)*[a-z][\w-]*\.(?:py|md|sql)\b"
)
"""A file or folder of the repository, or the end of its path: `clients/box/`, `store/outbox.py`, `ids.py`."""
LINKS = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
SKIPPED = {"docs/map.md", "CHANGELOG.md"}
"""The map is compared with the docstrings as a whole; what was released is told as it was then."""


@functools.cache
def known():
    files = [path.relative_to(ROOT) for folder in FOLDERS[3:-1].split("|") for path in (ROOT / folder).rglob("*")]
    files += [path.relative_to(ROOT) for path in ROOT.iterdir()]
    return {"/".join(file.parts[start:]) for file in files for start in range(len(file.parts))}


def missing(text):
    return sorted({place.rstrip("/") for place in PLACES.findall(text) if "NNNN" not in place} - known())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page):
    text = page.read_text("utf-8")
    broken = [link for link in LINKS.findall(text) if not (page.parent / link).exists()]
    assert broken == []
    if str(page.relative_to(ROOT)) not in SKIPPED:
        assert missing(text) == []


def test_what_a_module_names_exists():
    named = {module: missing(path.read_text("utf-8")) for module, path in source.modules().items()}
    assert {module: places for module, places in named.items() if places} == {}


def test_what_is_missing_is_found():
    assert missing("see `store/outbox.py`, bridge/store/ and docs/rules.md, not bridge/stores/ or wires.py") == [
        "bridge/stores",
        "wires.py",
    ]


def questions():
    """The rows of the table of questions: the question, and each place as a file and the names that are in it."""
    table = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("| question |")[2].partition("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    return [
        (row[0].strip(), re.findall(r"`([\w/]+\.py)`([^`]*(?:`[\w.]+`[^`]*)*?)(?=`[\w/]+\.py`|$)", row[1]))
        for row in rows
    ]


@pytest.mark.parametrize(("question", "places"), questions())
def test_a_question_is_answered_by_two_files_at_most(question, places):
    assert 1 <= len(places) <= 2, question
    for file, told in places:
        defined = names_in(ROOT / file)
        named = re.findall(r"`([\w.]+)`", told)
        assert named, f"{file}: what is to be read there?"
        assert set(named) <= defined, file


def names_in(path):
    tree, names = ast.parse(path.read_text("utf-8")), set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{each.name}"
                for each in node.body
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names
