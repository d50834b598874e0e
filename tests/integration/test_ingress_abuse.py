"""One sender cannot take Postbell from the others: memory, the event loop's turns, and time stay bounded."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import statistics
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.processor import processor_ms
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 2**20
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sender:
    """Sends to Postbell at an address; blocking, so that it costs little."""

    address: tuple[str, int]

    def dial(self) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=100)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        expect(connection, b"220 ")
        return connection

    def begin(self) -> socket.socket:
        """A connection on which data may be sent."""
        connection = self.dial()
        for command in (b"EHLO c", b"MAIL FROM:<a@example.net>", b"RCPT TO:<alice@example.org>"):
            connection.sendall(command + b"\r\n")
            expect(connection, b"250")
        connection.sendall(b"DATA\r\n")
        expect(connection, b"354 ")
        return connection

    def send(self, block: bytes, size: int) -> None:
        """Send one mail of `size` bytes, made of blocks."""
        with contextlib.closing(self.begin()) as connection:
            for _ in range(size // len(block)):
                connection.sendall(block)
            connection.sendall(b"\r\n.\r\n")
            expect(connection, b"250 ")

    def send_normal(self) -> None:
        """Send one mail as people do."""
        self.send(b"x" * 78 + b"\r\n", 4000)


class Watched:
    """The process, and what is known of it from outside."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.abused_ingress", directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        host, _, port = self._line().rpartition(":")
        self.sender = Sender((host, int(port)))

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def longest_turn(self) -> float:
        """Milliseconds of processor time of the longest turn of the event loop since last asked."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._line())

    def spent(self) -> float:
        """Milliseconds of processor time that the process has used."""
        return processor_ms(self.process.pid)

    def median_of_a_mail(self, mails: int) -> float:
        """The processor time that it uses, for whomever, while it takes a normal mail."""
        used = []
        for _ in range(mails):
            before = self.spent()
            self.sender.send_normal()
            used.append(self.spent() - before)
        return statistics.median(used)

    def peak(self) -> float:
        """The most resident memory so far, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def expect(connection: socket.socket, code: bytes) -> None:
    reply = b""
    while not reply.endswith(b"\r\n"):
        part = connection.recv(4096)
        assert part, "Postbell has closed the connection"
        reply += part
    assert reply.startswith(code), reply


@pytest.fixture
def watched(tmp_path):
    watched = Watched(tmp_path)
    yield watched
    watched.process.communicate(timeout=30)


LINES = {
    "one character a line": b"x\r\n",
    "empty lines": b"\r\n",
    "dots": b"..\r\n",
    "76 characters": b"x" * 76 + b"\r\n",
    "one line": b"x",
    "carriage returns": b"\r",
    "almost the end": b"\r\n.\r",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_50_megabytes_of_any_lines_take_little_memory_and_never_hold_the_loop(watched, line):
    watched.sender.send(line, 100 * len(line))  # whatever is loaded and allocated once
    watched.sender.send(line * (300_000 // len(line)), 300_000)
    before = watched.peak()
    watched.longest_turn()
    block = line * (MEGABYTE // len(line))
    watched.sender.send(block, 49 * MEGABYTE)
    assert watched.longest_turn() <= 50
    assert watched.peak() - before <= 8


HEAD = b"From: a@example.net\r\nContent-Type: "
CONTENTS = {
    "fields": (b"", b"From: a\r\n"),
    "folds": (b"From: a\r\n", b" b\r\n"),
    "encoded-words": (b"Subject: ", b"=?utf-8?q?a?= "),
    "lists": (HEAD + b"text/html\r\n\r\n", b"<ul><li>x"),
    "elements": (HEAD + b"text/html\r\n\r\n", b"<div>"),
    "delimiters": (HEAD + b"multipart/mixed; boundary=b\r\n\r\n", b"\r\n--b\r\n\r\n"),
    "quoted-printable": (HEAD + b"text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", b"=E4=A3"),
}


@pytest.mark.parametrize(("head", "unit"), CONTENTS.values(), ids=CONTENTS.keys())
def test_no_content_holds_the_loop(watched, head, unit):
    for size in (30_000, 60_000, 1_000_000):
        watched.longest_turn()
        with contextlib.closing(watched.sender.begin()) as connection:
            connection.sendall(head + unit * (size // len(unit)) + b"\r\n.\r\n")
            expect(connection, b"250 ")
        assert watched.longest_turn() <= 50


FLOODS = {
    "commands": b"NOOP\r\n",
    "nothing": b"\r\n",
    "paths": b"RCPT TO:<" + b"@x.example," * 80 + b"\r\n",
    "help": b"HELP\r\n",
    "no end": b"x" * 60_000,
}


@pytest.mark.parametrize("data", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_of_commands_never_holds_the_loop(watched, data):
    before = watched.peak()
    with contextlib.closing(watched.sender.dial()) as connection:
        reading = threading.Thread(target=read_all, args=(connection,))
        reading.start()
        for _ in range(8):
            connection.sendall(data * (65_536 // len(data)))
        connection.shutdown(socket.SHUT_WR)
        reading.join()
    assert watched.longest_turn() <= 50
    assert watched.peak() - before <= 8


def read_all(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def abuse(sender: Sender) -> None:
    """A process that goes on until it is ended: 20 send 50 MB each, one pipelines 10,000 commands at a time."""

    def send() -> None:
        while True:
            sender.send((b"x" * 76 + b"\r\n") * 10_000, 49 * MEGABYTE)

    for _ in range(20):
        threading.Thread(target=send, daemon=True).start()
    while True:
        with contextlib.closing(sender.dial()) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(b"EHLO c\r\n" + b"NOOP\r\n" * 10_000)
            read_all(connection)


@contextlib.contextmanager
def abused(sender: Sender) -> Iterator[None]:
    """50 senders that never go on, and the process of those that send much."""
    idle = [sender.dial() for _ in range(25)] + [sender.begin() for _ in range(25)]
    for connection in idle:
        connection.sendall(b"M")
    process = multiprocessing.get_context("spawn").Process(target=abuse, args=(sender,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()
        for connection in idle:
            connection.close()


def test_a_normal_mail_passes_among_slow_large_and_flooding_senders(watched):
    """All the work that it does for anybody until it has taken the mail is a few turns' worth."""
    with abused(watched.sender):
        before = watched.spent()
        until(lambda: watched.spent() - before > 500, what="the abuser to be in full swing")
        assert watched.median_of_a_mail(100) <= 10
    assert watched.longest_turn() <= 50
    assert watched.peak() <= 150
