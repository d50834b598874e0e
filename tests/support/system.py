"""A whole Postbell in processes of its own, for tests: started, asked, stopped by pid."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bridge.cli.send import with_crlf
from bridge.store import backlog, offline
from tests.support.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]


class System:
    """One state directory and the processes started on it. Use as a context manager."""

    def __init__(self, directory: Path, **overrides: str) -> None:
        self.state_dir = directory / "state"
        self.directory = directory
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTBELL_")}
        self.environment |= {
            "POSTBELL_STATE_DIR": str(self.state_dir),
            "XDG_STATE_HOME": str(directory / "home"),
            "POSTBELL_SMTP__LISTEN": "127.0.0.1:0",
            "POSTBELL_BROKER__LISTEN": "127.0.0.1:0",
            "POSTBELL_LOG__FORMAT": "json",
            "POSTBELL_RETAIN__COUNT": "1000",
            **overrides,
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            self.stop(process)

    # --- processes --------------------------------------------------------------------------------

    def start(self, *arguments: str, module: str = "bridge", log: str = "") -> subprocess.Popen[bytes]:
        """Start `python -m bridge …` (or another half) with its log in a file of the directory."""
        path = self.directory / f"{log or arguments[0]}.log"
        with path.open("ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=self.directory,
                env=self.environment | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
        self.processes.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
        """End a process and wait for it."""
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def serve(self) -> subprocess.Popen[bytes]:
        """`postbell serve`, up and connected."""
        process = self.start("serve")
        self.wait_connected()
        return process

    def wait_connected(self) -> None:
        """Wait until the bridge is connected to its broker and everything marked is published."""
        until(lambda: self.facts("bridge").get("connected"), what="the bridge to be connected")

    def facts(self, name: str) -> dict[str, Any]:
        """What a process says about itself in the run directory."""
        try:
            facts: dict[str, Any] = json.loads((self.state_dir / "run" / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return facts

    def run(self, *arguments: str, module: str = "bridge", check: bool = True) -> subprocess.CompletedProcess[str]:
        """One command to its end, with its output."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.directory,
            env=self.environment | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments} ended with {done.returncode}: {done.stderr}")
        return done

    # --- people and mail --------------------------------------------------------------------------

    def add(self, user: str, device: str = "phone", address: str = "") -> dict[str, str]:
        """A user with one device; its login."""
        self.run("user", "add", user, "--address", address or f"{user}@example.org")
        login: dict[str, str] = json.loads(self.run("device", "add", user, device, "--json").stdout)
        return login

    def status(self) -> dict[str, Any]:
        """What `postbell status --json` says."""
        status: dict[str, Any] = json.loads(self.run("status", "--json", check=False).stdout)
        return status

    def wait_drained(self) -> None:
        """Wait until nothing waits for the broker."""
        until(lambda: self.waiting() == 0, what="the outbox to be empty")

    def waiting(self) -> int:
        """How many topics wait for the broker, straight from the store."""
        with offline.reading(self.state_dir / "postbell.db") as connection:
            return backlog.waiting(connection)

    def smtp(self) -> smtplib.SMTP:
        """A connection to the SMTP listener."""
        host, _, port = self.facts("bridge")["smtp"].rpartition(":")
        return smtplib.SMTP(host, int(port), timeout=PATIENCE_S)

    def send(self, raw: bytes, *recipients: str) -> str:
        """Hand in one mail; the id from the 250."""
        with self.smtp() as smtp:
            smtp.ehlo("test.example")
            smtp.mail("sender@example.net", ["BODY=8BITMIME"])
            for recipient in recipients:
                code, answer = smtp.rcpt(recipient)
                assert code == 250, answer
            code, answer = smtp.data(with_crlf(raw))
            assert code == 250, answer
            return answer.split()[1].decode()

    def mqtt_port(self) -> int:
        """Where the embedded broker listens."""
        return int(self.facts("broker")["mqtt"].rpartition(":")[2])


class Subscriber:
    """mosquitto_sub as an independent device: what it received, as (topic, payload) pairs."""

    def __init__(
        self, program: str, *, port: int, filters: Sequence[str], output: Path, options: Sequence[str]
    ) -> None:
        self.output = output
        topics = [part for topic_filter in filters for part in ("-t", topic_filter)]
        with output.open("ab") as stream:
            self.process = subprocess.Popen(
                [
                    "stdbuf",
                    "-oL",
                    program,
                    "-h",
                    "127.0.0.1",
                    "-p",
                    str(port),
                    "-q",
                    "1",
                    "-F",
                    "%r %t %x",
                    *options,
                    *topics,
                ],
                stdout=stream,
                stderr=subprocess.PIPE,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def received(self) -> list[tuple[bool, str, bytes]]:
        """(retained, topic, payload) of each message so far; an incomplete last line is left out."""
        messages = []
        for line in self.output.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                retained, topic, payload = line.rstrip("\n").split(" ", 2)
                messages.append((retained == "1", topic, bytes.fromhex(payload)))
        return messages
