"""What is sent is what is kept, byte for byte."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests import mail
from tests.support.ingress import Running, told

pytestmark = pytest.mark.usefixtures("wherever")


def stuffed(raw: bytes) -> bytes:
    """As a sender must send it (RFC 5321 §4.5.2)."""
    return (b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:]


def test_every_message_arrives_unchanged(tmp_path):
    files = [*mail.own(), *mail.foreign()]
    assert len(files) >= 31

    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        for file in files:
            raw = file.read_bytes()
            raw += b"" if raw.endswith(b"\r\n") else b"\r\n"
            assert (await wire.mail(stuffed(raw))).startswith("250 2.0.0 "), file
            assert running.intake.contents[-1] == raw, file

    told(tmp_path, story)


@pytest.mark.parametrize("line", [1, 998, 5000, 200_000, 3_000_000])
def test_lines_of_any_length_are_kept(tmp_path, line):
    raw = (b"." + b"x" * (line - 1) + b"\r\n") * (3_000_000 // (line + 2) + 1)

    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        assert (await wire.mail(stuffed(raw))).startswith("250 2.0.0 ")
        assert running.intake.contents == [raw]
        assert running.intake.accepted[0].body.size == len(raw)

    told(tmp_path, story)


def test_data_cut_anywhere_into_packets_is_the_same(tmp_path):
    raw = b".\r\n..\r\n\r\n.x\r\n\r\r\n\n.\n\r\n \r\n.\r\n"
    chance = random.Random(7)

    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        for _ in range(40):
            for command in ("MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA"):
                await wire.ask(command)
            data = stuffed(raw) + b".\r\nNOOP\r\n"
            while data:
                cut = chance.randint(1, 4)
                await wire.send(data[:cut])
                data = data[cut:]
                await asyncio.sleep(0.0005)
            assert (await wire.reply()).startswith("250 2.0.0 Kept")
            assert (await wire.reply()).startswith("250 2.0.0 Ok")
        assert set(running.intake.contents) == {raw}

    told(tmp_path, story)


def test_a_sender_that_closes_its_side_after_the_end_of_data_is_still_answered(tmp_path):
    async def story(running: Running) -> None:
        wire = await running.dial()
        await wire.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
        wire.writer.write_eof()
        replies = []
        while (line := await wire.line()) != "<EOF>":
            replies.append(line[:4])
        assert replies[-3:] == ["354 ", "250 ", "221 "]
        assert running.intake.contents == [b"x\r\n"]

    told(tmp_path, story)


def test_a_mail_whose_sender_is_gone_before_the_reply_is_kept(tmp_path):
    async def story(running: Running) -> None:
        running.intake.hold = asyncio.Event()
        wire = await running.dial()
        await wire.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\nx\r\n.\r\n")
        while not (await wire.line()).startswith("354 "):
            pass
        await wire.reset()
        await running.connections(0)
        running.intake.hold.set()
        await asyncio.wait_for(running.intake.arrived.wait(), 10)
        assert running.intake.contents == [b"x\r\n"]

    told(tmp_path, story)


@pytest.mark.parametrize(
    ("listener", "greeting", "protocol"),
    [("smtp", "HELO c", "SMTP"), ("smtp", "EHLO c", "ESMTP"), ("lmtp", "LHLO c", "LMTP")],
)
def test_the_envelope_says_how_and_from_where(tmp_path, listener, greeting, protocol):
    async def story(running: Running) -> None:
        wire = await (await running.dial(listener)).greet(greeting)
        await wire.mail(b"x\r\n", sender="")
        envelope = running.intake.accepted[0]
        assert (envelope.sender, envelope.protocol) == ("", protocol)
        assert envelope.peer == ("127.0.0.1" if listener == "smtp" else "")

    told(tmp_path, story)
