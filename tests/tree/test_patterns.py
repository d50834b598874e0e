"""No pattern uses what Python 3.11.0 to 3.11.4 match wrongly: possessive quantifiers over a group.

`(?:ab?c)*+` matches where `(?:ab?c)*` does not (cpython gh-106052, gh-100061); over one character or
class they are right. Debian 12 and Raspberry Pi OS 12 have such a Python.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re

import pytest

from tests.support import source

PARSER = importlib.import_module("re._parser")
POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{\d*,?\d*\})\+")
ONE_CHARACTER = {"LITERAL", "NOT_LITERAL", "IN", "ANY", "CATEGORY"}


def constants(tree: ast.Module):
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value
            yield node.lineno, value.decode("latin-1") if isinstance(value, bytes) else value


def compiled():
    """Every pattern that a module keeps."""
    for package in source.PROGRAMS:
        for module in pkgutil.walk_packages([str(source.ROOT / package)], f"{package}."):
            if not module.name.endswith("__main__"):
                for name, value in vars(importlib.import_module(module.name)).items():
                    if isinstance(value, re.Pattern):
                        yield f"{module.name}.{name}", value


def possessive_groups(pattern: re.Pattern) -> int:
    """How many possessive quantifiers the parsed pattern has over more than one character."""

    def count(node) -> int:
        if isinstance(node, PARSER.SubPattern | list):
            return sum(map(count, node))
        if isinstance(node, tuple):
            found = sum(map(count, node))
            if str(node[0]) == "POSSESSIVE_REPEAT":
                item = node[1][2]
                found += not (len(item) == 1 and str(item[0][0]) in ONE_CHARACTER)
            return found
        return 0

    return count(PARSER.parse(pattern.pattern, pattern.flags & ~re.LOCALE))


def test_no_string_quantifies_a_group_possessively():
    found = [
        (module, line, value)
        for module in source.modules()
        for line, value in constants(source.tree(module))
        if POSSESSIVE_GROUP.search(value)
    ]
    assert found == []


def test_no_pattern_quantifies_a_group_possessively():
    patterns = dict(compiled())
    assert len(patterns) > 60
    assert [name for name, pattern in patterns.items() if possessive_groups(pattern)] == []


@pytest.mark.parametrize("wrong", [r"(?:ab?c)*+", r"(ab)++", r"((?:a)?+b|c){2,}+", r"x(?:(?!C).){1,3}+", "(?:^a|b)?+"])
def test_such_a_pattern_would_be_found(wrong):
    assert POSSESSIVE_GROUP.search(wrong)
    assert possessive_groups(re.compile(wrong)) > 0


@pytest.mark.parametrize("right", [r"a*+", r"[ab]++", r"(?:a[^\n]*+)*", r"\d{2,3}+", r".?+", r"\)++", r"(?>(?:ab)*)"])
def test_such_a_pattern_is_right_everywhere(right):
    assert not POSSESSIVE_GROUP.search(right)
    assert possessive_groups(re.compile(right)) == 0
