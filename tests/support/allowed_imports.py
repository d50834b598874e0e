"""Contracts for import-linter: what a pure module may name, and nothing else; and no import by a name made at run time.

import-linter's own contracts forbid what somebody thought of, and see modules alone. Whatever opens a socket or
a file, asks the clock or starts a thread has to be named, and is not on the list. The list is of our own modules, whole
with all below them (`bridge.mail`), and of names in the modules of others (`email.utils: parsedate_tz`).
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from grimp import ImportGraph

BY_NAME = frozenset(
    {
        "__import__",
        "__builtins__",
        "importlib.import_module",
        "importlib.__import__",
        "pkgutil.resolve_name",
        "sys.modules",
    }
)
"""What leads to a module by a text that is its name, which no list of imports sees."""

BUILT_IN = frozenset({"open", "input", "print", "exec", "eval", "compile", "breakpoint", "globals", "vars"})
"""What Python gives unasked, and a pure module does without."""

ATTRIBUTES = frozenset({"now", "today", "utcnow", "time"})
"""What asks the clock whatever it is asked of: a class under another name, a loop. No value of ours is called so."""

SPECIAL = frozenset({"__init__", "__contains__"})
"""The special names that pure modules call; others (`__self__`, `__globals__`) lead out of the value that has them."""


class AllowedImportsContract(Contract):
    """`modules`, with all below them, name nothing but one another, and what is `allowed`.

    A module of others stands in `allowed` with the names that may be taken from it (`codecs: charmap_decode`),
    or alone, which allows what it says is public (`__all__`) and no module in it. A name may go on
    (`asyncio: get_running_loop().call_later`), and allows then no other end. `types` are names that may be
    mentioned and not called. `excused` are offences, as they are printed or how they begin, each with its reason.
    """

    type_name = "allowed_imports"

    modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed: Any = fields.SetField(subfield=fields.StringField())
    types: Any = fields.SetField(subfield=fields.StringField(), required=False)
    excused: Any = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 - as import-linter calls it
        """Look at each direct import: what is reached through an allowed one of ours was looked at as well."""
        del verbose
        roots = {module.name for module in module_expressions_to_modules(graph, self.modules)}
        inside = roots.union(*(graph.find_descendants(root) for root in roots))
        known = (*roots, *filter(_ours, self.allowed))
        names = _names(self.allowed)
        types = frozenset(self.types or ())
        found = {
            f"{importer} names {imported}"
            for importer in inside
            for imported in graph.find_modules_directly_imported_by(importer)
            if _ours(imported) and not any(imported == name or imported.startswith(f"{name}.") for name in known)
        }
        for module in inside:
            found |= {f"{module} names {name}" for name in _unlisted(module, names, types)}
        return _checked(found, self.excused)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print what is not on the list."""
        _render(check)


class NoImportByNameContract(Contract):
    """No module of the programs imports by a name that is text; `excused` as above."""

    type_name = "no_import_by_name"

    excused: Any = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 - as import-linter calls it
        """Look at each name in each module."""
        del verbose
        ours = sorted(module for module in graph.modules if _ours(module))
        found = {f"{module} names {name}" for module in ours for name in _by_name(module)}
        return _checked(found, self.excused)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print who imports by name."""
        _render(check)


def _checked(found: set[str], excused: set[str] | None) -> ContractCheck:
    excused = excused or set()
    offences = sorted(each for each in found if not any(_begins(each, excuse) for excuse in excused))
    for excuse in sorted(excused):
        if not any(_begins(each, excuse) for each in found):
            offences.append(f"an excuse for nothing: {excuse}")
    return ContractCheck(kept=not offences, metadata={"offences": offences})


def _render(check: ContractCheck) -> None:
    for offence in check.metadata["offences"]:
        output.print_error(f"not allowed: {offence}")


def _ours(module: str) -> bool:
    return module.partition(".")[0] in {"bridge", "broker", "clients"}


def _names(allowed: set[str]) -> dict[str, frozenset[str]]:
    """The names that are listed of the modules of others, by module."""
    listed: dict[str, frozenset[str]] = {}
    for entry in allowed:
        module, _, some = entry.partition(":")
        if not _ours(module):
            listed[module] = listed.get(module, frozenset()) | (frozenset(some.split()) or _public(module))
    return listed


def _public(module: str) -> frozenset[str]:
    """What a module of others says is public, without the modules in it."""
    found = importlib.import_module(module)
    names = getattr(found, "__all__", [name for name in vars(found) if not name.startswith("_")])
    return frozenset(name for name in names if not isinstance(getattr(found, name), ModuleType))


def _unlisted(module: str, allowed: Mapping[str, frozenset[str]], types: frozenset[str]) -> Iterator[str]:
    """What a module names and may not."""
    tree = ast.parse(_source(module))
    modules, names = _imported(tree)
    yield from (each for each in modules.values() if each not in allowed)
    for name in (*names.values(), *_chains(tree, modules | names)):
        listed = any(_begins(name, f"{of}.{each}") for of, some in allowed.items() for each in some)
        if not listed or any(_begins(name, each) and name != each for each in types):
            yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (
            node.attr in ATTRIBUTES or (node.attr.startswith("__") and node.attr not in SPECIAL)
        ):
            yield f"….{node.attr}"


def _by_name(module: str) -> Iterator[str]:
    """What leads a module to others by their names."""
    tree = ast.parse(_source(module))
    modules, names = _imported(tree)
    for name in (*names.values(), *_chains(tree, modules | names)):
        yield from (each for each in BY_NAME if _begins(name, each))


def _begins(name: str, other: str) -> bool:
    """Whether a chain is another one, or hangs on it."""
    return name == other or name.startswith((f"{other}.", f"{other}("))


def _source(module: str) -> str:
    path = Path(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text("utf-8")


def _imported(tree: ast.Module) -> tuple[dict[str, str], dict[str, str]]:
    """What a module binds by its imports from others: whole modules, and names in them."""
    modules, names = {}, {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name: alias.name for alias in node.names if not _ours(alias.name)}
        elif isinstance(node, ast.ImportFrom) and not _ours(node.module or ""):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return modules, names


def _chains(tree: ast.Module, bound: Mapping[str, str]) -> Iterator[str]:
    """Each chain of attributes and calls that begins at what is bound or built in: `datetime.datetime.now()`.

    A module that is passed on as a value is a chain of one, and on no list.
    """
    longer = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    longer |= {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if id(node) not in longer:
            chain = _spelled(node)
            first = next((name for name in bound if _begins(chain, name)), "")
            if first or any(_begins(chain, name) for name in BUILT_IN | BY_NAME):
                yield bound.get(first, "") + chain.removeprefix(first)


def _spelled(node: ast.AST) -> str:
    """A chain of attributes and calls as text; empty when it does not begin at a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _spelled(node.value)
        return before and f"{before}.{node.attr}"
    if isinstance(node, ast.Call):
        before = _spelled(node.func)
        return before and f"{before}()"
    return ""
