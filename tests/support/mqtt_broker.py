"""Real broker processes for tests: the embedded one with its table of logins, and mosquitto with ours."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from bridge.store import database
from broker import mosquitto
from broker.acl import Identity, Role
from tests.support import mqtt_client as mqtt

ROOT = Path(__file__).resolve().parents[2]
SALT = b"0123456789abcdef"


def password_of(username: str) -> str:
    return f"password-of-{username}"


class LoginTable:
    """The table that the bridge would write."""

    def __init__(self, path: Path) -> None:
        database.prepare(path)
        self._database = sqlite3.connect(path, isolation_level=None)

    def add(self, username: str, role: str = "device", *, label: str = "", password: str | None = None) -> None:
        digest = hashlib.sha256(SALT + (password or password_of(username)).encode()).digest()
        self._database.execute(
            "INSERT OR REPLACE INTO login VALUES (?, ?, ?, ?, ?)", (username, label, role, SALT, digest)
        )

    def add_chosen(self, username: str, role: str, encoded: str) -> None:
        """A login whose password a person chose, given as its argon2 string."""
        self._database.execute(
            "INSERT OR REPLACE INTO login VALUES (?, '', ?, NULL, ?)", (username, role, encoded.encode())
        )

    def remove(self, username: str) -> None:
        self._database.execute("DELETE FROM login WHERE username = ?", (username,))

    def take_in_mail(self, commits: int) -> None:
        """What the bridge does all day: commits that change no login."""
        self._database.execute("PRAGMA synchronous = OFF")
        for number in range(commits):
            self._database.execute("INSERT INTO body (received_ms, size, raw) VALUES (?, 1, x'00')", (number,))

    def rehash(self, username: str, password: str) -> None:
        """Change a login in place, as somebody with a SQLite shell does."""
        digest = hashlib.sha256(SALT + password.encode()).digest()
        self._database.execute("UPDATE login SET hash = ? WHERE username = ?", (digest, username))

    def add_many(self, usernames: list[str]) -> None:
        self._database.execute("BEGIN")
        for username in usernames:
            self.add(username)
        self._database.execute("COMMIT")

    def close(self) -> None:
        self._database.close()


class EmbeddedBroker:
    """`python -m broker` on loopback, with its state in one directory; survives `kill` and `start`."""

    def __init__(self, state: Path, *, config: str = "", environ: dict[str, str] | None = None) -> None:
        self.state = state
        self.logins = LoginTable(state / "postbell.db")
        self.config = state / "postbell.toml"
        self._environ = {"POSTBELL_BROKER__LISTEN": "127.0.0.1:0", **(environ or {})}
        self.config.write_text(f"state_dir = {json.dumps(str(state))}\n{config}")
        self.log = state / "broker.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.told: dict[str, object] = {}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()
        self.logins.close()

    def command(self) -> list[str]:
        """What is started."""
        return [sys.executable, "-m", "broker", "--config", str(self.config), "--parent-pipe"]

    def start(self) -> Self:
        run_file = self.state / "run" / "broker.json"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self._environ},
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the broker ended: {self.logged()[-2000:]}"
            with contextlib.suppress(OSError, ValueError):
                self.told = json.loads(run_file.read_text())
                if self.told["pid"] == self.process.pid:
                    return self
            time.sleep(0.02)
        raise AssertionError("the broker does not listen")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """What `kill -9` leaves, served by a new process on the same port."""
        self.kill()
        self.start()

    def logged(self) -> str:
        return self.log.read_text()

    def address(self, name: str = "mqtt") -> tuple[str, int]:
        host, _, port = str(self.told[name]).rpartition(":")
        return host, int(port)

    def client(self, username: str, **options) -> mqtt.Raw:
        """A client of this username, connected; `present` is whether CONNACK said so."""
        raw = mqtt.Raw(self.address(), receive_buffer=options.pop("receive_buffer", 0))
        options.setdefault("password", password_of(username))
        raw.send(mqtt.connect(options.pop("client_id", username), username=username, **options))
        connack = raw.expect(mqtt.CONNACK)
        assert connack.body[1] == 0, f"CONNACK code {connack.body[1]}"
        raw.present = bool(connack.body[0])
        return raw

    def _end(self, number: int) -> int:
        if self.process is None or self.process.poll() is not None:
            return -1
        self.process.send_signal(number)
        code = self.process.wait(20)
        assert self.process.stdin is not None
        self.process.stdin.close()
        return code


class Mosquitto:
    """mosquitto on loopback, with the logins and rules that Postbell generates for it."""

    def __init__(self, program: str, state: Path, logins: dict[str, str]) -> None:
        self._program = program
        self._state = state
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._address = probe.getsockname()
        identities = [Identity(username, Role(role)) for username, role in logins.items()]
        passwords = [mosquitto.password_line(name, password_of(name), SALT[:12]) for name in logins]
        for name, content in (
            ("acl", mosquitto.acl_file(identities, root="mail")),
            ("passwords", "\n".join(passwords) + "\n"),
            (
                "conf",
                mosquitto.configuration(
                    listen=f"127.0.0.1:{self._address[1]}",
                    acl=str(state / "acl"),
                    passwords=str(state / "passwords"),
                    persistence=str(state),
                )
                + f"user {getpass.getuser()}\n",
            ),
        ):
            (state / name).write_text(content)
            (state / name).chmod(0o600)

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [self._program, "-c", str(self._state / "conf")], stderr=(self._state / "log").open("wb")
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self._state / "log").read_text()
            with contextlib.suppress(OSError):
                socket.create_connection(self._address, 1).close()
                return self
            time.sleep(0.02)
        raise AssertionError("mosquitto does not listen")

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(20)

    def address(self, name: str = "mqtt") -> tuple[str, int]:
        assert name == "mqtt"
        return self._address

    client = EmbeddedBroker.client
