"""What is on this machine already, as far as the set-up of an installation depends on it."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.init import answers, carrying, plan
from bridge.init.answers import MailServer
from bridge.init.plan import Machine

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE, SOCKET = "postbell.service", "postbell.socket"
UNITS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"
_SERVERS = {
    MailServer.POSTFIX: ("postconf", "postfix/main.cf"),
    MailServer.EXIM: ("exim4", "exim4"),
    MailServer.OPENSMTPD: ("smtpd", "smtpd.conf"),
    MailServer.DOVECOT: ("dovecot", "dovecot/dovecot.conf"),
}
"""A program and a file that each has, the likeliest first: Dovecot hands copies over by way of Postfix."""


def machine(*, account: str, standard: bool, root: Path = Path("/")) -> Machine:
    """The facts that a plan depends on, but for units that are still to be put into their place.

    `account` is the system user meant; `standard`: account and configuration are those that the units name. `root` is
    where the system's files are.
    """
    systemd = (root / "run/systemd/system").is_dir()
    called = program()
    return Machine(
        root=os.geteuid() == 0,
        systemd=systemd,
        program=called,
        account=carrying.has_account(account),
        service_unit=systemd and standard and _unit(SERVICE, root),
        socket_unit=systemd and standard and _unit(SOCKET, root),
        cron=(root / str(plan.CRON).lstrip("/")).is_dir(),
        on_path=shutil.which("postbell") == called,
    )


def _unit(name: str, root: Path) -> bool:
    return any((root / folder.lstrip("/") / name).exists() for folder in UNITS)


def group(account: str) -> str:
    """The group of a system user; empty when there is no such user yet."""
    try:
        return grp.getgrgid(pwd.getpwnam(account).pw_gid).gr_name
    except KeyError:
        return ""


def program() -> str:
    """How `postbell` is called: what was called now, if that was it, else the one beside this interpreter."""
    called = shutil.which(sys.argv[0]) if Path(sys.argv[0]).name == "postbell" else None
    return str(Path(called).absolute()) if called else str(Path(sys.executable).with_name("postbell"))


def mail_server(*, root: Path = Path("/"), path: str | None = None) -> MailServer:
    """The mail server that is installed here; NONE when there is none that we know."""
    places = f"{os.environ.get('PATH', '')}:{_SYSTEM}" if path is None else path
    for server, (name, file) in _SERVERS.items():
        if shutil.which(name, path=places) and (root / "etc" / file).exists():
            return server
    return MailServer.NONE


def host() -> str:
    """The name of this machine when others can find it by that: one with a domain; else empty."""
    name = socket.getfqdn()
    try:
        return answers.host(name) if "." in name and "localhost" not in name else ""
    except ValueError:
        return ""


def person(environ: Mapping[str, str]) -> str:
    """Who sits here, if that can be a user's name; who became root is asked for by the name of before."""
    try:
        return answers.user(environ.get("SUDO_USER") or getpass.getuser())
    except (ValueError, OSError, KeyError):
        return ""


def lineage(host: str, *, root: Path = Path("/")) -> bool:
    """Whether certbot has a certificate for a host."""
    return (root / str(plan.LETSENCRYPT).lstrip("/") / "live" / host / "fullchain.pem").exists()
