"""Clients that others wrote, each a process of its own, and what all of them have to be able to do with a broker."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support import mqtt_client as mqtt
from tests.support.mqtt_broker import password_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = Path(__file__).with_name("foreign_client.py")
DEVICE = "alice.phone"


def python_client(library: str, version: int, port: int) -> list[str]:
    """The command of a client by a Python library, on the broker at a port."""
    return [sys.executable, "-P", str(PROGRAM), library, str(port), DEVICE, password_of(DEVICE), str(version)]


class Foreign:
    """One running client."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._lines: list[dict[str, Any]] = []
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._complaints = threading.Thread(target=self._complain, daemon=True)
        self._errors: list[str] = []
        self._reader.start()
        self._complaints.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.append(json.loads(line))

    def _complain(self) -> None:
        for line in self.process.stderr:
            self._errors.append(line)

    def order(self, **what: str) -> None:
        assert self.process is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def said(self, word: str) -> list[Any]:
        """What it said so far with this word."""
        return [line[word] for line in self._lines if word in line]

    def wait_for(self, word: str, count: int = 1) -> Any:
        """The last of so many that it says with this word."""

        def look() -> list[Any]:
            found = self.said(word)[count - 1 :]
            assert found or self.process.poll() is None, f"it ended: {''.join(self._errors)[-2000:]}"
            return found

        return until(look, what=f"{count} times {word!r}, has {self._lines}")[0]

    def messages(self) -> list[tuple[str, str, bool]]:
        """Topic, payload and retain flag; its own requests, which some brokers tell it, are none."""
        told = [line for line in self._lines if "topic" in line and "/do/" not in line["topic"]]
        return [(line["topic"], line["payload"], line["retain"]) for line in told]

    def wait_for_messages(self, count: int) -> list[tuple[str, str, bool]]:
        """All that came, as soon as there are so many."""
        return until(lambda: (got := self.messages())[count - 1 :] and got, what=f"{count} messages, has {self._lines}")

    def leave(self) -> None:
        """Disconnect as one does."""
        self.order(do="leave")
        self.process.stdin.close()
        self.process.wait(20)
        self._close()

    def kill(self) -> None:
        """Be gone without a word."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        self._close()

    def _close(self) -> None:
        for stream, reader in ((self.process.stdout, self._reader), (self.process.stderr, self._complaints)):
            reader.join(20)
            stream.close()
        if not self.process.stdin.closed:
            self.process.stdin.close()


def lead_a_devices_life(broker, command: Sequence[str]) -> None:
    """Connect, subscribe once, hear what is retained, publish, have mail wait while away, leave a will, be ousted."""
    bridge = broker.client("bridge")
    bridge.subscribe("mail/alice/do/phone")

    def deliver(path: str, payload: bytes, *, retain: bool = False) -> None:
        bridge.send(mqtt.publish(f"mail/alice/{path}", payload, qos=1, retain=retain))
        while (came := bridge.receive()) is not None and came.kind == mqtt.PUBLISH:
            pass  # a will of the client that was tried before
        assert came is not None
        assert came.kind == mqtt.PUBACK

    deliver("text", b"what was retained", retain=True)
    with Foreign(command) as client:
        assert not client.wait_for("connected")
        client.order(do="subscribe", filter="mail/alice/#")
        assert client.wait_for("subscribed") == [1]
        client.wait_for_messages(1)
        client.order(do="publish", topic="mail/alice/do/phone", payload="a request")
        assert bridge.expect(mqtt.PUBLISH).payload == b"a request"
        client.leave()
        assert client.messages() == [("mail/alice/text", "what was retained", True)]
    for number in range(3):
        deliver(f"msg/{number}", b"%d" % number, retain=True)
    with Foreign(command) as client:
        assert client.wait_for("connected") in (True, None)
        client.wait_for_messages(3)
        deliver("msg/3", b"3")
        heard = client.wait_for_messages(4)
        assert heard == [(f"mail/alice/msg/{number}", str(number), False) for number in range(4)], heard
        client.kill()
        assert bridge.expect(mqtt.PUBLISH).payload == b"gone"
    with Foreign(command) as client:
        client.wait_for("connected")
        with broker.client("alice.phone", clean=False) as taker:
            assert taker.present
            client.wait_for("gone")
    bridge.close()
