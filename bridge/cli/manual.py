"""`python -m bridge.cli.manual` prints postbell(1), made of what the commands say of themselves."""

from __future__ import annotations

import re
import sys
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.cli.shells.described import Described, Parameter

_WRITTEN = str.maketrans({"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"})
ABOUT = """\
A mail server hands a mail in over SMTP or LMTP; it is on disk before it is
acknowledged, and every device of its user is told over MQTT.
A device gets its login by
.BR "postbell device add" ;
any MQTT client shows what it is told, as does
.BR "postbell watch" .
"""
ENDING = r"""
.SH FILES
.TP
.I /etc/postbell/postbell.toml
The configuration, unless
.B \-\-config
or
.B POSTBELL_CONFIG
names another one, or the working directory has one.
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
.BR log.level .
.TP
.B POSTBELL_DEBUG
When it is set, an error shows where it comes from, for a report.
.TP
.B NO_COLOR
When it is set, nothing is coloured.
.SH EXIT STATUS
.TP
.B 0
All is well.
.TP
.B 1
Something failed; of
.B postbell status
and
.BR "postbell doctor" :
something is down or broken.
.TP
.B 2
The command line or the configuration cannot be used, or another user has to run the command; of
.BR "postbell status" :
it cannot know.
.TP
.B 130
Interrupted by Ctrl\-C.
.PP
A line on standard error says what is wrong, and what to do.
.SH SEE ALSO
.BR mosquitto_sub (1),
.BR systemctl (1)
"""


def page(root: Described, *, version: str) -> str:
    """The whole page, as roff for man(7). Pure."""
    lines = [
        f'.TH POSTBELL 1 "" "postbell {escaped(version)}" "User commands"',
        ".SH NAME",
        r"postbell \- push e\-mail over MQTT",
        ".SH SYNOPSIS",
        ".B postbell",
        r".RI [ OPTIONS ]",
        r".I COMMAND",
        r"\&...",
        ".SH DESCRIPTION",
        escaped(root.help),
        ".PP",
        f"{ABOUT}.SH OPTIONS",
        *_parameters(root.options),
        ".SH COMMANDS",
    ]
    for command in root.all():
        if command.words and not command.below:
            lines += _command(command)
    return "\n".join(lines) + ENDING


def _command(command: Described) -> Iterator[str]:
    """A command that does something; those that only gather others are named by each of these."""
    yield f".SS postbell {escaped(' '.join(command.words))}"
    yield f".B postbell {escaped(' '.join(command.words))}"
    if command.options:
        yield ".RI [ OPTIONS ]"
    for each in command.arguments:
        yield f".I {escaped(each.value)}" if each.required else f".RI [ {escaped(each.value)} ]"
    yield ".PP"
    yield escaped(command.help)
    yield from _parameters([*command.arguments, *(each for each in command.options if "--help" not in each.names)])


def _parameters(parameters: list[Parameter] | tuple[Parameter, ...]) -> Iterator[str]:
    for each in parameters:
        yield ".TP"
        names = ", ".join(rf"\fB{escaped(name)}\fR" for name in each.names)
        value = rf"\fI{escaped(each.value)}\fR" if each.value else ""
        yield f"{names} {value}".strip()
        yield escaped(each.help) or r"\&"


def escaped(text: str) -> str:
    """Text in which nothing is a command of roff, and what one may type keeps its own characters."""
    for character, written in (
        ("\\", r"\e"),
        ("-", r"\-"),
        ("'", r"\(aq"),
        ("`", r"\(ga"),
        ("^", r"\(ha"),
        ("~", r"\(ti"),
    ):
        text = text.replace(character, written)
    lines = wrap(text, 79, break_long_words=False, break_on_hyphens=False)
    return re.sub(r"(?m)^(?=\.)", r"\\&", "\n".join(lines))


def main() -> None:
    """Print the page of this installation."""
    from importlib.metadata import version  # noqa: PLC0415 - `page` is given it

    import typer  # noqa: PLC0415 - as above

    from bridge.cli.describing import everything  # noqa: PLC0415
    from bridge.cli.main import app  # noqa: PLC0415

    sys.stdout.write(page(everything(typer.main.get_command(app)), version=version("postbell")))


if __name__ == "__main__":
    main()
