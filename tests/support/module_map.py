"""Writes docs/map.md from the modules' docstrings: `python -m tests.support.module_map`, or `make map`."""

from __future__ import annotations

import ast
import re

from tests.support import source

PAGE = source.ROOT / "docs" / "map.md"
_INTRODUCTION = """\
# The map: every module in a sentence

Written by `make map` from the first line of each module's docstring: change it there. How the rooms belong together
is told in [architecture.md](architecture.md), and what the words mean in [glossary.md](glossary.md).
"""


def page() -> str:
    """The text of docs/map.md as the docstrings have it."""
    modules = source.modules()
    lines = [_INTRODUCTION]
    for package in filter(source.is_package, modules):
        path = modules[package].parent.relative_to(source.ROOT)
        inside = [each for each in modules if each.rpartition(".")[0] == package and not source.is_package(each)]
        lines += [f"## `{path}/`\n", sentence(package) + "\n"]
        if inside:
            lines += ["| module | |", "|---|---|"]
            lines += [
                f"| [`{modules[each].name}`](../{path}/{modules[each].name}) | {sentence(each)} |" for each in inside
            ]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def sentence(module: str) -> str:
    """What the module says of itself: the first paragraph of its docstring, on one line."""
    docstring = ast.get_docstring(source.tree(module)) or ""
    return re.sub(r"\s+", " ", docstring.partition("\n\n")[0]).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
