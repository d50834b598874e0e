"""Putting the commands together, and turning errors into messages and exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from bridge.cli import options  # noqa: TC001 - typer reads the annotations
from bridge.cli.commands import Postbell
from bridge.cli.lazily import HELP_OPTIONS, PLAIN

app = typer.Typer(
    name="postbell",
    cls=Postbell,
    context_settings=HELP_OPTIONS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=PLAIN,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callbacks get their value by position
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - which takes as long as all else of a command's start

        typer.echo(version("postbell"))
        raise typer.Exit


def _show_tracebacks(wanted: bool) -> None:  # noqa: FBT001 - as above
    if wanted:
        os.environ["POSTBELL_DEBUG"] = "1"  # also for the processes that this one starts or becomes


@app.callback()
def postbell(
    config: options.Config = None,
    debug: Annotated[
        bool,
        typer.Option("--debug", callback=_show_tracebacks, help="Show where an error comes from, for a report."),
    ] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Push e-mail over MQTT: a mail handed in is kept, and known on every device within milliseconds."""
    del config, debug, show_version  # commands find the first in the root context, the others are done


def run() -> int:
    """Run the command line; the exit code is 0 fine, 1 failed, 2 usage or configuration, 130 interrupted."""
    try:
        try:
            code = app(prog_name="postbell", standalone_mode=False)
        finally:
            sys.stdout.flush()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException as error:  # noqa: BLE001 - this is where everything ends
        from bridge.cli import edge  # noqa: PLC0415 - most commands end well

        return edge.report(error)
    return code if isinstance(code, int) else 0
