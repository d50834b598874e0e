"""Real broker processes for tests: the embedded one with its table of logins, and mosquitto with ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Self

from bridge.store import database
from tests.support import mqtt_client as mqtt
from tests.support.mosquitto import RuledMosquitto
from tests.support.waiting import until

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
            "INSERT OR REPLACE INTO login (username, label, role, salt, hash) VALUES (?, ?, ?, ?, ?)",
            (username, label, role, SALT, digest),
        )

    def add_chosen(self, username: str, role: str, encoded: str) -> None:
        """A login whose password a person chose, given as its argon2 string."""
        self._database.execute(
            "INSERT OR REPLACE INTO login (username, label, role, hash) VALUES (?, '', ?, ?)",
            (username, role, encoded.encode()),
        )

    def replace(self, username: str, password: str) -> None:
        """A new password in the place of the old, as `postbell device password` has it."""
        digest = hashlib.sha256(SALT + password.encode()).digest()
        self._database.execute(
            "UPDATE login SET former = CAST(former || hash AS BLOB), hash = ? WHERE username = ?", (digest, username)
        )

    def remove(self, username: str, *, label: str | None = None) -> None:
        self._database.execute(
            "DELETE FROM login WHERE username = ?1 AND (?2 IS NULL OR label = ?2)", (username, label)
        )

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

        def listens() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"the broker ended: {self.logged()[-2000:]}"
            with contextlib.suppress(OSError, ValueError):
                self.told = json.loads(run_file.read_text())
            return self.told.get("pid") == self.process.pid and not self.told["awaited"]

        until(listens, what="the broker to listen")
        return self

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


class MosquittoWithOurRules(RuledMosquitto):
    """mosquitto with the logins and rules that Postbell generates for it, and clients as ours has them."""

    def __init__(self, state: Path, logins: dict[str, str]) -> None:
        super().__init__(state, logins, {name: password_of(name) for name in logins})

    client = EmbeddedBroker.client
