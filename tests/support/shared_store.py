"""Several bridges as processes at one PostgreSQL and one broker, each of them to be stopped, killed or broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bridge.postgres import connection as connecting
from bridge.shards.plan import SHARDS
from tests.support.system import ROOT, System
from tests.support.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAIN = "from bridge.__main__ import main\nmain()\n"


class SharedStore:
    """The database, seen by a test."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = connecting.connect(self.url, name="test")
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def owner(self, user: str) -> str | None:
        """Who has the lease of a user's shard."""
        [(owner,)] = self.rows('SELECT owner FROM lease l JOIN "user" u ON u.shard = l.shard WHERE u.name = ?', user)
        return str(owner) if owner else None

    def owners(self) -> dict[str, int]:
        """How many leases each node has that have not ended."""
        query = (
            "SELECT owner, count(*) FROM lease WHERE owner IS NOT NULL AND expires > clock_timestamp() GROUP BY owner"
        )
        return dict(self.rows(query))

    def spread(self, *nodes: str) -> None:
        """Wait until all leases are spread over these nodes."""

        def is_so() -> bool:
            owners = self.owners()
            return owners.keys() == set(nodes) and sum(owners.values()) == SHARDS

        until(is_so, what=f"the leases to be spread over {nodes}")

    def waiting(self) -> int:
        [(count,)] = self.rows("SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM message WHERE waits <> 0)")
        return int(count)

    def drained(self) -> None:
        until(lambda: self.waiting() == 0, what="the outbox to be empty")


class NodeSystem(System):
    """One bridge of several. `broken` is Python that is run before its program.

    Without a password it has that of its line in the nodes file.
    """

    def __init__(
        self, directory: Path, node: str, *, store: str, broker: str, password: str = "", broken: str = "", **more: str
    ) -> None:
        directory.mkdir()
        if password:
            (directory / "password").write_text(password)
            more["POSTBELL_MQTT__PASSWORD_FILE"] = str(directory / "password")
        super().__init__(
            directory,
            POSTBELL_NODE=node,
            POSTBELL_STORE__URL=store,
            POSTBELL_BROKER__EMBEDDED="false",
            POSTBELL_MQTT__URL=broker,
            **more,
        )
        self.node = node
        self.broken = broken
        self.bridge: Any = None

    def start_bridge(self) -> None:
        with (self.directory / "bridge.log").open("ab") as stream:
            self.bridge = subprocess.Popen(
                [sys.executable, "-c", self.broken + "\n" + MAIN, "bridge"],
                cwd=self.directory,
                env=self.environment | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
        self.processes.append(self.bridge)

    def send_signal(self, number: int) -> None:
        os.kill(self.bridge.pid, number)
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self.bridge.wait(PATIENCE_S)

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
        return super().stop(process, number)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """What it logged of an event."""
        found = []
        for line in (self.directory / "bridge.log").read_text(errors="replace").splitlines():
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict) and told.get("event") == event:
                found.append(told)
        return found


def retained(address: tuple[str, int], filters: Sequence[str]) -> dict[str, bytes]:
    """What a broker for everybody retains of these filters, complete: a marker comes behind it."""
    found: dict[str, bytes] = {}
    marked: list[bool] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"look-{os.getpid()}")

    def received(_client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        if message.topic == "test/marker":
            marked.append(True)
        else:
            found[message.topic] = bytes(message.payload)

    client.on_message = received

    def connected(*_: Any) -> None:
        client.subscribe([("test/marker", 1), *((each, 1) for each in filters)])

    def subscribed(*_: Any) -> None:
        client.publish("test/marker", b"x", 1)

    client.on_connect, client.on_subscribe = connected, subscribed
    client.connect(*address)
    client.loop_start()
    until(lambda: marked, what="the marker behind what is retained")
    client.disconnect()
    client.loop_stop()
    return found
