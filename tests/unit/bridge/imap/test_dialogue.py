"""A connection to a mail server that is slow, gone, or deaf: in words, and within its time."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from typing import Any

import pytest

from bridge.imap.dialogue import Dialogue, open_dialogue
from bridge.imap.errors import ImapLostError
from tests.support.imap_server import MailServer, serving


class Deaf:
    """What is written to it is never taken, or fails."""

    def __init__(self, error=None):
        self.error, self.written = error, b""

    def write(self, data):
        self.written += data

    async def drain(self):
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "the server takes nothing"),
        (ConnectionResetError(104, "Connection reset by peer"), "(?i)reset"),
        (ssl.SSLError(1, "application data after close notify"), "application data"),
    ],
)
def test_a_line_that_cannot_be_sent_is_told(error, said):
    async def run():
        writer: Any = Deaf(error)
        dialogue = Dialogue(asyncio.StreamReader(), writer, deadline_s=0.01)
        with pytest.raises(ImapLostError, match=said):
            await dialogue.begin("NOOP")
        assert writer.written == b"p1 NOOP\r\n"

    asyncio.run(run())


def test_a_connection_that_is_reset_is_told():
    server = MailServer()

    async def run():
        async with serving(server), asyncio.timeout(60):
            dialogue, _ = await open_dialogue("127.0.0.1", server.port, tls=None, deadline_s=60)
            [writer] = server._writers
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()
            with pytest.raises(ImapLostError, match=r"(?i)reset"):
                await dialogue.next()
            dialogue.close()

    asyncio.run(run())


def test_who_waits_for_a_response_in_vain_has_lost_none():
    server = MailServer()

    async def run():
        async with serving(server), asyncio.timeout(60):
            dialogue, _ = await open_dialogue("127.0.0.1", server.port, tls=None, deadline_s=60)
            with pytest.raises(ImapLostError, match="in time"):
                await dialogue.next(within_s=0.01)
            server._writers[0].write(b"* OK first\r\n* OK second\r\n")
            assert (await dialogue.next()).texts[0].endswith(b"first")
            assert (await dialogue.next()).texts[0].endswith(b"second")
            dialogue.close()

    asyncio.run(run())


def test_a_server_that_never_finishes_the_handshake_is_given_up():
    async def run(port):
        with pytest.raises(ImapLostError, match=f"127.0.0.1:{port} did not answer in time"):
            await open_dialogue("127.0.0.1", port, tls=ssl.create_default_context(), deadline_s=0.1)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(run(silent.getsockname()[1]))


def test_a_system_that_cannot_be_told_when_to_look_whether_somebody_is_there_will_do(monkeypatch):
    for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"):
        monkeypatch.delattr(socket, option, raising=False)
    server = MailServer()

    async def run():
        async with serving(server), asyncio.timeout(60):
            dialogue, greeting = await open_dialogue("127.0.0.1", server.port, tls=None, deadline_s=60)
            assert greeting.text == "hello"
            connection = dialogue._writer.get_extra_info("socket")
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            dialogue.close()

    asyncio.run(run())
