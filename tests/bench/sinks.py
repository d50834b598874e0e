"""Those who take mail beside Postbell, each in a process of its own: sinks, Mailrise, the simplest bridge.

What each took or published is counted from outside once it was offered all.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.bench import processor
from tests.bench.onlooker import Onlooker
from tests.conftest import need
from tests.support.mosquitto import Mosquitto
from tests.support.waiting import free_port, listens, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BARE = """
import asyncio, signal, sys
from aiosmtpd.smtp import SMTP
class Null:
    taken = 0
    async def handle_DATA(self, server, session, envelope):
        Null.taken += 1
        return "250 OK"
async def main():
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    def session():
        return SMTP(Null(), hostname="bare", loop=loop, data_size_limit=2**26)
    async with await loop.create_server(session, "127.0.0.1", int(sys.argv[1])):
        await ended.wait()
        print(Null.taken, flush=True)
asyncio.run(main())
"""
SIMPLE = """
import asyncio, email, json, sys, uuid
import paho.mqtt.client as paho
from aiosmtpd.smtp import SMTP
client = paho.Client(paho.CallbackAPIVersion.VERSION2, "simple")
client.max_inflight_messages_set(256)
client.connect("127.0.0.1", int(sys.argv[2]))
client.loop_start()
class Publish:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content)
        told = json.dumps({"from": mail["from"], "subject": mail["subject"], "size": len(envelope.content)})
        name = uuid.uuid4().hex
        for to in envelope.rcpt_tos:
            client.publish(f"mail/{to.partition('@')[0]}/msg/{name}", told, 1, retain=True)
        return f"250 OK {name}"
async def main():
    loop = asyncio.get_running_loop()
    def session():
        return SMTP(Publish(), hostname="simple", loop=loop)
    server = await loop.create_server(session, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""
MAILRISE = "1.4.0"
MAILRISE_SETTINGS = """
configs:
  "*@*":
    urls: ["mqtt://127.0.0.1:{broker}/mail"]
listen:
  host: 127.0.0.1
  port: {port}
smtp:
  max_size: 67108864
"""
VENV = Path(tempfile.gettempdir()) / f"postbell-bench-mailrise-{MAILRISE}"


@dataclass(frozen=True)
class Sink:
    """One that takes mail now."""

    name: str
    address: tuple[str, int]
    pids: frozenset[int]
    count: Callable[[int], int]
    """How many mails it took or published, asked once and last, where so many are expected."""

    def used_s(self) -> float:
        """Seconds of processor time so far."""
        used_s = processor.used_s(set(self.pids))
        assert used_s is not None, f"{self.name} has ended"
        return used_s


@contextmanager
def process(*command: str, output: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[bytes]]:
    """A program until the block ends."""
    running = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(10)
        if running.stdout is not None:
            running.stdout.close()


def _listening(port: int, name: str) -> tuple[str, int]:
    address = ("127.0.0.1", port)
    until(lambda: listens(address), what=f"{name} to listen")
    return address


@contextmanager
def smtp_sink() -> Iterator[Sink]:
    """Postfix's own, in C, which keeps nothing; it counts as it goes."""
    port = free_port()
    command = (need("smtp-sink"), "-c", "-u", "nobody", f"127.0.0.1:{port}", "1000")
    with tempfile.TemporaryFile() as told, process(*command, output=told.fileno()) as running:

        def count(expected: int) -> int:
            del expected
            told.seek(0)
            return max([0, *map(int, re.findall(rb"mesg=(\d+)", told.read()))])

        yield Sink("smtp-sink", _listening(port, "smtp-sink"), frozenset({running.pid}), count)


@contextmanager
def bare_aiosmtpd() -> Iterator[Sink]:
    """aiosmtpd as it comes, with a handler that keeps nothing; it says its count when it ends."""
    port = free_port()
    with process(sys.executable, "-c", BARE, str(port), output=subprocess.PIPE) as running:

        def count(expected: int) -> int:
            del expected
            running.terminate()
            assert running.stdout is not None
            return int(running.stdout.read() or 0)

        yield Sink("bare aiosmtpd", _listening(port, "aiosmtpd"), frozenset({running.pid}), count)


@contextmanager
def _publishing(name: str, command: Callable[[Path, int, int], list[str]], topic: str) -> Iterator[Sink]:
    """One that publishes at a mosquitto, where somebody looks on."""
    port = free_port()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(Mosquitto(directory, "max_queued_messages 0", verbose=False))
        running = stack.enter_context(process(*command(directory, port, broker.port)))
        address = _listening(port, name)
        onlooker = stack.enter_context(Onlooker(broker.address(), topic))
        yield Sink(name, address, frozenset({running.pid}), onlooker.settled)


def mailrise_program() -> str:
    """Mailrise in an environment of its own, made when it is not there; for what it pins no newer Python has wheels."""
    program = VENV / "bin" / "mailrise"
    if not program.exists():
        subprocess.run([need("python3.11"), "-m", "venv", "--clear", VENV], check=True)
        pip = [str(VENV / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, f"mailrise=={MAILRISE}", "paho-mqtt>=2,<3"], check=True, stderr=subprocess.DEVNULL)
    return str(program)


@contextmanager
def mailrise() -> Iterator[Sink]:
    """Mailrise, which publishes each mail over MQTT by Apprise, once for each recipient."""
    program = mailrise_program()

    def command(directory: Path, port: int, broker: int) -> list[str]:
        settings = directory / "mailrise.yaml"
        settings.write_text(MAILRISE_SETTINGS.format(port=port, broker=broker))
        return [program, str(settings)]

    with _publishing("Mailrise", command, "mail") as sink:
        yield sink


@contextmanager
def simple_bridge(*, mosquitto: int) -> Iterator[tuple[str, int]]:
    """The least that can be: aiosmtpd and paho, no store; 250 before anybody has the mail. Where it takes mail."""
    port = free_port()
    with process(sys.executable, "-c", SIMPLE, str(port), str(mosquitto)):
        yield _listening(port, "the simple bridge")


SINKS = {"smtp-sink": smtp_sink, "bare aiosmtpd": bare_aiosmtpd, "Mailrise": mailrise}
