"""The brokers that the suite runs against: how each is set up, started, and told its logins."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from tests.crash.processes import ENTRY, Service
from tests.crash.site import OBSERVER
from tests.support.mosquitto import RuledMosquitto
from tests.support.waiting import free_port, listens, until_on_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.crash.history import History
    from tests.crash.site import Site


def role_of(username: str, site: Site) -> str:
    """What a login may do."""
    return "bridge" if username in site.nodes else "admin" if username == OBSERVER else "device"


class Broker(Protocol):
    """A broker of a run. `services` are its processes: the first is what schedules call `broker`."""

    reorders: ClassVar[bool]
    """A message may overtake another one on the same topic."""
    newer: ClassVar[bool]
    """It speaks MQTT 5: one of the two phones then does, and the other one 3.1.1."""
    services: list[Service]

    async def start(self) -> None:
        """Start it, and wait until it listens."""

    def address(self) -> tuple[str, int]:
        """Where clients are to connect now."""


class Embedded:
    """`python -m broker`, through the entry that arms named points."""

    reorders: ClassVar[bool] = False
    newer: ClassVar[bool] = True

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
        await until_on_loop(
            lambda: self._site.told("broker").get("pid") is not None, patience_s=30, what="the broker to listen"
        )

    def address(self) -> tuple[str, int]:
        at = self._site.address("broker", "mqtt")
        assert at is not None
        return at


class Mosquitto:
    """The mosquitto of the system with the rules that Postbell generates, every change saved within two seconds."""

    reorders: ClassVar[bool] = False
    newer: ClassVar[bool] = True
    persistent: ClassVar[bool] = True

    def __init__(self, site: Site, *, history: History, points: Sequence[str], environment: Mapping[str, str]) -> None:
        del points, environment
        self._site = site
        self._port = free_port()
        self._command: Sequence[str] = ()
        self.services = [
            Service("broker", lambda: self._command, directory=site.directory, environment={}, history=history)
        ]

    async def start(self) -> None:
        directory, passwords = self._site.directory / "mosquitto", self._site.passwords
        directory.mkdir()
        roles = {username: role_of(username, self._site) for username in passwords}
        self._command = RuledMosquitto(
            directory, roles, passwords, port=self._port, verbose=False, persistent=self.persistent
        ).command
        self.services[0].start()
        await listening(self.address)

    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._port


class ForgetfulMosquitto(Mosquitto):
    """The same without any persistence: a restart leaves nothing."""

    persistent: ClassVar[bool] = False


async def listening(address: Callable[[], tuple[str, int]], *, patience_s: float = 30) -> None:
    """Wait until somebody listens there."""
    await until_on_loop(lambda: listens(address()), patience_s=patience_s, what=f"{address()} to listen")
