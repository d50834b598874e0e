"""A real mosquitto or NATS that is set up by `postbell setup`, beside a whole Postbell that keeps its logins."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from typing import TYPE_CHECKING, Self

from bridge.config.endpoints import MqttUrl, TcpAddress
from bridge.setup import broker as recipes
from bridge.setup import mosquitto, nats
from tests.conftest import need
from tests.support import mqtt_client as mqtt
from tests.support.mosquitto import USER
from tests.support.system import System
from tests.support.waiting import free_port, listens, until

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("mosquitto", "nats")


class OutsideBroker:
    """The broker. Its listeners stay the same when it is started again; with a certificate there is one with TLS."""

    def __init__(self, directory: Path, kind: str, *, certificate: str = "", key: str = "") -> None:
        self.kind, self.directory = kind, directory
        self.logins = directory / "logins"
        self.logins.mkdir(parents=True)
        self.port = free_port()
        self.log, self._pid = directory / "broker.log", directory / "pid"
        self.process: subprocess.Popen[bytes] | None = None
        self.tls_port = free_port() if certificate else 0
        here = recipes.listeners(
            MqttUrl.of(TcpAddress("127.0.0.1", self.port)),
            tls=TcpAddress("127.0.0.1", self.tls_port) if certificate else None,
            websocket=None,
            certificate=certificate,
            key=key,
        )
        self.configuration = directory / "broker.conf"
        self._command: tuple[str, ...]
        if kind == "mosquitto":
            text = mosquitto.fragment(here, login_files=str(self.logins))
            text += f"persistence_location {directory}/\npid_file {self._pid}\n{USER}\n"
            self._command = (need("mosquitto"), "-c", str(self.configuration), "-v")
        else:
            text = nats.fragment(here, login_files="logins", store=str(directory / "store"))
            text += f'listen: "127.0.0.1:-1"\npid_file: "{self._pid}"\n'
            self._command = (need("nats-server"), "-c", str(self.configuration))
        self.configuration.write_text(text)

    @property
    def hook(self) -> list[str]:
        """What has the running broker read its login files."""
        return ["sh", "-c", f"kill -HUP $(cat {self._pid})"]

    @property
    def environment(self) -> dict[str, str]:
        """What Postbell has to know of it."""
        return {
            "POSTBELL_BROKER__EMBEDDED": "false",
            "POSTBELL_MQTT__URL": f"mqtt://127.0.0.1:{self.port}",
            "POSTBELL_MQTT__LOGINS_FOR": self.kind,
            "POSTBELL_MQTT__LOGINS_DIR": str(self.logins),
            "POSTBELL_MQTT__LOGINS_HOOK": json.dumps(self.hook),
        }

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(self._listens, what=f"{self.kind} to listen")
        return self

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.kind} ended: {self.log.read_text(errors='replace')}"
        return listens(("127.0.0.1", self.port)) and self._pid.exists()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    # --- clients ----------------------------------------------------------------------------------

    def connect(self, login: dict[str, str], *, clean: bool = False) -> mqtt.Raw | None:
        """A client with this login, or None when it was refused; `present` is whether it has a session."""
        client = mqtt.Raw(("127.0.0.1", self.port))
        client_id = login["username"].replace(".", ":")
        client.send(mqtt.connect(client_id, username=login["username"], password=login["password"], clean=clean))
        answer = client.receive()
        if answer is None or answer.body[1]:
            client.__exit__(None, None, None)
            return None
        client.present = bool(answer.body[0])
        return client

    def admitted(self, login: dict[str, str]) -> mqtt.Raw:
        """A client with a login that the broker must know."""
        client = self.connect(login)
        assert client is not None, f"{login['username']} is refused"
        return client


class OutsideSystem(System):
    """Postbell with such a broker, which runs as soon as its login files are written."""

    def __init__(self, directory: Path, kind: str, *, certificate: str = "", key: str = "", **overrides: str) -> None:
        self.broker = OutsideBroker(directory / "outside", kind, certificate=certificate, key=key)
        super().__init__(directory, **self.broker.environment, **overrides)

    def __enter__(self) -> Self:
        super().__enter__()
        self.run("user", "add", "bob", "--address", "bob@example.org")
        self.run("setup", self.broker.kind, "--logins")
        self.broker.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self.broker.stop)
            super().__exit__(*exception)

    def asked(self, *arguments: str) -> dict[str, str]:
        """The JSON that a command prints."""
        answer: dict[str, str] = json.loads(self.run(*arguments, "--json").stdout)
        return answer
