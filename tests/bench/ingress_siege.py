"""Mail of a good sender while others misbehave: how much longer does its 250 take, and what does the bridge hold?

    python -m tests.bench.ingress_siege [--seconds S] [--attacks slow,large,pipelined] [--at HOST:PORT --pid PID --to A]

The siege comes from a process of its own: `slow` are 50 sessions that write a byte a second, `large` 20 senders of
50 MB each, over and over, `pipelined` one session that writes 10,000 commands at once and again when all are answered.
The good sender hands in a mail every 25 ms over one connection; what is timed is from the end of its data to the reply.
All of its mail has to be answered 250, and with a Postbell of its own (without `--at`) to be shown once.

With `--at` a bridge that runs already is besieged, of whatever version, which has to take mail for `--to`. All share
this machine's cores, which in life they do not: ratios are of the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from tests.bench.result import agree
from tests.bench.whole import postbell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

Address = tuple[str, int]

_PACE_S, _LOOK_S = 0.025, 0.02
_SLOW, _LARGE, _COMMANDS = 50, 20, 10_000
_LARGE_BYTES = 50_000_000
_HEAD = b"From: a@example.org\r\nSubject: siege %d\r\nMessage-ID: <%d.%d@example.org>\r\n\r\n"
_MAIL = _HEAD + b"All is well.\r\n" * 300
_BLOCK = (b"x" * 76 + b"\r\n") * 840


async def reply(reader: asyncio.StreamReader) -> bytes:
    """The last line of a reply."""
    while True:
        line = await reader.readline()
        if line[3:4] != b"-":
            return line


async def opened(at: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A session that said EHLO."""
    reader, writer = await asyncio.open_connection(*at, limit=2**20)
    await reply(reader)
    writer.write(b"EHLO bench.example.org\r\n")
    await reply(reader)
    return reader, writer


async def deliver(at: Address, to: str, seconds: float) -> list[float]:
    """The waits for 250, sorted, of mails sent at a steady pace."""
    reader, writer = await opened(at)
    waits: list[float] = []
    begun, run = time.perf_counter(), time.time_ns()
    while time.perf_counter() - begun < seconds:
        due = begun + len(waits) * _PACE_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        for command in (b"MAIL FROM:<a@example.org>\r\n", b"RCPT TO:<%s>\r\n" % to.encode(), b"DATA\r\n"):
            writer.write(command)
            await reply(reader)
        writer.write(_MAIL % (len(waits), len(waits), run) + b".\r\n")
        left = time.perf_counter()
        answer = await reply(reader)
        if not answer.startswith(b"250"):
            raise SystemExit(f"mail {len(waits)} was answered {answer!r}, so there is no figure")
        waits.append(time.perf_counter() - left)
    writer.close()
    return sorted(waits)


# --- the siege, in a process of its own -------------------------------------------------------------------


async def slowly(at: Address, _to: str) -> None:
    """Commands that do not end, a byte a second."""

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await opened(at)
                for _ in range(500):
                    writer.write(b"N")
                    await writer.drain()
                    await asyncio.sleep(1)

    await asyncio.gather(*(one() for _ in range(_SLOW)))


async def largely(at: Address, to: str) -> None:
    """Mails of 50 MB, one behind the other."""

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await opened(at)
                for command in (b"MAIL FROM:<l@example.org>\r\n", b"RCPT TO:<%s>\r\n" % to.encode(), b"DATA\r\n"):
                    writer.write(command)
                    await reply(reader)
                writer.write(b"Subject: large\r\n\r\n")
                for _ in range(_LARGE_BYTES // len(_BLOCK)):
                    writer.write(_BLOCK)
                    await writer.drain()
                writer.write(b".\r\n")
                await reply(reader)
                writer.close()

    await asyncio.gather(*(one() for _ in range(_LARGE)))


async def pipelining(at: Address, _to: str) -> None:
    """As many commands at once, and again when all of them are answered or the session is ended."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await opened(at)
            writer.write(b"NOOP\r\n" * _COMMANDS)
            for _ in range(_COMMANDS):
                if not await reader.readline():
                    break
            writer.close()


ATTACKS: dict[str, Callable[[Address, str], Awaitable[None]]] = {
    "slow": slowly,
    "large": largely,
    "pipelined": pipelining,
}


async def siege_process(attack: str, at: Address, to: str) -> None:
    """All that goes wrong, until the process is ended."""
    await ATTACKS[attack](at, to)


def run_siege(attack: str, at: Address, to: str) -> None:
    """What the second process runs."""
    uvloop.run(siege_process(attack, at, to))


@contextlib.contextmanager
def siege(attack: str, at: Address, to: str) -> Iterator[None]:
    """A bridge is besieged meanwhile."""
    attackers = multiprocessing.get_context("spawn").Process(target=run_siege, args=(attack, at, to), daemon=True)
    attackers.start()
    try:
        yield
        if not attackers.is_alive():
            raise SystemExit(f"{attack}: the attackers gave up, so this was no siege")
    finally:
        attackers.kill()
        attackers.join()


# --- what it does -----------------------------------------------------------------------------------------


def held_mb(pid: int) -> float:
    """The resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * 4096 / 1e6


async def most_held(pid: int) -> float:
    """The most that a process held until this is cancelled, in MB."""
    most = 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            most = max(most, held_mb(pid))
            await asyncio.sleep(_LOOK_S)
    return most


async def watched(at: Address, to: str, pid: int, seconds: float) -> tuple[list[float], float]:
    """The waits of the good sender, and the most that the bridge held meanwhile."""
    watch = asyncio.create_task(most_held(pid))
    waits = await deliver(at, to, seconds)
    watch.cancel()
    return waits, await watch


def compare(attack: str, at: Address, *, to: str, other: str, pid: int, seconds: float) -> int:
    """Quiet, then besieged; how many mails were sent."""
    warm = uvloop.run(deliver(at, to, 1))
    before, _ = uvloop.run(watched(at, to, pid, seconds))
    with siege(attack, at, other):
        time.sleep(1)  # it needs about that long to start
        during, most = uvloop.run(watched(at, to, pid, seconds))
    figures = [(waits[len(waits) // 2] * 1e3, waits[int(len(waits) * 0.99)] * 1e3) for waits in (before, during)]
    (middle, high), (middle_then, high_then) = figures
    sys.stdout.write(
        f"{attack:10} quiet p50 {middle:6.2f} p99 {high:7.2f} ms"
        f"   besieged p50 {middle_then:6.2f} p99 {high_then:7.2f} ms"
        f"   {middle_then / middle:5.1f} and {high_then / high:5.1f} times   at most {most:5.0f} MB   n {len(during)}\n"
    )
    sys.stdout.flush()
    return len(warm) + len(before) + len(during)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--attacks", default=",".join(ATTACKS))
    parser.add_argument("--at")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--to", default="u@example.org")
    options = parser.parse_args()
    for attack in options.attacks.split(","):
        if options.at:
            host, _, port = options.at.rpartition(":")
            besieged = (host, int(port))
            compare(attack, besieged, to=options.to, other=options.to, pid=options.pid, seconds=options.seconds)
            continue
        with postbell({}, users=2, addresses=2) as whole:
            pid = whole.system.facts("bridge")["pid"]
            both = {"to": "u@example.org", "other": "2u@example.org"}
            sent = compare(attack, whole.smtp, pid=pid, seconds=options.seconds, **both)
            whole.system.wait_drained()
            shown = [topic for topic in whole.onlooker.topics() if topic.startswith("mail/u0/")]
            agree(attack, sent, shown=len(shown), different=len(set(shown)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
