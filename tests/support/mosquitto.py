"""A real mosquitto on a port of its own: for everybody and everything, or with the rules that Postbell generates."""

from __future__ import annotations

import getpass
import re
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from bridge.config.endpoints import TcpAddress
from bridge.setup import mosquitto as generated
from bridge.setup.broker import Listeners
from bridge.store import logins as logins_store
from tests.conftest import need
from tests.support.waiting import free_port, listens, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


class Mosquitto:
    """A mosquitto that keeps nothing, and its log; its port stays the same when it is started again."""

    def __init__(self, directory: Path, *settings: str, port: int = 0, verbose: bool = True) -> None:
        self.program = need("mosquitto")
        self.port = port or free_port()
        self.log = directory / "mosquitto.log"
        self.configuration = directory / "mosquitto.conf"
        self.configuration.write_text("\n".join(self._lines(settings)) + "\n")
        self.command = (self.program, "-c", str(self.configuration), *(("-v",) if verbose else ()))
        self.process: subprocess.Popen[bytes] | None = None

    def _lines(self, settings: Iterable[str]) -> list[str]:
        strangers = [] if any("password_file" in line for line in settings) else ["allow_anonymous true"]
        return [f"listener {self.port} 127.0.0.1", *strangers, "persistence false", USER, *settings]

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def address(self, name: str = "mqtt") -> tuple[str, int]:
        assert name == "mqtt"
        return "127.0.0.1", self.port

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        until(self._listens, what="mosquitto to listen")
        return self

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def logged(self, text: str) -> int:
        """How often its log has a text."""
        return self.log.read_text(errors="replace").count(text)

    def replayed(self, client_id: str) -> int:
        """How many headers it sent to a client because of a subscription; what it sent again is not counted."""
        log = self.log.read_text(errors="replace")
        return len(re.findall(rf"Sending PUBLISH to {client_id} \(d0, q\d, r1, m\d+, 'mail/\w+/msg/", log))

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"mosquitto ended: {self.log.read_text(errors='replace')}"
        return listens(self.address())

    def _end(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self._end(signal.SIGTERM)


class RuledMosquitto(Mosquitto):
    """A mosquitto with the logins and rules that Postbell generates for it.

    It keeps sessions and retained messages, unless it is not `persistent`.
    """

    def __init__(
        self,
        directory: Path,
        roles: Mapping[str, str],
        passwords: Mapping[str, str],
        *,
        port: int = 0,
        verbose: bool = True,
        persistent: bool = True,
    ) -> None:
        super().__init__(directory, port=port, verbose=verbose)
        write_rules(self.configuration, port=self.port, roles=roles, passwords=passwords, persistent=persistent)


USER = f"user {getpass.getuser()}"
"""Mosquitto started by root would be another user, and could read none of a test's files."""


def write_rules(
    configuration: Path, *, port: int, roles: Mapping[str, str], passwords: Mapping[str, str], persistent: bool = True
) -> None:
    """Write a mosquitto.conf with the generated settings, and the login files beside it."""
    directory = configuration.parent
    here = Listeners(TcpAddress("127.0.0.1", port), None, None)
    text = generated.fragment(here, login_files=str(directory))
    if not persistent:
        text = text.replace("persistence true", "persistence false")
    logins = [logins_store.verified(name, passwords[name], role=role) for name, role in roles.items()]
    files = {file.path: file.text for file in generated.login_files(logins, root="mail", home="homeassistant")}
    files[configuration.name] = f"{text}persistence_location {directory}/\n{USER}\n"
    for name, content in files.items():
        path = directory / name
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(content)


@contextmanager
def mosquitto(directory: Path, *, port: int = 0, settings: str = "max_queued_messages 0") -> Iterator[int]:
    """Run mosquitto until the block ends, with nothing kept from before; its port."""
    with Mosquitto(directory, settings, port=port) as running:
        yield running.port
