"""Putting the commands together, and turning errors into messages and exit codes."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from bridge.cli import (
    client,
    devices,
    logins,
    options,
    reconcile,
    rules,
    salvage,
    send,
    serving,
    setup,
    status,
    users,
)
from bridge.errors import ConfigurationError, MalformedAddressError, MalformedNameError, PostbellError

app = typer.Typer(
    name="postbell",
    help="Push e-mail over MQTT: a mail handed in is kept, and known on every device within milliseconds.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serving.serve)
app.command()(serving.bridge)
app.command()(serving.broker)
users.user_app.command("rules")(rules.user_rules)
app.add_typer(users.user_app, name="user")
app.add_typer(devices.device_app, name="device")
app.add_typer(logins.sender_app, name="sender")
app.add_typer(logins.admin_app, name="admin")
app.add_typer(logins.node_app, name="node")
app.command()(send.send)
app.command(
    "watch", context_settings=client.PASS_THROUGH, help="Show mail as it comes: the reference client (terminal)."
)(client.client)
app.command("read", context_settings=client.PASS_THROUGH, help="Read a body or save an attachment over MQTT.")(
    client.client
)
app.command()(status.status)
app.command()(reconcile.reconcile)
app.command()(salvage.salvage)
app.command()(setup.setup)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callbacks get their value by position
    if wanted:
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
