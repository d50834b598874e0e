"""Bridges at one PostgreSQL with two mosquittos as cells, whose logins they keep, behind one HAProxy."""

from __future__ import annotations

import contextlib
import itertools
import json
import shlex
import smtplib
from typing import TYPE_CHECKING, Any, Self

from tests.support import mqtt_client as mqtt
from tests.support.cells import Proxy
from tests.support.outside import OutsideBroker
from tests.support.shared_store import NodeSystem, SharedStore
from tests.support.waiting import free_port, until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_NUMBERS = itertools.count()
"""Of administrators, each of whom is asked for once."""


class SharedCells:
    """The whole; `main` is the broker of the configuration."""

    def __init__(
        self, directory: Path, url: str, *, names: Sequence[str] = ("main", "east"), broken: str = "", **more: str
    ) -> None:
        self.directory, self.url, self.store = directory, url, SharedStore(url)
        self.front, admin = free_port(), directory / "admin.sock"
        self.admin = admin
        self.cells = {name: OutsideBroker(directory / name, "mosquitto") for name in names}
        (directory / "nodes").write_text("a:word-of-a\nb:word-of-b\n")
        main = self.cells["main"]
        told = {
            "POSTBELL_MQTT__NODES_FILE": str(directory / "nodes"),
            "POSTBELL_MQTT__LOGINS_FOR": "mosquitto",
            "POSTBELL_MQTT__LOGINS_DIR": str(main.logins),
            "POSTBELL_MQTT__LOGINS_HOOK": json.dumps(main.hook),
            "POSTBELL_MQTT__KEEPALIVE": "5",
            "POSTBELL_CELLS__HAPROXY": str(admin),
            "POSTBELL_CELLS__MAP": str(directory / "cells.map"),
            "POSTBELL_RETAIN__COUNT": "10000",
            **more,
        }
        broker = f"mqtt://127.0.0.1:{main.port}"
        self.nodes = {
            name: NodeSystem(directory / name, name, store=url, broker=broker, broken=broken, **told) for name in "ab"
        }
        self.proxy: Proxy | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for broker in self.cells.values():
            for file in ("passwords", "acl"):
                (broker.logins / file).touch(mode=0o600)
            broker.start()
            self._stack.callback(broker.stop)
        for node in self.nodes.values():
            self._stack.enter_context(node)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def a(self) -> NodeSystem:
        return self.nodes["a"]

    @property
    def b(self) -> NodeSystem:
        return self.nodes["b"]

    def add_east(self) -> None:
        """The second cell."""
        east = self.cells["east"]
        self.run(
            *("cell", "add", "east", f"mqtt://127.0.0.1:{east.port}", "--logins-for", "mosquitto"),
            *("--logins-dir", str(east.logins), "--logins-hook", shlex.join(east.hook)),
        )

    def device_of(self, user: str) -> dict[str, str]:
        """A device for a user; its login."""
        login: dict[str, str] = json.loads(self.run("device", "add", user, "phone", "--json").stdout)
        return login

    def run(self, *arguments: str, node: str = "a") -> subprocess.CompletedProcess[str]:
        return self.nodes[node].run(*arguments)

    def serve(self) -> None:
        """Both bridges, each with its share, connected to both cells; and HAProxy."""
        for node in self.nodes.values():
            node.start_bridge()
        self.wait_connected(*self.nodes)
        self.store.spread("a", "b")
        text = self.run("setup", "haproxy", "--listen", f"127.0.0.1:{self.front}").stdout
        self.proxy = Proxy(self.directory, port=self.front, text=text, admin=self.admin).start()
        self._stack.callback(self.proxy.stop)

    def wait_connected(self, *names: str) -> None:
        """Wait until these bridges have a connection to each cell."""

        def connected() -> bool:
            facts = [self.nodes[name].facts("bridge") for name in names]
            return all(each.get("connected") and each.get("cells") == {"east": True} for each in facts)

        until(connected, what=f"{names} to be connected to both cells")

    def users_of(self, owner: str) -> set[str]:
        """The users whose shards a node has."""
        query = 'SELECT u.name FROM lease l JOIN "user" u ON u.shard = l.shard WHERE l.owner = ?'
        return {name for (name,) in self.store.rows(query, owner)}

    def at(self, cell: str) -> set[str]:
        """The users of a cell."""
        query = 'SELECT u.name FROM "user" u JOIN cell c ON c.cell_id = u.cell WHERE c.name = ?'
        return {name for (name,) in self.store.rows(query, cell)}

    def send(self, subject: str, *users: str, node: str = "b") -> str:
        raw = f"From: Carol <carol@example.net>\nSubject: {subject}\n\nhello\n".encode()
        return self.nodes[node].send(raw, *(f"{user}@example.org" for user in users))

    def send_somewhere(self, subject: str, user: str) -> str | None:
        """Hand in to whoever takes it; None when nobody does now."""
        raw = f"From: Carol <carol@example.net>\nSubject: {subject}\nMessage-ID: <{subject}@test>\n\nhello\n".encode()
        for node in self.nodes.values():
            with contextlib.suppress(OSError, KeyError, AssertionError, smtplib.SMTPException):
                host, _, port = node.facts("bridge")["smtp"].rpartition(":")
                with smtplib.SMTP(host, int(port), timeout=5) as smtp:
                    smtp.ehlo("test.example")
                    smtp.mail("sender@example.net")
                    assert smtp.rcpt(f"{user}@example.org")[0] == 250
                    code, answer = smtp.data(raw)
                    assert code == 250
                    return answer.split()[1].decode()
        return None

    # --- devices ------------------------------------------------------------------------------------------

    def watch(self, login: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """The reference client, through HAProxy; its record goes on where it ended."""
        user = login["user"]
        secret = self.directory / f"{user}.password"
        secret.write_text(login["password"])
        return self.a.start(
            *("watch", f"{user}/phone", "--json", "--url", f"mqtt://127.0.0.1:{self.front}"),
            *("--password-file", str(secret), "--state", str(self.directory / f"{user}.journal")),
            module="clients",
            log=f"watch-{user}",
        )

    def shown(self, user: str) -> list[str]:
        """The ids that the reference client has shown, in their order."""
        lines = (self.a.directory / f"watch-{user}.log").read_text().splitlines()
        return [json.loads(line)["id"] for line in lines if line.startswith("{") and '"subject"' in line]

    def device(self, login: Mapping[str, str], *, cell: str = "", clean: bool = False) -> mqtt.Raw | None:
        """A device of MQTT 3.1.1 through HAProxy or at a cell; None when it is refused."""
        client = mqtt.Raw(("127.0.0.1", self.cells[cell].port if cell else self.front))
        name = login["username"]
        client.send(mqtt.connect(name.replace(".", ":"), username=name, password=login["password"], clean=clean))
        answer = client.receive()
        if answer is None or answer.body[1]:
            client.__exit__(None, None, None)
            return None
        return client

    def retained(self, cell: str, topic_filter: str) -> set[str]:
        """The topics that are retained at a cell, as an administrator sees them."""
        login = json.loads(self.run("admin", "add", f"boss{next(_NUMBERS)}", "--json").stdout)
        client: Any = until(
            lambda: self.device(login, cell=cell, clean=True), what="the administrator to be known at the cell"
        )
        with client:
            client.send(mqtt.subscribe((topic_filter, 1)))
            return {packet.topic for packet in client.flush() if packet.kind == mqtt.PUBLISH and packet.payload}
