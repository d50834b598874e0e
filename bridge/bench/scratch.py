"""A Postbell of its own in a scratch directory: configured like the installation, reached by nobody else."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.config import loading
from bridge.daemon import control, runfile
from bridge.errors import PostbellError
from bridge.store import amounts, backlog, offline, pairing, people

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.config.settings import Settings

USER, DEVICE, ADDRESS = "bench", "device", "bench@localhost"
_PATIENCE_S, _LOOK_S = 60.0, 0.02
_OFF = (
    *("SMTP__TLS_LISTEN", "SMTP__TLS_CERT", "SMTP__TLS_KEY", "LMTP__LISTEN"),
    *("HTTP__LISTEN", "HTTP__TLS_CERT", "HTTP__TLS_KEY", "HTTP__PUBLIC_URL"),
    *("BROKER__WEBSOCKET", "BROKER__TLS_LISTEN", "BROKER__SECURE_WEBSOCKET", "BROKER__PUBLIC_URL"),
    *("BROKER__TLS_CERT", "BROKER__TLS_KEY", "BROKER__TLS_CLIENT_CA"),
    *("MQTT__URL", "MQTT__USERNAME", "MQTT__PASSWORD_FILE", "MQTT__CA_FILE", "MQTT__LOGINS_FOR", "MQTT__LOGINS_DIR"),
    "STORE__URL",
)
"""What would reach out of the scratch, or let others in."""


class NotRunningError(PostbellError):
    """The scratch Postbell did not start, or has ended."""


def environment(given: Mapping[str, str], state: Path, *, mails: int) -> dict[str, str]:
    """The variables that keep a configuration within a scratch, and let so many mails be live in it at once."""
    return {
        **given,
        **{f"POSTBELL_{name}": "" for name in _OFF},
        "POSTBELL_STATE_DIR": str(state),
        "POSTBELL_SMTP__LISTEN": "127.0.0.1:0",
        "POSTBELL_SMTP__NETWORKS": '["127.0.0.0/8"]',
        "POSTBELL_SMTP__PROXIES": "[]",
        "POSTBELL_BROKER__EMBEDDED": "true",
        "POSTBELL_BROKER__LISTEN": "127.0.0.1:0",
        "POSTBELL_BROKER__PROXIES": "[]",
        "POSTBELL_PUSH__ENABLED": "false",
        "POSTBELL_LOG__LEVEL": "warning",
        "POSTBELL_RETAIN__COUNT": str(mails),
    }


@dataclass(frozen=True, slots=True)
class Scratch:
    """A Postbell that runs, with one user and one device."""

    settings: Settings
    login: tuple[str, str]
    process: subprocess.Popen[bytes]

    def facts(self, name: str) -> dict[str, Any]:
        """What one of its processes says of itself."""
        return runfile.read(self.settings.run_dir, name)

    def address(self, process: str, listener: str) -> tuple[str, int]:
        """Where a listener of a process is."""
        host, _, port = str(self.facts(process)[listener]).rpartition(":")
        return host, int(port)

    @property
    def topics(self) -> str:
        """The filter of the headers of the user's mail."""
        return f"{self.settings.mqtt.root}/{USER}/msg/+"

    def kept(self) -> int:
        """How many mails of the user the store holds live."""
        with offline.reading(self.settings.database) as connection:
            return amounts.live_messages(connection)

    def waiting(self) -> int:
        """What the outbox holds once it has had its time to become empty."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            with offline.reading(self.settings.database) as connection:
                rows = backlog.waiting(connection)
            if not rows or time.monotonic() > end:
                return rows
            time.sleep(_LOOK_S)

    def acknowledged(self) -> int:
        """How many headers of mail the broker has acknowledged since the start; raises ControlError."""
        told = control.ask(self.settings.run_dir, {"do": "figures"})
        return int(told["headers"])


@contextmanager
def scratch(
    command: Sequence[str], config: Path | None, *, within: Path | None, mails: int, patience_s: float = _PATIENCE_S
) -> Iterator[Scratch]:
    """Run `command`, which serves, on an empty state below a directory; all of it is gone afterwards.

    `config` is the installation's file. Raises NotRunningError, ConfigurationError and store errors.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", dir=within) as name:
        variables = environment(os.environ, Path(name) / "state", mails=mails)
        settings = loading.load(config, environ=variables)
        settings.state_dir.mkdir(mode=0o700)
        login = _with_a_user(settings)
        log = Path(name) / "serve.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(  # noqa: S603 - our own program
                command, env=variables, cwd=name, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
            )
        running = Scratch(settings, login, process)
        try:
            _wait_connected(running, log, patience_s)
            yield running
        finally:
            _end(process)


def _with_a_user(settings: Settings) -> tuple[str, str]:
    now_ms = time.time_ns() // 1_000_000
    with offline.transaction(settings.database, now_ms=now_ms, count=settings.retain.count, days=1) as transaction:
        people.add_user(transaction, USER, [ADDRESS])
        return pairing.username(USER, DEVICE), pairing.add_device(transaction, USER, DEVICE)


def _wait_connected(running: Scratch, log: Path, patience_s: float) -> None:
    end = time.monotonic() + patience_s
    while not running.facts(runfile.BRIDGE).get("connected"):
        if running.process.poll() is not None or time.monotonic() > end:
            last = log.read_text("utf-8", "replace").strip().splitlines()[-3:]
            raise NotRunningError("\n".join(["the scratch Postbell did not start:", *last]))
        time.sleep(_LOOK_S)
    control.ask(running.settings.run_dir, {"do": "reconcile", "dry_run": False})
    running.waiting()  # else what comes in during the first comparison may be published twice


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
        return
    process.kill()
    process.wait()
