"""Putting the commands together, and turning errors into messages and exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bridge.cli import options  # noqa: TC001 - typer reads the annotations
from bridge.cli.commands import Postbell
from bridge.cli.lazily import HELP_OPTIONS, PLAIN
from bridge.errors import ConfigurationError, MalformedAddressError, MalformedNameError, PostbellError

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


@app.callback()
def postbell(
    config: options.Config = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Push e-mail over MQTT: a mail handed in is kept, and known on every device within milliseconds."""
    del config, show_version  # commands find the one in the root context, the other is done


def run() -> int:
    """Run the command line; the exit code is 0 fine, 1 failed, 2 usage or configuration."""
    try:
        app(prog_name="postbell")
    except BaseExceptionGroup as group:
        known, unknown = group.split(PostbellError)
        if unknown is not None:
            raise
        assert known is not None
        return max(_report(error) for error in _leaves(known))
    except PostbellError as error:
        return _report(error)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0


def _leaves(group: BaseExceptionGroup[PostbellError]) -> list[PostbellError]:
    leaves: list[PostbellError] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def _report(error: PostbellError) -> int:
    print(f"postbell: {error}", file=sys.stderr)  # noqa: T201 - this is what standard error is for
    return 2 if isinstance(error, ConfigurationError | MalformedAddressError | MalformedNameError) else 1
