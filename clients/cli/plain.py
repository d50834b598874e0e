"""Help in plain text: a parameter by the name that stands for its value, without the names of Python's types."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from clients.cli.typed import ReadByUs


class PlainGroup(ReadByUs, TyperGroup):
    """The commands together."""


class PlainCommand(ReadByUs, TyperCommand):
    """A command whose help calls each argument and value by its `metavar`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands behind the command's name in the line of usage."""
        return ["[OPTIONS]", *(str(each.metavar) for each in self._shown(ctx, "argument"))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options into the help."""
        for heading, kind in (("Arguments", "argument"), ("Options", "option")):
            rows = []
            for each in self._shown(ctx, kind):
                written, text = each.get_help_record(ctx)
                if kind == "argument":
                    written, text = each.metavar, text.removesuffix("[required]").rstrip()
                rows.append((written, text))
            with formatter.section(heading):
                formatter.write_dl(rows)

    def _shown(self, ctx: Any, kind: str) -> list[Any]:
        return [each for each in self.get_params(ctx) if each.param_type_name == kind]
