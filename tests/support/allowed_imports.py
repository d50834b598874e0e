"""A contract for import-linter: modules that import one another and what is listed, and nothing else.

import-linter's own contracts forbid what somebody thought of. Whatever opens a socket or a file, asks the
clock or starts a thread has to be imported, and is not on the list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules

if TYPE_CHECKING:
    from grimp import ImportGraph


class AllowedImportsContract(Contract):
    """`modules`, with all below them, import nothing but one another, and `allowed` with all below those."""

    type_name = "allowed_imports"

    modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed: Any = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 - as import-linter calls it
        """Look at each direct import: what is reached through an allowed one of ours was looked at as well."""
        del verbose
        roots = {module.name for module in module_expressions_to_modules(graph, self.modules)}
        inside = roots.union(*(graph.find_descendants(root) for root in roots))
        known = (*roots, *self.allowed)
        offences = [
            (importer, imported)
            for importer in sorted(inside)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not any(imported == name or imported.startswith(f"{name}.") for name in known)
        ]
        return ContractCheck(kept=not offences, metadata={"offences": offences})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import that is not on the list."""
        for importer, imported in check.metadata["offences"]:
            output.print_error(f"{importer} is not allowed to import {imported}")
