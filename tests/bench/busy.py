"""A busy server: what a poll costs it, how many users that makes, and what happens when they poll too often."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.bench import processor
from tests.bench.dovecot import PASSWORD
from tests.bench.result import Table, agree
from tests.bench.sizing import letter
from tests.support.certificates import self_signed
from tests.support.counting_link import CountingLink, Device
from tests.support.mqtt_broker import EmbeddedBroker, password_of

if TYPE_CHECKING:
    from tests.bench.dovecot import Dovecot
    from tests.bench.result import Cell
    from tests.bench.suite import Options

PATIENCE_S = 5.0
"""So long does a phone wait for a poll before it gives up."""
MAILS = 10
INTERVALS_MIN, PINGS_MIN = (1, 2, 5), (1, 15, 29)


async def poll(server: Dovecot, context: ssl.SSLContext, user: str) -> int:
    """One poll over POP3, as few words as can be; how many mails there are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.pop3s, ssl=context, server_hostname="localhost")
    try:
        await reader.readline()
        for word in (f"USER {user}", f"PASS {PASSWORD}", "UIDL"):
            writer.write(word.encode() + b"\r\n")
            if not (await reader.readline()).startswith(b"+OK"):
                raise ConnectionError(word)
        listed = await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"QUIT\r\n")
        await reader.readline()
        return listed.count(b"\r\n") - 1
    finally:
        writer.close()


async def offered(server: Dovecot, users: list[str], *, polls: int, a_second: float) -> tuple[int, int]:
    """Polls at a steady rate, whether those before are done or not: how many were in time, how many gave up."""
    context = ssl.create_default_context(cafile=server.authority)
    begun = time.perf_counter()

    async def one(number: int) -> bool:
        await asyncio.sleep(begun + number / a_second - time.perf_counter())
        try:
            async with asyncio.timeout(PATIENCE_S):
                agree("a poll of a busy server", MAILS, mails=await poll(server, context, users[number % len(users)]))
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            return False
        return True

    done = await asyncio.gather(*(one(number) for number in range(polls)))
    return sum(done), polls - sum(done)


async def capacity(server: Dovecot, users: list[str], polls: int) -> tuple[float, float]:
    """Polls a second with 20 at a time, and milliseconds of the server's processor for each."""
    context = ssl.create_default_context(cafile=server.authority)
    waiting = iter(range(polls))
    used_s, begun = server.used_s(), time.perf_counter()

    async def work() -> None:
        for number in waiting:
            agree("a poll", MAILS, mails=await poll(server, context, users[number % len(users)]))

    await asyncio.gather(*(work() for _ in range(20)))
    took_s = time.perf_counter() - begun
    return polls / took_s, 1000 * (server.used_s() - used_s) / polls


def ping_ms(pings: int) -> float:
    """Milliseconds of the embedded broker's processor for a ping over TLS; each was answered."""
    with tempfile.TemporaryDirectory() as name:
        chain, key = self_signed(Path(name))
        tls = f'[broker]\ntls_listen = "127.0.0.1:0"\ntls_cert = "{chain}"\ntls_key = "{key}"\n'
        broker = EmbeddedBroker(Path(name), config=tls)
        broker.logins.add("alice.phone")
        with broker, CountingLink(broker.address("mqtts")[1]) as link:
            device = Device(link, chain, level=5, password=password_of("alice.phone")).connect()
            pid = broker.process.pid
            used_s = processor.used_s({pid}) or 0.0
            for _ in range(pings):
                device.ping()
            used_s = (processor.used_s({pid}) or 0.0) - used_s
            device.close()
        return 1000 * used_s / pings


def measure(options: Options, server: Dovecot) -> list[Table]:
    """Two tables: what a poll costs, and what becomes of too many."""
    users = [f"user{number}" for number in range(20 if options.small else 200)]
    for user in users:
        server.deliver(user, (letter(number, 600) for number in range(MAILS)))
    polls = 40 if options.small else 600
    asyncio.run(capacity(server, users, max(len(users), 20)))  # indexes are made now
    rate, cost_ms = asyncio.run(capacity(server, users, polls))
    most = min(rate, 1000 / cost_ms)
    pinged_ms = ping_ms(100 if options.small else 3000)
    of_users: list[list[Cell]] = [
        [f"{what} each {minutes} min", each_ms, round(minutes * 60 * 1000 / each_ms)]
        for what, each_ms, intervals in (
            ("POP3, a poll", cost_ms, INTERVALS_MIN),
            ("Postbell, a ping", pinged_ms, PINGS_MIN),
        )
        for minutes in intervals
    ]
    rows: list[list[Cell]] = []
    for share in options.steps(
        "polling, a busy server", (0.5, 1.0, 2.0) if options.small else (0.5, 0.8, 1.0, 1.5, 2.0)
    ):
        a_second = share * most
        number = polls if options.small else max(polls, int(30 * a_second))
        in_time, late = asyncio.run(offered(server, users, polls=number, a_second=a_second))
        rows.append([f"{share:g}", round(a_second), number, in_time, late, f"{100 * late / number:.0f} %"])
    return [
        Table(
            "What waiting for mail costs the server",
            ["", "ms of its processor each", "users that keep one core busy"],
            of_users,
            f"{rate:,.0f} polls a second were answered here, 20 at a time, {len(users)} users of {MAILS} mails, by a "
            "machine that the phones shared. At Postbell it is memory that bounds the devices, at some 6 KB each.",
        ),
        Table(
            f"Polled too often: phones that give up after {PATIENCE_S:.0f} s",
            ["÷ what the server can", "polls a second", "polls", "in time", "given up", "share"],
            rows,
            "A phone that gives up tries again, and makes it worse; that is not in these figures.",
        ),
    ]
