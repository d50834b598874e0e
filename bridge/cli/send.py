"""`postbell send`: hands a mail to Postbell over SMTP, as a mail server would."""

from __future__ import annotations

import re
import smtplib
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import options, output, reach
from bridge.config.endpoints import TcpAddress, parse_endpoint
from bridge.errors import PostbellError, in_words

if TYPE_CHECKING:
    from bridge.config.endpoints import Endpoint

_BARE_LF = re.compile(rb"(?<!\r)\n")
_BARE_CR = re.compile(rb"\r(?!\n)")
TIMEOUT_S = 60


class SendError(PostbellError):
    """The SMTP listener could not be reached, or did not take the mail for everyone."""


def send(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.eml", help="The mail; - for standard input.", allow_dash=True)],
    to: Annotated[list[str], typer.Option("--to", metavar="ADDR", help="A recipient. Repeatable.")],
    sender: Annotated[str, typer.Option("--from", metavar="ADDR", help="The envelope sender.")] = "",
    server: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The SMTP listener; or unix:/PATH.", show_default=False)
    ] = "",
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Hand a mail to Postbell over SMTP, as a mail server would."""
    settings = options.settings(context, config)
    listener = _parsed(server) if server else reach.smtp(settings)
    if listener is None:
        raise typer.BadParameter("smtp.listen is off; write HOST:PORT or unix:/PATH", param_hint="--server")
    raw = sys.stdin.buffer.read() if str(file) == "-" else _read(file)
    code, answer, refused = _deliver(listener, sender, to, with_crlf(raw))
    if as_json:
        output.print_json({"code": code, "answer": answer, "refused": refused})
    else:
        typer.echo(f"{code} {answer}")
        for recipient, reply in refused.items():
            typer.echo(f"refused {recipient}: {reply}", err=True)
    if refused or code != 250:
        raise typer.Exit(1)


def with_crlf(raw: bytes) -> bytes:
    """A mail with the line ends that SMTP wants (RFC 5321 §2.3.8)."""
    return _BARE_CR.sub(b"\r\n", _BARE_LF.sub(b"\r\n", raw))


def _parsed(server: str) -> Endpoint:
    try:
        return parse_endpoint(server)
    except ValueError as error:
        raise typer.BadParameter(f"{server!r}: write HOST:PORT or unix:/PATH", param_hint="--server") from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from error


class UnixSmtp(smtplib.LMTP):
    """SMTP over a UNIX socket, which the library knows for LMTP only."""

    ehlo_msg = "ehlo"


def _connected(listener: Endpoint) -> smtplib.SMTP:
    if isinstance(listener, TcpAddress):
        return smtplib.SMTP(listener.host, listener.port, timeout=TIMEOUT_S)
    return UnixSmtp(str(listener.path), timeout=TIMEOUT_S)


def _deliver(listener: Endpoint, sender: str, to: list[str], raw: bytes) -> tuple[int, str, dict[str, str]]:
    """The reply to the mail, and the recipients that were refused with their replies."""
    refused: dict[str, str] = {}
    try:
        with _connected(listener) as smtp:
            smtp.ehlo_or_helo_if_needed()
            utf8 = ["SMTPUTF8"] if any(not recipient.isascii() for recipient in [sender, *to]) else []
            smtp.command_encoding = "utf-8" if utf8 else "ascii"
            code, answer = smtp.mail(sender, [f"SIZE={len(raw)}", "BODY=8BITMIME", *utf8])
            if code != 250:
                return code, answer.decode(errors="replace"), refused
            for recipient in to:
                code, answer = smtp.rcpt(recipient)
                if code not in {250, 251}:
                    refused[recipient] = f"{code} {answer.decode(errors='replace')}"
            if len(refused) == len(to):
                return code, answer.decode(errors="replace"), refused
            code, answer = smtp.data(raw)
            return code, answer.decode(errors="replace"), refused
    except (OSError, smtplib.SMTPException) as error:
        raise SendError(f"the SMTP listener at {listener} did not take the mail: {_words_of(error)}") from error


def _words_of(error: Exception) -> str:
    """What the listener said, if it said something, else what went wrong on the way there."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    return in_words(error)
