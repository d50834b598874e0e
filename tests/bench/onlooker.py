"""One who sees what a broker publishes, in a process of its own: mosquitto_sub, a topic a line."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.conftest import need
from tests.support.waiting import until

QUIET_S = 15.0
STATUS = "mail-bridge/mail/status"
"""Retained, as the bridge has it: who has it is subscribed to all else."""


class Onlooker:
    """Subscribed at QoS 1 from the beginning of the block on; `login` is a user name and a password, if need be."""

    def __init__(self, address: tuple[str, int], topic: str, *, login: tuple[str, ...] = ()) -> None:
        host, port = address
        named = [word for pair in zip(("-u", "-P"), login, strict=False) for word in pair]
        where = ["-h", host, "-p", str(port), *named, "-q", "1"]
        self._command = [need("mosquitto_sub"), *where, "-t", topic, "-t", "mail-bridge/+/status", "-F", "%t"]
        self._announce = [] if login else [need("mosquitto_pub"), *where, "-r", "-t", STATUS, "-m", "online"]
        self._directory = tempfile.TemporaryDirectory()
        self._topics: list[str] = []
        self._ready = False

    def __enter__(self) -> Self:
        if self._announce:
            subprocess.run(self._announce, check=True)
        path = Path(self._directory.name) / "topics"
        with path.open("wb") as output:
            self._process = subprocess.Popen([need("stdbuf"), "-oL", *self._command], stdout=output)
        self._written = path.open("rb")
        until(lambda: self.topics() is not None and self._ready, what="the onlooker to be subscribed")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._written.close()
        self._directory.cleanup()

    def topics(self) -> list[str]:
        """The topic of each message so far."""
        for line in self._written:
            name = line.decode().strip()
            if name.startswith("mail-bridge/"):
                self._ready = True
            else:
                self._topics.append(name)
        return self._topics

    def settled(self, expected: int) -> int:
        """How many messages came, once all have or none has come for a while."""
        last, since = 0, time.monotonic()
        while (now := len(self.topics())) < expected and time.monotonic() - since < QUIET_S:
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.02)
        return len(self.topics())
