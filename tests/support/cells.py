"""A whole Postbell with cells: mosquittos that keep its logins, each with some users, and HAProxy in front of them."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from typing import TYPE_CHECKING, Self

from tests.conftest import need
from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as mqtt5
from tests.support.outside import OutsideBroker
from tests.support.system import System
from tests.support.waiting import free_port, listens, until

if TYPE_CHECKING:
    from pathlib import Path


class Proxy:
    """A HAProxy with the configuration that `postbell setup haproxy` prints."""

    def __init__(self, directory: Path, *, port: int, text: str, admin: Path) -> None:
        self.port, self.admin = port, admin
        self._configuration, self._log = directory / "haproxy.cfg", directory / "haproxy.log"
        self._configuration.write_text(text)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        command = [need("haproxy"), "-db", "-f", str(self._configuration)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._listens, what="HAProxy to listen")
        return self

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"HAProxy ended: {self._log.read_text(errors='replace')}"
        return listens(("127.0.0.1", self.port))


class CellSystem(System):
    """Postbell with the embedded broker as the first cell, mosquittos as the others, and HAProxy if asked for."""

    def __init__(self, directory: Path, *names: str, **overrides: str) -> None:
        self.front = free_port()
        self.admin = directory / "admin.sock"
        super().__init__(directory, POSTBELL_CELLS__HAPROXY=str(self.admin), **overrides)
        self.cells = {name: OutsideBroker(directory / name, "mosquitto") for name in names}
        self.proxy: Proxy | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        for name, broker in self.cells.items():
            for file in ("passwords", "acl"):
                (broker.logins / file).touch(mode=0o600)
            broker.start()
            self.add_cell(name)
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.ExitStack() as stack:
            for broker in self.cells.values():
                stack.callback(broker.stop)
            if self.proxy is not None:
                stack.callback(self.proxy.stop)
            super().__exit__(*exception)

    def add_cell(self, name: str) -> None:
        broker = self.cells[name]
        hook, where = shlex.join(broker.hook), str(broker.logins)
        url = f"mqtt://127.0.0.1:{broker.port}"
        self.run(
            *("cell", "add", name, url, "--logins-for", "mosquitto"), *("--logins-dir", where, "--logins-hook", hook)
        )

    def serve_behind_proxy(self, *, certificate: Path | None = None) -> subprocess.Popen[bytes]:
        """The bridge and the first cell's broker, and HAProxy once all cells are connected; with TLS if it has one."""
        process = self.serve()
        self.wait_cells()
        here = f"127.0.0.1:{self.front}"
        listening = ("--tls-cert", str(certificate), "--tls-listen", here) if certificate else ("--listen", here)
        text = self.run("setup", "haproxy", *listening).stdout
        self.proxy = Proxy(self.directory, port=self.front, text=text, admin=self.admin).start()
        return process

    def wait_cells(self) -> None:
        """Wait until there is a connection to each cell."""
        wanted = dict.fromkeys(self.cells, True)
        until(lambda: self.facts("bridge").get("cells") == wanted, what="all cells to be connected")

    def device(self, login: dict[str, str], *, port: int = 0, clean: bool = False) -> mqtt.Raw | None:
        """A device of MQTT 3.1.1 that comes through HAProxy or to this port; None when it is refused."""
        client = mqtt.Raw(("127.0.0.1", port or self.front))
        client.send(
            mqtt.connect(
                login["username"].replace(".", ":"),
                username=login["username"],
                password=login["password"],
                clean=clean,
            )
        )
        answer = client.receive()
        if answer is None or answer.body[1]:
            client.__exit__(None, None, None)
            return None
        return client


__all__ = ["CellSystem", "Proxy", "mqtt5"]
