"""The command line of `python -m clients`: arguments, and errors as exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from clients.cli import edge
from clients.cli.described import described
from clients.cli.options import (
    DEFAULT_URL,
    AccountOption,
    AckOption,
    AllOption,
    BellOption,
    CaOption,
    DeviceArgument,
    ExecOption,
    GoneOption,
    IdArgument,
    IntoOption,
    JsonOption,
    KeepaliveOption,
    NotifyOption,
    OutputOption,
    PartOption,
    PartsOption,
    PasswordOption,
    RawOption,
    RootOption,
    StateOption,
    TimeoutOption,
    TuiOption,
    UrlOption,
    UsernameOption,
    WordsArgument,
)
from clients.cli.plain import PlainCommand, PlainGroup
from clients.terminal.settings import Place

PROGRAM_VARIABLE = "POSTBELL_PROGRAM"
"""The program that became this one, if the user called another: its name is the one to show in `--help`."""
READING_KEEPALIVE_S = 10
"""Short, as the connection of `read` lasts only as long as something is being read."""

app = typer.Typer(
    cls=PlainGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: it goes with the server's commands, and starts in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def main() -> None:
    """Clients of Postbell: mail as it comes, over MQTT."""


@app.command(cls=PlainCommand)
def watch(
    device: DeviceArgument,
    *,
    url: UrlOption = DEFAULT_URL,
    username: UsernameOption = None,
    password_file: PasswordOption = None,
    state: StateOption = None,
    json: JsonOption = False,
    gone: GoneOption = False,
    ack: AckOption = False,
    exec_: ExecOption = None,
    bell: BellOption = None,
    notify: NotifyOption = False,
    tui: TuiOption = False,
    account: AccountOption = None,
    root: RootOption = "mail",
    keepalive: KeepaliveOption = None,
    ca_file: CaOption = None,
) -> None:
    """Show each mail once, as it comes. On a terminal keys open, save and mark mails: ? lists them."""
    place = Place(device, url, username, password_file, state, root, keepalive, ca_file)
    if tui:
        from clients.terminal.tui.start import WindowOptions, watch_in_window  # noqa: PLC0415 - help does without

        plain = json or gone or ack or exec_ is not None
        watch_in_window(place, WindowOptions(account or (), bell=bell is not False, notify=notify, plain=plain))
        return
    from clients.terminal.watch.command import WatchOptions, watch_mail  # noqa: PLC0415 - help does without

    watch_mail(place, WatchOptions(json=json, gone=gone, mark_seen=ack, command=exec_, bell=bell, notify=notify))


@app.command(cls=PlainCommand)
def read(
    device: DeviceArgument,
    mail_id: IdArgument,
    *,
    url: UrlOption = DEFAULT_URL,
    username: UsernameOption = None,
    password_file: PasswordOption = None,
    state: StateOption = None,
    raw: RawOption = False,
    parts: PartsOption = False,
    part: PartOption = None,
    all_into: AllOption = None,
    output: OutputOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 60.0,
    root: RootOption = "mail",
    ca_file: CaOption = None,
) -> None:
    """Read the text of a message over MQTT, or the raw message, its list of parts, one part, or all attachments."""
    from clients.terminal.read.command import ReadRequest, read_message  # noqa: PLC0415 - help does without

    read_message(
        Place(device, url, username, password_file, state, root, READING_KEEPALIVE_S, ca_file),
        ReadRequest(mail_id, raw=raw, parts=parts, part=part, all_into=all_into, json=json),
        output=output,
        patience_s=timeout,
    )


@app.command(cls=PlainCommand)
def inbox(
    device: DeviceArgument,
    words: WordsArgument = None,
    *,
    url: UrlOption = DEFAULT_URL,
    username: UsernameOption = None,
    password_file: PasswordOption = None,
    state: StateOption = None,
    json: JsonOption = False,
    into: IntoOption = Path(),
    timeout: TimeoutOption = 20.0,
    root: RootOption = "mail",
    ca_file: CaOption = None,
) -> None:
    """List what is unseen, each mail with a short number, or open, save, see and unsee one of them."""
    from clients.terminal.inbox.command import InboxOptions, look_into  # noqa: PLC0415 - help does without

    look_into(
        Place(device, url, username, password_file, state, root, READING_KEEPALIVE_S, ca_file),
        words or [],
        InboxOptions(json=json, into=into, patience_s=timeout),
    )


@app.command("described", cls=PlainCommand, hidden=True)
def tell(context: typer.Context) -> None:
    """Print what the commands take, as JSON."""
    typer.echo(described(context.parent.command if context.parent else None, context))


def run() -> int:
    """Run the command line; the result is the exit code: 0 fine, 1 failed, 2 usage, 130 interrupted."""
    try:
        try:
            code = app(prog_name=os.environ.get(PROGRAM_VARIABLE), standalone_mode=False)
        finally:
            sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - this is where everything ends
        return edge.report(error)
    return code if isinstance(code, int) else 0
