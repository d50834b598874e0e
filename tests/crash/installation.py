"""All that runs in one run: broker, bridge, links, devices and sender, wired together and started in order."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.crash.devices import Phone, Terminal
from tests.crash.disk import SmallDisk
from tests.crash.history import History
from tests.crash.network import Namespace
from tests.crash.processes import ENTRY, Service
from tests.crash.proxy import Proxy
from tests.crash.registry import BROKERS
from tests.crash.sender import Sender
from tests.crash.site import PHONE, TERMINAL, Site
from tests.crash.sleepers import MOST_MESSAGES, Sleepers
from tests.crash.workers import AnyWorker
from tests.support.waiting import until_on_loop

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from tests.crash.brokers import Broker
    from tests.crash.schedule import Schedule

START_S = 40.0
SESSIONS = 4


@dataclass(frozen=True, slots=True)
class Options:
    """What is run, apart from the schedule. `mutation` names what is broken on purpose."""

    broker: str = "embedded"
    mutation: str = ""
    without_reconciliation: bool = False
    """Switch the second safety net off, to see the first one alone."""
    store: str = "sqlite"
    """Or `postgresql` or `pair`: then `bridges` of them share it."""
    bridges: int = 1
    cells: int = 1
    """Or 2, each with a mosquitto of its own and some of the users, where several bridges share a store."""
    workers: int = 0
    """How many processes of the bridge's own converse with the sender; then one of them can be a target."""
    patience: float = 60.0
    """How many seconds the system may take to come to rest once nothing goes wrong any more."""


class Installation:
    """The parts of a run. Everything that MQTT and SMTP carry goes through a link that can be disturbed.

    Disk and network namespace, if the schedule needs them, are there until `stack` is closed.
    """

    def __init__(self, schedule: Schedule, options: Options, directory: Path, stack: ExitStack) -> None:
        self.schedule = schedule
        begun = time.monotonic()
        self.history = History(directory / "history.jsonl", clock=lambda: time.monotonic() - begun)
        self.site = self._make_site(directory)
        kinds = {action.kind for action in schedule.actions}
        self.disk = stack.enter_context(SmallDisk(self.site.state)) if "disk" in kinds else None
        self.namespace = stack.enter_context(Namespace()) if "netns" in kinds else None
        self.sleepers = self._sleepers(stack)
        self._prepare()
        self._mutation = {"CRASH_MUTATION": options.mutation}
        self.broker: Broker = self._make_broker(options)
        self.links = self._make_links()
        if self.namespace is not None:
            self.links["netns"] = Proxy(self.broker.address, host=self.namespace.host)
        self.bridges = self._make_bridges(options)
        self._beneath: list[Any] = list(self.broker.services)
        """What the others stand on, so that it ends last."""
        self.terminals = [self._terminal(user) for user in self.site.users]
        self.phones: list[Phone] = []
        self.sender = Sender(
            listener=self._listener,
            history=self.history,
            sessions=SESSIONS,
            pause=0.7 * SESSIONS * schedule.seconds / schedule.messages,
        )
        self.services: dict[str, Any] = {service.name: service for service in (*self.bridges, *self.broker.services)}
        self.services |= {terminal.name: terminal.service for terminal in self.terminals}
        if options.workers:
            worker = AnyWorker(self.bridges[0], directory=directory, environment={}, history=self.history)
            self.services[worker.name] = worker

    @property
    def promotions(self) -> int:
        """How often a standby became the primary of the database."""
        return 0

    def brokers(self) -> list[tuple[tuple[str, int], frozenset[str]]]:
        """Where the brokers are, and which users each has."""
        return [(self.broker.address(), frozenset(self.site.users))]

    def unrest(self) -> list[str]:
        """What else has to come to rest."""
        return []

    async def move(self, user: str) -> None:
        """Have a user go to another broker, where there are several."""
        raise NotImplementedError(user)

    def _make_broker(self, options: Options) -> Broker:
        return BROKERS[options.broker](
            self.site, history=self.history, points=self.schedule.points.get("broker", ()), environment=self._mutation
        )

    def _make_site(self, directory: Path) -> Site:
        return Site(directory, self.schedule.live_count)

    def _prepare(self) -> None:
        """Make the database with its people."""
        self.site.prepare(self.sleepers.subscription if self.sleepers else None)

    def _make_links(self) -> dict[str, Proxy]:
        """What every byte goes through, by the names that schedules use."""
        links = {"bridge": Proxy(self.broker.address), "devices": Proxy(self.broker.address)}
        return links | {"smtp": Proxy(lambda: self._ingress("bridge"))}

    def _make_bridges(self, options: Options) -> list[Service]:
        return [self._only_bridge(options)]

    @staticmethod
    def broken(options: Options) -> str:
        """What is broken on purpose in a bridge."""
        return ",".join([options.mutation, "no_reconciliation" if options.without_reconciliation else ""])

    def _sleepers(self, stack: ExitStack) -> Sleepers | None:
        """The devices that are rung by Web Push, where not too much mail comes to one bridge."""
        if self.schedule.messages > MOST_MESSAGES or len(self.site.nodes) > 1:
            return None
        users, seed = self.site.users, self.schedule.seed
        return stack.enter_context(Sleepers(self.site.directory, users, history=self.history, seed=seed))

    def _only_bridge(self, options: Options) -> Service:
        environment = (self.sleepers.environment() if self.sleepers else {}) | self.site.environment()
        environment |= {
            "CRASH_MUTATION": self.broken(options),
            "POSTBELL_BRIDGE__WORKERS": str(options.workers),
            "POSTBELL_MQTT__PASSWORD_FILE": str(self.site.password_file("bridge")),
        }

        def command() -> tuple[str, ...]:
            url = f"mqtt://127.0.0.1:{self.links['bridge'].port}"
            return ("/usr/bin/env", f"POSTBELL_MQTT__URL={url}", *ENTRY, "bridge")

        points = self.schedule.points.get("bridge", ())
        return Service(
            "bridge",
            command,
            directory=self.site.directory,
            environment=environment,
            history=self.history,
            points=points,
        )

    def _ingress(self, bridge: str) -> tuple[str, int]:
        at = self.site.address(bridge, "smtp")
        if at is None:
            raise ConnectionRefusedError
        return at

    def _listener(self, name: str) -> tuple[str, int] | None:
        """Where senders find the bridge: SMTP through its link, LMTP directly."""
        at = self.site.address("bridge", name)
        return ("127.0.0.1", self.links["smtp"].port) if at is not None and name == "smtp" else at

    def _terminal(self, user: str) -> Terminal:
        """The user's terminal; the first one's is in the network namespace, if there is one."""
        name = f"{user}/{TERMINAL}"
        away = self.namespace is not None and user == self.site.users[0]
        link = self.links["netns" if away else "devices"]
        return Terminal(
            self.site,
            name,
            url=lambda: f"mqtt://{link.host}:{link.port}",
            prefix=self.namespace.prefix if away and self.namespace is not None else (),
            history=self.history,
            points=self.schedule.points.get(name, ()),
            environment=self._mutation,
        )

    async def start(self) -> None:
        """Bring everything up, from the broker outwards, and wait until mail can come in and go out."""
        await self.broker.start()
        for link in self.links.values():
            if not link.port:
                await link.start()
        address = ("127.0.0.1", self.links["devices"].port)
        every = round(1 / self.schedule.seen_share) if self.schedule.seen_share else 0
        for number, user in enumerate(self.site.users):
            phone = Phone(
                self.site,
                f"{user}/{PHONE}",
                address=address,
                history=self.history,
                seen_every=every,
                heals=self.broker.reorders,
                newer=self.broker.newer and (number + self.schedule.seed) % 2 == 0,
            )
            phone.start()
            self.phones.append(phone)
        for bridge in self.bridges:
            bridge.start()
        for terminal in self.terminals:
            terminal.service.start()
        await until_on_loop(
            lambda: self.site.address(self.bridges[0].name, "smtp") is not None,
            patience_s=START_S,
            what="the bridge to take mail",
        )
        await until_on_loop(
            lambda: all(terminal.subscribed() for terminal in self.terminals),
            patience_s=START_S,
            what="all to be subscribed",
        )

    async def close(self) -> None:
        """End everything that was started."""
        for phone in self.phones:
            await asyncio.to_thread(phone.close)
        beneath = self._beneath
        await asyncio.gather(*(service.close() for service in self.services.values() if service not in beneath))
        for link in self.links.values():
            if link.port:
                await link.close()
        await asyncio.gather(*(service.close() for service in beneath))
        self.history.close()
