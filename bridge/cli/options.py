"""The options and arguments that several commands have, and the configuration that they choose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bridge.config.settings import Settings

Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration file.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
UserName = Annotated[str, typer.Argument(metavar="NAME", help="The user: 1 to 32 of a-z 0-9 _ -")]


def chosen(context: typer.Context, config: Path | None) -> Path | None:
    """The file named at the command, or before it."""
    before: Path | None = context.find_root().params.get("config")
    return config or before


def settings(context: typer.Context, config: Path | None) -> Settings:
    """The configuration for this command; raises ConfigurationError."""
    from bridge.config import loading  # noqa: PLC0415 - help and completion do without, and it is half of their time

    return loading.load(chosen(context, config))
