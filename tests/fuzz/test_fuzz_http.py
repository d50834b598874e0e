"""Random requests over HTTP: whatever is sent, the answers are ours, and nothing of what is behind them shows.

A case is a function of `--fuzz-seed` and its number, so a failure names what repeats it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time

import pytest
from structlog.testing import capture_logs

from bridge.http.health import alive
from bridge.http.pages import Page
from bridge.http.visitor import Patience
from tests.support.http import GET, Running, serving, told

PIECES = [
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"HEAD /open HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"GET /open HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    b"GET /open HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
    b"GET /open HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://[::1/%zz?#\xff HTTP/1.1\r\nHost: \0\r\n\r\n",
]
BITS = [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"%", b"\xff\xfe", b"/", b"..", b"A" * 5000, b"chunked", b"-1", b"\t"]
HEAD = re.compile(rb"HTTP/\d\.\d (\d{3}) [A-Za-z ]+\r\n((?:[A-Za-z-]+: [ -~]*\r\n)+)\r\n")
STATUSES = {b"200", b"400", b"403", b"404", b"405"}


async def hello(_request):
    """What is open to everybody."""
    return await alive(_request)


def conversation(chance: random.Random) -> bytes:
    """Requests, some of them spoilt."""
    said = bytearray()
    for _ in range(chance.randint(1, 5)):
        piece = bytearray(chance.choice(PIECES))
        for _ in range(chance.choice([0, 0, 1, 2, 5])):
            at = chance.randrange(len(piece))
            piece[at : at + chance.randint(0, 4)] = chance.choice(BITS)
        said += piece
    return bytes(said)


async def played(running: Running, said: bytes, chance: random.Random) -> bytes:
    """All that came back until either side had enough."""
    wire = await running.dial()
    with contextlib.suppress(ConnectionError, RuntimeError):  # the second is uvloop's word for it
        while said:
            cut = chance.choice([1, 7, 50, 100_000])
            wire.writer.write(said[:cut])
            said = said[cut:]
            await asyncio.sleep(0)
        wire.writer.write_eof()
    came = await wire.ended()
    wire.writer.close()
    return came


def judge(came: bytes, name: str) -> None:
    """Each answer is one of ours, with all of its headers."""
    heads = list(HEAD.finditer(came))
    assert came == b"" or HEAD.match(came), f"{name}: {came[:200]!r}"
    for head in heads:
        assert head[1] in STATUSES, f"{name}: {head[1]!r}"
        assert b"Server: Postbell\r\n" in head[2], f"{name}: {head[2]!r}"
        assert b"Content-Security-Policy: default-src 'none'" in head[2], name
    assert not re.search(rb"(?i)aiohttp|python|traceback|exception", came), f"{name}: {came!r}"


@pytest.mark.fuzz
def test_any_request_is_answered_plainly_or_not_at_all(request):
    seconds = request.config.getoption("--fuzz-seconds") / 4
    seed = request.config.getoption("--fuzz-seed")

    async def story() -> None:
        pages = {"/healthz": Page(alive, private=True), "/open": Page(hello)}
        async with serving(pages, patience=Patience(request_s=5.0, idle_s=0.05), sweep_s=0.2) as running:
            with capture_logs() as logged:
                end, number = time.monotonic() + seconds, 0
                while time.monotonic() < end or number < 20:
                    name = f"http-{seed}-{number}"
                    chance = random.Random(name)
                    judge(await played(running, conversation(chance), chance), name)
                    assert [event for event in logged if event["log_level"] in {"warning", "error"}] == [], name
                    number += 1
            assert (await running.ask(GET % b"/healthz")).status == 200

    told(story)
