"""The brokers that the suite runs against: how each is set up, started, and told its logins."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from typing import TYPE_CHECKING, ClassVar, Protocol

from broker import mosquitto
from broker.acl import Identity, Role
from tests.conftest import need
from tests.crash.processes import ENTRY, Service, until
from tests.crash.site import BRIDGE, OBSERVER
from tests.support.system import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.crash.history import History
    from tests.crash.site import Site


class Broker(Protocol):
    """A broker of a run. `services` are its processes: the first is what schedules call `broker`."""

    reorders: ClassVar[bool]
    """A message may overtake another one on the same topic."""
    services: list[Service]

    async def start(self) -> None:
        """Start it, and wait until it listens."""

    def address(self) -> tuple[str, int]:
        """Where clients are to connect now."""


class Embedded:
    """`python -m broker`, through the entry that arms named points."""

    reorders: ClassVar[bool] = False

    def __init__(self, site: Site, *, history: History, points: Sequence[str], environment: Mapping[str, str]) -> None:
        self._site = site
        self.services = [
            Service(
                "broker",
                (*ENTRY, "broker"),
                directory=site.directory,
                environment={**site.environment(), **environment},
                history=history,
                points=points,
            )
        ]

    async def start(self) -> None:
        self.services[0].start()
        await until(lambda: self._site.told("broker").get("pid") is not None, seconds=30, what="broker listens")

    def address(self) -> tuple[str, int]:
        at = self._site.address("broker", "mqtt")
        assert at is not None
        return at


class Mosquitto:
    """The mosquitto of the system with the rules that Postbell generates, every change saved within two seconds."""

    reorders: ClassVar[bool] = False
    persistent: ClassVar[bool] = True

    def __init__(self, site: Site, *, history: History, points: Sequence[str], environment: Mapping[str, str]) -> None:
        del points, environment
        self._site = site
        self._port = free_port()
        self._directory = site.directory / "mosquitto"
        command = (need("mosquitto"), "-c", str(self._directory / "mosquitto.conf"))
        self.services = [Service("broker", command, directory=site.directory, environment={}, history=history)]

    async def start(self) -> None:
        self._directory.mkdir()
        self._write("acl", mosquitto.acl_file(identities(self._site), root="mail"))
        self._write("passwords", "".join(f"{line}\n" for line in self._password_lines()))
        text = mosquitto.configuration(
            listen=f"127.0.0.1:{self._port}",
            acl=str(self._directory / "acl"),
            passwords=str(self._directory / "passwords"),
            persistence=str(self._directory),
        )
        if not self.persistent:
            text = text.replace("persistence true", "persistence false")
        self._write("mosquitto.conf", text + ("user root\n" if os.geteuid() == 0 else ""))
        self.services[0].start()
        await listening(self.address)

    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    def _write(self, name: str, text: str) -> None:
        path = self._directory / name
        path.touch(mode=0o600)
        path.write_text(text)

    def _password_lines(self) -> list[str]:
        passwords = self._site.passwords.items()
        return [mosquitto.password_line(username, word, secrets.token_bytes(12)) for username, word in passwords]


class ForgetfulMosquitto(Mosquitto):
    """The same without any persistence: a restart leaves nothing."""

    persistent: ClassVar[bool] = False


def identities(site: Site) -> list[Identity]:
    """Everyone who may log in, with their roles."""
    roles = {BRIDGE: Role.BRIDGE, OBSERVER: Role.ADMIN}
    return [Identity(username, roles.get(username, Role.DEVICE)) for username in site.passwords]


async def listening(address: Callable[[], tuple[str, int]], *, seconds: float = 30) -> None:
    """Wait until somebody listens there."""

    def open_now() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(address(), 1):
            return True
        return False

    await until(open_now, seconds=seconds, what=f"{address()} listens")
