"""A real mosquitto on a port of its own: for everybody and everything, or with the rules that Postbell generates."""

from __future__ import annotations

import base64
import getpass
import hashlib
import secrets
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from broker import mosquitto as generated
from broker.acl import Identity, Role
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


_ITERATIONS = 101  # mosquitto's own default
USER = f"user {getpass.getuser()}"
"""Mosquitto started by root would be another user, and could read none of a test's files."""


def password_line(username: str, password: str, salt: bytes) -> str:
    """One line of `password_file`. `salt` is 12 random bytes."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    parts = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{username}:$7${_ITERATIONS}${'$'.join(parts)}"


def configuration_text(*, listen: str, acl: str, passwords: str, persistence: str) -> str:
    """The text of `mosquitto.conf`, with the settings that docs/operations.md gives.

    `listen` is host:port, the rest are paths, `persistence` of a directory.
    """
    host, _, port = listen.rpartition(":")
    return "\n".join(
        (
            f"listener {port} {host.strip('[]')}",
            "allow_anonymous false",
            "use_username_as_clientid true",
            f"password_file {passwords}",
            f"acl_file {acl}",
            "persistence true",
            f"persistence_location {persistence.rstrip('/')}/",
            "autosave_on_changes false",  # true: the interval counts changes, and each writes the whole database
            "autosave_interval 1",
            "max_queued_messages 10000",
            "max_inflight_messages 64",
            "persistent_client_expiration 30d",
            "",
        )
    )


def write_rules(
    configuration: Path, *, port: int, roles: Mapping[str, str], passwords: Mapping[str, str], persistent: bool = True
) -> None:
    """Write a mosquitto.conf with the generated settings, ACL and password file beside it."""
    directory = configuration.parent
    acl, words = directory / "acl", directory / "passwords"
    text = configuration_text(
        listen=f"127.0.0.1:{port}", acl=str(acl), passwords=str(words), persistence=str(directory)
    )
    if not persistent:
        text = text.replace("persistence true", "persistence false")
    identities = [Identity(username, Role(role)) for username, role in roles.items()]
    lines = [password_line(name, word, secrets.token_bytes(12)) for name, word in passwords.items()]
    for path, content in (
        (configuration, f"{text}{USER}\n"),
        (acl, generated.acl_file(identities, root="mail")),
        (words, "\n".join(lines) + "\n"),
    ):
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(content)


@contextmanager
def mosquitto(directory: Path, *, port: int = 0, settings: str = "max_queued_messages 0") -> Iterator[int]:
    """Run mosquitto until the block ends, with nothing kept from before; its port."""
    with Mosquitto(directory, settings, port=port) as running:
        yield running.port
