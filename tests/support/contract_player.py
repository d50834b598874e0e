"""The other side of the contract: who publishes as the bridge does, and our client as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import zlib

import msgpack
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.waiting import until

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
FIRST = 28_123_456_789
DEADLINE_S = 30.0


def mail_id(number):
    return "".join(DIGITS[(FIRST + number) >> 5 * place & 31] for place in range(8, -1, -1))


def header(number, **fields):
    values = {"subject": f"mail {number}", "snippet": "what it says"} | fields
    return msgpack.packb([1, 1024, "Ada", "ada@example.org", values["subject"], values["snippet"], 100 + number])


class Player:
    """Publishes headers, tombstones and digests of one user; answers requests through `on_request`."""

    def __init__(self, broker, user="alice"):
        self.user = user
        self.live = {}
        self.requests = []
        self.on_request = lambda _request: []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="player", clean_session=True)
        self.client.max_inflight_messages_set(100)
        self.client.on_message = self._asked
        self.client.on_connect = self._connected
        self.subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert self.subscribed.wait(DEADLINE_S)

    def deliver(self, *numbers, **fields):
        """New mail: header, then the digest."""
        for number in numbers:
            self.live[mail_id(number)] = header(number, **fields)
            self.publish(f"msg/{mail_id(number)}", self.live[mail_id(number)])
        self.digest()

    def clear(self, *ids):
        """Messages leave the live set: tombstone, then the digest."""
        for each in ids:
            self.live.pop(each, None)
            self.publish(f"msg/{each}", b"")
        self.digest()

    def digest(self):
        check = 0
        for each in self.live:
            check ^= zlib.crc32(each.encode())
        array = [1, len(self.live), check, max(self.live)] if self.live else [1]
        self.publish("box", msgpack.packb(array))

    def publish(self, path, payload, *, retain=True):
        self.client.publish(f"mail/{self.user}/{path}", payload, qos=1, retain=retain)

    def settle(self):
        """Wait until the broker has acknowledged all that was published."""
        until(lambda: not self.client._out_messages, what="the broker to acknowledge")

    def mark_seen(self, request):
        """As an `on_request`: the bridge's answer to `seen`."""
        _, request_id, operation, *ids = request
        assert operation == "seen"
        self.clear(*(each for each in ids if each in self.live))
        return [[1, request_id, 0, 0, 0, b""]]

    def _connected(self, *_):
        self.client.subscribe(f"mail/{self.user}/do/+", 1)

    def _asked(self, _client, _data, message):
        device = message.topic.rsplit("/", 1)[1]
        request = msgpack.unpackb(message.payload)
        self.requests.append(request)
        for reply in self.on_request(request):
            self.publish(f"re/{device}", msgpack.packb(reply), retain=False)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.client.loop_stop()
        self.client.disconnect()


class Command:
    """`python -m clients …` as a process; standard output in a file, appended to by each run."""

    def __init__(self, directory, broker, *arguments, name="watch", target="alice/phone"):
        self.directory = directory
        self.out, self.err = directory / f"{name}.out", directory / f"{name}.err"
        self.arguments = [sys.executable, "-m", "clients", name, target, *arguments]
        self.arguments += ["--state", str(directory / "state")]
        self.environment = {**os.environ, "POSTBELL_URL": broker.url, "POSTBELL_PASSWORD": "secret"}
        self.process = None

    def start(self, **options):
        with self.out.open("ab") as out, self.err.open("ab") as err:
            streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err} | options
            self.process = subprocess.Popen(self.arguments, env=self.environment, **streams)
        return self

    def run(self):
        """Run to the end; the exit code."""
        self.start()
        return self.process.wait(DEADLINE_S)

    def end(self, number=signal.SIGTERM):
        """End it with a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    @property
    def lines(self):
        return self.out.read_bytes().decode().splitlines() if self.out.exists() else []

    @property
    def complaints(self):
        return self.err.read_text()

    def await_lines(self, count):
        until(lambda: len(self.lines) >= count, what=f"{count} lines in {self.out.name}")
        return self.lines

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        if self.process.poll() is None:
            self.end()
