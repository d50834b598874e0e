"""Writes postbell(1) to standard output, from what the commands say of themselves.

Run it by a Python that has Postbell: `python packaging/manual.py | gzip -9n > postbell.1.gz`.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import typer

from bridge.cli.main import app
from clients.cli.commands import app as clients_app

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDING = r"""
.SH FILES
.TP
.I /etc/postbell/postbell.toml
The configuration, unless
.B \-\-config
or
.B POSTBELL_CONFIG
names another one, or the folder at hand has one.
.TP
.I /var/lib/postbell
All that is kept: the database, large bodies, sessions of devices.
.TP
.I /run/postbell/lmtp.sock
Where a mail server hands mail in.
.TP
.I /etc/postbell/tls
Certificate and key, for the user postbell to read.
.SH ENVIRONMENT
.TP
.B POSTBELL_CONFIG
The configuration file.
.TP
.BI POSTBELL_ SECTION __ KEY
A key of the configuration, over what the file says:
.B POSTBELL_LOG__LEVEL=debug
is
.B log.level.
.SH EXIT STATUS
0 when all is well, 1 when something failed, 2 when the command line or the configuration cannot be used; a text on
standard error says which key has which value, and what to write instead.
.SH SEE ALSO
.BR systemctl (1),
.BR mosquitto_sub (1),
.BR postfix (1)
"""


def page() -> str:
    """The whole page, as roff for man(7)."""
    root = typer.main.get_command(app)
    context = root.make_context("postbell", [], resilient_parsing=True)
    parts = [
        f'.TH POSTBELL 1 "" "postbell {_text(version("postbell"))}" "User commands"',
        ".SH NAME",
        r"postbell \- push e-mail over MQTT",
        ".SH SYNOPSIS",
        _synopsis(root, context),
        ".SH DESCRIPTION",
        _text(root.help or ""),
        ".PP",
        "A mail server hands a mail in over SMTP or LMTP; it is on disk before it is acknowledged,",
        "and every device of its user is told over MQTT. A device gets its login by",
        '.BR "postbell device add" ;',
        "any MQTT client shows what it is told, as does",
        '.BR "postbell watch" .',
        ".SH OPTIONS",
        *_parameters(root, context),
        ".SH COMMANDS",
        *_commands(root, context),
    ]
    return "\n".join(parts) + ENDING


def _commands(group: Any, above: Any) -> Iterator[str]:
    for name in group.list_commands(above):
        command = _of_client(name) or group.get_command(above, name)
        context = command.make_context(name, [], parent=above, resilient_parsing=True)
        if hasattr(command, "list_commands"):
            yield from _commands(command, context)
            continue
        yield f".SS {_text(context.command_path)}"
        yield _synopsis(command, context)
        yield ".PP"
        yield _text(command.help or "")
        yield from _parameters(command, context)


def _of_client(name: str) -> Any:
    """The command behind one that only becomes it, and so knows none of its options."""
    return typer.main.get_command(clients_app).commands.get(name)


def _synopsis(command: Any, context: Any) -> str:
    pieces = " ".join(command.collect_usage_pieces(context))
    return f".B {_text(context.command_path)}\n{_text(re.sub(r'[{}]', '', pieces))}"


def _parameters(command: Any, context: Any) -> Iterator[str]:
    for parameter in command.get_params(context):
        told = parameter.get_help_record(context)
        if told is None or "--help" in parameter.opts:
            continue
        names, meaning = told
        yield ".TP"
        yield f".B {_text(re.sub(r'[{}]| *<(?:str|bool)>', '', names))}"
        yield _text(re.sub(r"\s+", " ", meaning)) or "\\&"


def _text(text: str) -> str:
    """Text in which nothing is a command of roff, and what one may type keeps its own characters."""
    escaped = text.strip().replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return re.sub(r"\n\s*\n", "\n.PP\n", re.sub(r"(?m)^(?=\.)", r"\\&", escaped))


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - this is what it is for
