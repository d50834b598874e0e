"""The arguments and options of the commands, each with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clients.terminal import settings

DEFAULT_URL = settings.DEFAULT_URL

DeviceArgument = Annotated[str, typer.Argument(metavar="USER/DEVICE", help="Whose mail, on which device.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The message, as `watch --json` names it.")]
WordsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DO MAIL]",
        help="What to do, instead of listing: open 3, save 3 [PART], seen 3 (or 3 5-9, or all), unseen 3. A mail is "
        "named by its number in the list, or its id.",
        show_default=False,
    ),
]
IntoOption = Annotated[
    Path, typer.Option("--into", metavar="DIR", help="Where save puts attachments; nothing is overwritten.")
]
UrlOption = Annotated[
    str,
    typer.Option(metavar="URL", envvar="POSTBELL_URL", help="The broker: mqtt://, mqtts://, ws:// or wss://host:port."),
]
UsernameOption = Annotated[
    str | None, typer.Option(metavar="LOGIN", help="The MQTT login, if it is not USER.DEVICE.", show_default=False)
]
PasswordOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A file with the password; otherwise $POSTBELL_PASSWORD, otherwise asked for.",
        show_default=False,
    ),
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Where it is kept what was shown. Default: USER.DEVICE.journal in $XDG_STATE_HOME/postbell, which is "
        "~/.local/state/postbell unless that is set.",
        show_default=False,
    ),
]
RootOption = Annotated[str, typer.Option(metavar="TOPIC", help="The first level of all topics.")]
KeepaliveOption = Annotated[
    int | None,
    typer.Option(
        metavar="SECONDS",
        min=10,
        max=65535,
        help="Seconds between pings when idle. Default: what the network is found to survive.",
        show_default=False,
    ),
]
CaOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Certificates to trust instead of the system's, for mqtts and wss.", show_default=False
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]
GoneOption = Annotated[bool, typer.Option("--gone", help="Also in a pipe, say which messages vanish.")]
AckOption = Annotated[bool, typer.Option("--ack", help="Mark every message as seen once it is shown.")]
ExecOption = Annotated[
    str | None,
    typer.Option("--exec", metavar="CMD", help="Run for each message, with its JSON on stdin.", show_default=False),
]
BellOption = Annotated[
    bool | None, typer.Option(help="Ring the terminal's bell. Default: on a terminal.", show_default=False)
]

NotifyOption = Annotated[bool, typer.Option("--notify", help="Tell the desktop of each mail, where there is one.")]

TuiOption = Annotated[bool, typer.Option("--tui", help="In a window of the terminal: list, text, attachments, search.")]
AccountOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--account",
        metavar="FILE",
        help="With --tui: one more account, told by a TOML file with device, url, password_file. May be repeated.",
        show_default=False,
    ),
]

RawOption = Annotated[bool, typer.Option("--raw", help="The message as it was received.")]
PartsOption = Annotated[bool, typer.Option("--parts", help="List the parts of the message.")]
PartOption = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        min=0,
        help="One part, by its number in the list of --parts, which begins with 0.",
        show_default=False,
    ),
]
AllOption = Annotated[
    Path | None,
    typer.Option(
        "--all",
        metavar="DIR",
        help="Save every attachment into this directory, under safe names; nothing is overwritten.",
        show_default=False,
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write to this file, when it is complete.", show_default=False)
]
TimeoutOption = Annotated[float, typer.Option(metavar="SECONDS", min=1, help="Without progress, before giving up.")]
