"""`postbell send`: hand a mail to the sink as a mail server would."""

from __future__ import annotations

import re
import smtplib
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from bridge.cli import context as shared
from bridge.daemon import runfile
from bridge.errors import PostbellError

_BARE_LF = re.compile(rb"(?<!\r)\n")
_BARE_CR = re.compile(rb"\r(?!\n)")
TIMEOUT_S = 60
UNIX = "unix:"


class SendError(PostbellError):
    """The sink could not be reached, or did not take the mail for everyone."""


def send(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.eml", help="The mail; - for standard input.", allow_dash=True)],
    to: Annotated[list[str], typer.Option("--to", metavar="ADDR", help="A recipient. Repeatable.")],
    sender: Annotated[str, typer.Option("--from", metavar="ADDR", help="The envelope sender.")] = "",
    server: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The SMTP listener; or unix:/PATH.", show_default=False)
    ] = "",
    config: shared.Config = None,
    as_json: shared.AsJson = False,
) -> None:
    """Hand a mail to the sink over SMTP, as a mail server would."""
    settings = shared.settings(context, config)
    address = server or runfile.read(settings.run_dir, "bridge").get("smtp") or settings.smtp.listen
    if not address.startswith(UNIX) and runfile.port_of(address) is None:
        raise typer.BadParameter(f"{address!r}: write HOST:PORT or unix:/PATH", param_hint="--server")
    raw = sys.stdin.buffer.read() if str(file) == "-" else _read(file)
    code, answer, refused = _deliver(address, sender, to, with_crlf(raw))
    if as_json:
        shared.print_json({"code": code, "answer": answer, "refused": refused})
    else:
        typer.echo(f"{code} {answer}")
        for recipient, reply in refused.items():
            typer.echo(f"refused {recipient}: {reply}", err=True)
    if refused or code != 250:
        raise typer.Exit(1)


def with_crlf(raw: bytes) -> bytes:
    """A mail with the line ends that SMTP wants (RFC 5321 §2.3.8)."""
    return _BARE_CR.sub(b"\r\n", _BARE_LF.sub(b"\r\n", raw))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from error


class UnixSmtp(smtplib.LMTP):
    """SMTP over a UNIX socket, which the library knows for LMTP only."""

    ehlo_msg = "ehlo"


def _connected(address: str) -> smtplib.SMTP:
    if address.startswith(UNIX):
        return UnixSmtp(address.removeprefix(UNIX), timeout=TIMEOUT_S)
    host, _, port = address.rpartition(":")
    return smtplib.SMTP(host.strip("[]"), int(port), timeout=TIMEOUT_S)


def _deliver(address: str, sender: str, to: list[str], raw: bytes) -> tuple[int, str, dict[str, str]]:
    """The reply to the mail, and the recipients that were refused with their replies."""
    refused: dict[str, str] = {}
    try:
        with _connected(address) as smtp:
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
        raise SendError(f"the sink at {address} did not take the mail: {error}") from error
