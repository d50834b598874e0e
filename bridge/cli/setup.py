"""`postbell setup`: what makes a mail server hand over its mail, another program the broker, systemd run Postbell."""

from __future__ import annotations

import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge import setup as recipes
from bridge.cli import opening, options, ownership, reach, setup_broker, setup_proxy
from bridge.daemon import mail_servers
from bridge.errors import MalformedNameError
from bridge.setup import systemd
from bridge.setup.recipe import Recipe, Site
from bridge.store import people

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.config.settings import Settings


class Server(StrEnum):
    """What there is a recipe for: mail servers, and what runs services."""

    POSTFIX = "postfix"
    DOVECOT = "dovecot"
    EXIM = "exim"
    OPENSMTPD = "opensmtpd"
    SYSTEMD = "systemd"


class Program(StrEnum):
    """All programs for which there is a recipe: mail servers, brokers, what runs Postbell, the proxy before cells."""

    POSTFIX = Server.POSTFIX.value
    DOVECOT = Server.DOVECOT.value
    EXIM = Server.EXIM.value
    OPENSMTPD = Server.OPENSMTPD.value
    SYSTEMD = Server.SYSTEMD.value
    MOSQUITTO = "mosquitto"
    NATS = "nats"
    HAPROXY = "haproxy"


BROKERS = frozenset({Program.MOSQUITTO, Program.NATS})


def setup(
    context: typer.Context,
    server: Annotated[Program, typer.Argument(help="The mail server, the broker, or systemd, to run Postbell by.")],
    directory: Annotated[str, typer.Option(metavar="DIR", help="Where its configuration is.", show_default=False)] = "",
    config: options.Config = None,
    tls_cert: Annotated[str, typer.Option(metavar="FILE", help="A broker's certificate, with its chain.")] = "",
    tls_key: Annotated[str, typer.Option(metavar="FILE", help="The certificate's private key.")] = "",
    tls_listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where a broker listens with TLS, unless on port 8883 everywhere.")
    ] = "",
    websocket: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where a broker listens for WebSockets with TLS; not unless given.")
    ] = "",
    only_logins: Annotated[
        bool, typer.Option("--logins", help="Write a broker's login files now, and print no script.")
    ] = False,
    cell: Annotated[
        str, typer.Option(metavar="CELL", help="With mosquitto: print its configuration as the broker of this cell.")
    ] = "",
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where HAProxy listens without TLS; not unless given.")
    ] = "",
    main: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where HAProxy reaches the first cell; here unless given.")
    ] = "",
    events: Annotated[
        bool, typer.Option("--events", help="Have Dovecot say which mailbox changed, for: mailbox add --events.")
    ] = False,
) -> None:
    """Print a shell script that connects a mail server or a broker: read it, then run it as root."""
    if server is Program.HAPROXY:
        setup_proxy.show(context, config, listen=listen, tls=tls_listen, certificate=tls_cert, main=main)
        return
    if cell:
        setup_proxy.show_cell(context, config, server, cell, certificate=tls_cert, key=tls_key)
        return
    if server in BROKERS:
        settings = setup_broker.prepared(context, config, server)
        if only_logins:
            setup_broker.write_logins(settings)
            return
        script = setup_broker.recipe(
            settings,
            config=opening.file_of(context, config),
            directory=directory,
            tls=tls_listen,
            websocket=websocket,
            certificate=tls_cert,
            key=tls_key,
        )
        typer.echo(str(script), nl=False)
        return
    if events:
        _print_events(options.settings(context, config), server, directory)
        return
    site = Site(lmtp=None, addresses=())
    if server is not Program.SYSTEMD:  # which comes before there are users
        with opening.reading(context, config) as (settings, connection):
            site = site_of(settings, people.all_addresses(connection))
    typer.echo(str(recipe(Server(server), site, directory=directory)), nl=False)


def _print_events(settings: Settings, server: Program, directory: str) -> None:
    from bridge.setup import dovecot_events  # noqa: PLC0415

    if server is not Program.DOVECOT:
        raise MalformedNameError("--events is for dovecot: no other server of these has mailboxes")
    owner, box = ownership.owner_of(settings.state_dir), settings.imap.events_dir
    name = "" if owner is None else owner.name or str(owner.uid)
    script = dovecot_events.recipe(
        name,
        box=str(box or dovecot_events.BOX),
        directory=directory,
        state_dir=str(settings.state_dir.absolute()),
    )
    typer.echo(str(script), nl=False)


def site_of(settings: Settings, addresses: Sequence[str]) -> Site:
    """The site that a recipe is for, as it is now."""
    owner = ownership.owner_of(settings.state_dir)
    return Site(
        lmtp=reach.lmtp(settings),
        smtp=reach.smtp(settings),
        addresses=tuple(addresses),
        owner="" if owner is None else owner.name or str(owner.uid),
        state_dir=str(settings.state_dir.absolute()),
    )


def recipe(server: Server, site: Site, *, directory: str) -> Recipe:
    """The recipe for a server, as its configuration is now; raises ConfigurationError."""
    if server is Server.SYSTEMD:
        return units(directory=directory or systemd.ETC)
    return mail_servers.recipe(server, site, directory=directory)


def units(*, directory: str) -> Recipe:
    """The recipe that has systemd run this very program; raises ConfigurationError."""
    beside = Path(recipes.__file__).parent
    folder = beside / "units"  # in a wheel; an editable installation has the repository around it
    folder = folder if folder.is_dir() else beside.parents[1] / "packaging" / "systemd"
    called, module = Path(sys.argv[0]), Path(sys.executable).with_name("postbell")
    program = Path(shutil.which(called) or module).absolute() if called.name == module.name else module
    return systemd.recipe(
        {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()},
        program=program,
        parts=(program.resolve(), Path(sys.prefix).resolve(), Path(sys.executable).resolve(), beside),
        directory=directory,
    )
