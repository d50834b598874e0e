"""`postbell serve --demo`, which `make run` calls: from nothing to a running system that explains itself."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import typer

from bridge.cli import opening, pairing_link, reach
from bridge.store import offline, pairing, people

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bridge.config.endpoints import TcpAddress
    from bridge.config.settings import Settings
    from bridge.store.writer import Transaction

DIRECTORY = ".demo"
USER, DEVICE, BROWSER, ADDRESS = "demo", "phone", "browser", "demo@localhost"
LOGIN_FILE = "demo-login.json"


def environment(here: Path, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Settings of the demonstration, as overrides: all in one directory, on the usual ports if they are free.

    Where it listens, and how it logs, is as the environment says if it does.
    """
    listeners = {"POSTBELL_SMTP__LISTEN": 2525, "POSTBELL_BROKER__LISTEN": 1883, "POSTBELL_HTTP__LISTEN": 8025}
    chosen = {
        name: f"127.0.0.1:{port if _is_free(port) else 0}" for name, port in listeners.items() if name not in given
    }
    return {"POSTBELL_LOG__LEVEL": "warning", **chosen, **given, "POSTBELL_STATE_DIR": str(here / DIRECTORY)}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def announcer(settings: Settings) -> Callable[[], None]:
    """Make sure of the demo user, and return what to call when everything listens."""
    login = _login(settings)

    def announce() -> None:
        mqtt = reach.mqtt(settings)
        assert mqtt is not None, "the demonstration has a broker of its own"
        web = reach.web_url(settings)
        whose = {"user": USER, "device": BROWSER, "password": login["browser"]}
        link = pairing_link.link(web, **whose, root=settings.mqtt.root) if web else ""
        smtp = str(reach.smtp(settings))
        typer.echo("\n".join(screen(login, smtp=smtp, mqtt=reach.from_the_network(mqtt), link=link)))

    return announce


def screen(login: dict[str, str], *, smtp: str, mqtt: TcpAddress, link: str) -> list[str]:
    """The six lines that a newcomer needs, and one more where a phone in the network may join."""
    prefix = f"POSTBELL_STATE_DIR={DIRECTORY} .venv/bin/postbell"
    lines = [
        f"Postbell runs. SMTP listens on {smtp}, MQTT on {mqtt}. Ctrl-C stops it; the data stays in {DIRECTORY}/",
        f"Demo login   user {login['username']}  password {login['password']}  (topic mail/{USER}/text)",
        *([f"In a browser {link}"] if link else []),
        f"Watch        {prefix} watch {USER}/{DEVICE}",
        f"Send         {prefix} send docs/examples/emoji-zwj.eml --to {ADDRESS}",
        f"Or by hand   swaks --server {smtp} --to {ADDRESS} --header 'Subject: Hello' --body 'It works.'",
    ]
    if not mqtt.loopback:
        app = f"{prefix} device add {USER} app --qr"
        lines.append(f"On a phone   {app}   (any MQTT app: host {mqtt.host}, port {mqtt.port}, no TLS)")
    return lines


def _login(settings: Settings) -> dict[str, str]:
    """The logins of the demo devices, kept in a file beside the database so that every start can show them.

    `browser` is the password of the device that is one.
    """
    path = settings.state_dir / LOGIN_FILE
    known = _has_user(settings)
    if known and path.exists():
        login: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        if "browser" in login:
            return login
    with opening.changing(settings) as transaction:
        if not known:
            people.add_user(transaction, USER, [ADDRESS])
        password, browser = (_password(transaction, device) for device in (DEVICE, BROWSER))
    login = {"username": pairing.username(USER, DEVICE), "password": password, "browser": browser}
    path.touch(mode=0o600)
    path.write_text(json.dumps(login), encoding="utf-8")
    return login


def _password(transaction: Transaction, device: str) -> str:
    """A password for a device that there may be."""
    there = {each.device for each in pairing.list_devices(transaction.connection, USER)}
    if device in there:
        return pairing.renew_device(transaction, USER, device)
    return pairing.add_device(transaction, USER, device)


def _has_user(settings: Settings) -> bool:
    if not settings.database.exists():
        return False
    with offline.reading(settings.database) as connection:
        return any(user.user == USER for user in people.list_users(connection, 0))
