"""The product's source as data: which modules there are, what they say of themselves, whom they import."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("bridge", "broker", "clients")


@cache
def modules() -> dict[str, Path]:
    """Every module and package of the product by its dotted name, in order; a package stands before what is in it."""
    found = {}
    for program in PROGRAMS:
        for path in (ROOT / program).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return dict(sorted(found.items()))


@cache
def tree(module: str) -> ast.Module:
    """The module, parsed."""
    return ast.parse(modules()[module].read_text("utf-8"))


def is_package(module: str) -> bool:
    """Whether the module is a package."""
    return modules()[module].name == "__init__.py"


def imports(module: str) -> set[str]:
    """The modules of the product that a module names in its imports, those for type checking and late ones too."""
    named = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{module} has a relative import, which is not read here"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= inner & modules().keys()
            named |= {node.module} if inner - modules().keys() else set()
    return (named & modules().keys()) - {module}


def room(module: str) -> str:
    """The package that a module is in; what lies beside the packages of a program is a room of its own."""
    package, _, _ = module.rpartition(".")
    return module if is_package(module) or package in PROGRAMS else package


def layers() -> list[str]:
    """The bridge's layers as they are checked, from the top; rooms of one layer are parted by ` | `."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    found: list[str]
    (found,) = (each["layers"] for each in contracts if each["type"] == "layers" and each["containers"] == ["bridge"])
    return found


def circle(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """A path along the arrows that ends where it begins; empty when there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []
