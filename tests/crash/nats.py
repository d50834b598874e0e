"""NATS with JetStream as an MQTT broker: a single node, and a cluster of three on loopback."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from tests.crash.brokers import listening
from tests.crash.processes import Service
from tests.crash.site import OBSERVER
from tests.support.nats import NatsNode
from tests.support.waiting import free_port, until_on_loop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.crash.history import History
    from tests.crash.site import Site

ACK_WAIT = "2s"
"""After so long an unacknowledged message is sent again; NATS' default of 30 s only makes runs longer."""
READY_S = 60


class Nats:
    """One node. A topic's `/` is a subject's `.`; what a device may do is told in subjects."""

    reorders: ClassVar[bool] = True
    newer: ClassVar[bool] = False
    nodes: ClassVar[int] = 1

    def __init__(self, site: Site, *, history: History, points: Sequence[str], environment: Mapping[str, str]) -> None:
        del points, environment
        self._site = site
        self._commands: list[Sequence[str]] = []
        self._mqtt = [free_port() for _ in range(self.nodes)]
        self._routes = [free_port() for _ in range(self.nodes)]
        self.services = [
            Service(
                "broker" if node == 0 else f"broker-{node + 1}",
                partial(self._command, node),
                directory=site.directory,
                environment={},
                history=history,
            )
            for node in range(self.nodes)
        ]

    async def start(self) -> None:
        directory = self._site.directory / "nats"
        directory.mkdir()
        for number, service in enumerate(self.services):
            node = NatsNode(directory, name=f"node-{number}", port=self._mqtt[number], more=self._more(number))
            self._commands.append(node.command)
            service.start()
        for port in self._mqtt:
            await listening(partial(self._at, port), patience_s=READY_S)

    def _command(self, node: int) -> Sequence[str]:
        return self._commands[node]

    @staticmethod
    def _at(port: int) -> tuple[str, int]:
        return "127.0.0.1", port

    def address(self) -> tuple[str, int]:
        """The first node that runs: when it is killed, clients come back to another one."""
        running = [node for node, service in enumerate(self.services) if service.pid is not None]
        return "127.0.0.1", self._mqtt[running[0] if running else 0]

    def _more(self, node: int) -> dict[str, Any]:
        told: dict[str, Any] = {
            "mqtt": {"ack_wait": ACK_WAIT, "max_ack_pending": 1000},
            "authorization": {"users": [self._user(*login) for login in self._site.passwords.items()]},
        }
        if self.nodes > 1:
            told["cluster"] = {
                "name": "crash",
                "listen": f"127.0.0.1:{self._routes[node]}",
                "routes": [f"nats-route://127.0.0.1:{port}" for port in self._routes],
            }
        return told

    def _user(self, username: str, password: str) -> dict[str, Any]:
        user, _, device = username.partition(".")
        mine = {"user": username, "password": password}
        if username in self._site.nodes:
            return mine
        if username == OBSERVER:
            return {
                **mine,
                "permissions": {"publish": [], "subscribe": ["mail", "mail.>", "mail-bridge.>", "$MQTT.sub.>"]},
            }
        tree = [f"mail.{user}", f"mail.{user}.>", "mail-bridge.*.status", "$MQTT.sub.>"]
        return {**mine, "permissions": {"publish": [f"mail.{user}.do.{device}"], "subscribe": tree}}


class NatsCluster(Nats):
    """Three nodes, each with all messages; schedules kill the first."""

    nodes: ClassVar[int] = 3

    async def start(self) -> None:
        await super().start()
        logs = [self._site.directory / f"{service.name}.log" for service in self.services]
        await until_on_loop(
            lambda: any("JetStream cluster new metadata leader" in log.read_text("utf-8", "replace") for log in logs),
            patience_s=READY_S,
            what="the cluster to have a leader",
        )
