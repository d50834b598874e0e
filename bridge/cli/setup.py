"""`postbell setup`: what makes a mail server on this machine hand Postbell a copy of its users' mail."""

from __future__ import annotations

import shutil
import subprocess
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import context as shared
from bridge.daemon import runfile
from bridge.setup import dovecot, exim, opensmtpd, postfix
from bridge.setup.recipe import Recipe, Site
from bridge.store import offline, people

if TYPE_CHECKING:
    from bridge.config.settings import Settings


class Server(StrEnum):
    """Mail servers for which there is a recipe."""

    POSTFIX = "postfix"
    DOVECOT = "dovecot"
    EXIM = "exim"
    OPENSMTPD = "opensmtpd"


def setup(
    context: typer.Context,
    server: Annotated[Server, typer.Argument(help="The mail server.")],
    directory: Annotated[str, typer.Option(metavar="DIR", help="Where its configuration is.", show_default=False)] = "",
    config: shared.Config = None,
) -> None:
    """Print a shell script that connects a mail server: read it, then run it as root."""
    settings = shared.settings(context, config)
    typer.echo(str(recipe(server, site(settings), directory=directory)), nl=False)


def site(settings: Settings) -> Site:
    """Where Postbell listens, and the addresses of its users."""
    running = runfile.read(settings.run_dir, "bridge")
    with offline.reading(settings.database) as connection:
        addresses = [address for user in people.list_users(connection, 0) for address in user.addresses]
    return Site(
        lmtp=running.get("lmtp") or settings.lmtp.listen,
        smtp=running.get("smtp") or settings.smtp.listen,
        addresses=tuple(sorted(addresses)),
    )


def recipe(server: Server, where: Site, *, directory: str) -> Recipe:
    """The recipe for a server, as its configuration is now; raises ConfigurationError."""
    match server:
        case Server.POSTFIX:
            directory = directory or postfix.ETC
            maps = {name: _postconf(directory, name) for name in ("recipient_bcc_maps", "transport_maps")}
            return postfix.recipe(
                where, directory=directory, bcc_maps=maps["recipient_bcc_maps"], transport_maps=maps["transport_maps"]
            )
        case Server.DOVECOT:
            carried_by = _postconf(postfix.ETC, "transport_maps")
            return dovecot.recipe(where, directory=directory or dovecot.ETC, transport_maps=carried_by)
        case Server.EXIM:
            return exim.recipe(where, directory=directory or exim.ETC)
        case Server.OPENSMTPD:
            return opensmtpd.recipe(where, directory=directory or opensmtpd.ETC)


def _postconf(directory: str, name: str) -> str:
    """A parameter of Postfix as it is now; empty where there is no Postfix."""
    program = shutil.which("postconf")
    if program is None:
        return ""
    command = [program, "-c", directory, "-h", name]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, fixed words
    return asked.stdout.strip() if asked.returncode == 0 else ""
