"""`postbell send`: hand a mail to the sink as a mail server would; `watch` and `read`: the client."""

from __future__ import annotations

import os
import re
import smtplib
import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge import runfile
from bridge.cli import context as shared
from bridge.cli.people import mqtt_url
from bridge.errors import PostbellError
from bridge.store import logins, offline, people

_BARE_LF = re.compile(rb"(?<!\r)\n")
_BARE_CR = re.compile(rb"\r(?!\n)")
TIMEOUT_S = 60


class SendError(PostbellError):
    """The sink could not be reached, or did not take the mail for everyone."""


def send(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.eml", help="The mail; - for standard input.", allow_dash=True)],
    to: Annotated[list[str], typer.Option("--to", metavar="ADDR", help="A recipient. Repeatable.")],
    sender: Annotated[str, typer.Option("--from", metavar="ADDR", help="The envelope sender.")] = "",
    server: Annotated[str, typer.Option(metavar="HOST:PORT", help="The SMTP listener.", show_default=False)] = "",
    config: shared.Config = None,
    as_json: shared.AsJson = False,
) -> None:
    """Hand a mail to the sink over SMTP, as a mail server would."""
    settings = shared.settings(context, config)
    address = server or runfile.read(settings.run_dir, "bridge").get("smtp") or settings.smtp.listen
    if runfile.port_of(address) is None:
        raise typer.BadParameter(f"{address!r}: write HOST:PORT", param_hint="--server")
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


def _deliver(address: str, sender: str, to: list[str], raw: bytes) -> tuple[int, str, dict[str, str]]:
    """The reply to the mail, and the recipients that were refused with their replies."""
    host, _, port = address.rpartition(":")
    refused: dict[str, str] = {}
    try:
        with smtplib.SMTP(host.strip("[]"), int(port), timeout=TIMEOUT_S) as smtp:
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


# --- the client -----------------------------------------------------------------------------------

PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def client(context: typer.Context) -> None:
    """Become the reference client. On the server itself it needs no password: it is given one."""
    command = str(context.info_name)
    arguments, config = _without_config(context.args)
    os.environ |= _local_login(context, config, arguments)
    os.execv(  # noqa: S606 - becomes the client
        sys.executable, [sys.executable, "-m", "clients", command, *arguments]
    )


def _without_config(arguments: list[str]) -> tuple[list[str], Path | None]:
    """The client's own arguments, and the configuration file that was named among them."""
    rest, config, values = [], None, iter(arguments)
    for argument in values:
        if argument == "--config":
            config = Path(next(values, ""))
        elif argument.startswith("--config="):
            config = Path(argument.partition("=")[2])
        else:
            rest.append(argument)
    return rest, config


def _local_login(context: typer.Context, config: Path | None, arguments: list[str]) -> dict[str, str]:
    """A login for the device if this process may write the store and nothing else says how to log in."""
    told = {"--url", "--password-file", "--help"} & {argument.partition("=")[0] for argument in arguments}
    device = re.fullmatch(r"([^/]+)/([^/]+)", next((a for a in arguments if "/" in a and not a.startswith("-")), ""))
    settings = shared.settings(context, config)
    if told or os.environ.get("POSTBELL_PASSWORD") or device is None or not os.access(settings.database, os.W_OK):
        return {}
    with offline.reading(settings.database) as connection:
        people.require_device(connection, device[1], device[2])
    with shared.changing(settings) as transaction:
        login = people.username(device[1], device[2])
        password = logins.grant(transaction, login, label="local", role="device")
    return {"POSTBELL_PASSWORD": password, "POSTBELL_URL": mqtt_url(settings)}
