"""Bounds: size (RFC 1870), connections, commands, errors, recipients, time. Over them 421, or what the RFC says."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from bridge.ingress import SessionLimits
from bridge.intake import Intake
from tests.support import UNUSED
from tests.support.abused_ingress import DIRECTORY, Forgetful
from tests.support.ingress import Running, told

pytestmark = pytest.mark.usefixtures("wherever")


@pytest.mark.parametrize("listener", ["smtp", "lmtp"])
@pytest.mark.parametrize("size", [1000, 1001, 300_000])
def test_the_size_limit_holds_for_what_is_sent_not_for_what_is_said(tmp_path, listener, size):
    async def story(running: Running) -> None:
        wire = await (await running.dial(listener)).greet("EHLO c" if listener == "smtp" else "LHLO c")
        fits = (b"." + b"x" * 97 + b"\r\n") * 10  # 100 bytes a line on the wire, 99 as it is kept
        data = (fits + b"y" * size)[: size + 8] + b"\r\n"
        reply = await wire.mail(data, "alice@example.org", "bob@example.org")
        expected = "250 2.0.0 " if size == 1000 else "552 5.3.4 "
        assert reply.startswith(expected)
        if listener == "lmtp":
            assert (await wire.reply()).startswith(expected)
        assert (await wire.ask("NOOP")).startswith("250 ")
        assert [len(content) for content in running.intake.contents] == ([1000] if size == 1000 else [])

    told(tmp_path, story, max_size=1000)


def test_nothing_of_a_message_too_large_stays_on_disk_but_the_log_tells_of_it(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        with capture_logs() as logs:
            assert (await wire.mail(b"x" * 400_000 + b"\r\n")).startswith("552 5.3.4 ")
        told_of = [(line["code"], line["status"], line["peer"]) for line in logs if line["event"] == "message_refused"]
        assert told_of == [(552, "5.3.4", "127.0.0.1")]

    told(tmp_path, story, max_size=300_000)
    assert not list((tmp_path / "spool").iterdir())


def test_nothing_of_a_message_broken_off_or_refused_stays_on_disk(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        assert (await wire.mail(b"x" * 400_000 + b"\r\n", "quota@example.org")).startswith("552 5.2.2 ")
        for command in ("MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA"):
            await wire.ask(command)
        await wire.send(b"x" * 400_000)
        await wire.close()
        await running.connections(0)
        assert not running.intake.accepted

    told(tmp_path, story)
    assert not list((tmp_path / "spool").iterdir())


def test_one_connection_too_many_is_told_so_and_the_next_comes_in(tmp_path):
    async def story(running: Running) -> None:
        wires = [await (await running.dial()).greet() for _ in range(3)]
        refused = await running.dial()
        assert (await refused.line()).startswith("421 4.7.0 ")
        assert await refused.line() == "<EOF>"
        await wires[0].ask("QUIT")
        await wires[0].close()
        await running.connections(2)
        await (await running.dial()).greet()

    told(tmp_path, story, limits=SessionLimits(connections=3))


def test_connections_from_one_address_are_bounded_those_from_sockets_only_in_all(tmp_path):
    async def story(running: Running) -> None:
        wires = [await (await running.dial()).greet()]
        assert (await (await running.dial()).line()).startswith("421 4.7.0 ")
        wires += [await (await running.dial("lmtp")).greet("LHLO c") for _ in range(3)]
        assert (await (await running.dial("lmtp")).line()).startswith("421 4.7.0 ")

    told(tmp_path, story, limits=SessionLimits(connections=4, connections_per_address=1))


def test_too_many_recipients_are_for_another_transaction(tmp_path):
    """RFC 5321 §4.5.3.1.10: 452, and the recipients before get their mail."""

    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        await wire.ask("MAIL FROM:<>")
        for number in range(5):
            reply = await wire.ask(f"RCPT TO:<u{number}@example.org>")
            assert reply.startswith("250 2.1.5 " if number < 3 else "452 4.5.3 ")
        assert (await wire.ask("DATA")).startswith("354 ")
        await wire.send(b".\r\n")
        assert (await wire.reply()).startswith("250 ")
        assert len(running.intake.accepted[0].recipients) == 3

    told(tmp_path, story, limits=SessionLimits(recipients=3))


def test_a_session_that_only_talks_ends_one_that_sends_mail_does_not(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        for _ in range(20):
            assert (await wire.mail(b"x\r\n")).startswith("250 ")
        await wire.send(b"NOOP\r\n" * 12)
        replies = [await wire.line() for _ in range(11)]
        assert [reply[:10] for reply in replies] == ["250 2.0.0 "] * 10 + ["421 4.7.0 "]
        assert await wire.line() == "<EOF>"

    told(tmp_path, story, limits=SessionLimits(commands=10))


def test_too_many_errors_end_the_session(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        for _ in range(3):
            assert (await wire.ask("WHAT")).startswith("500 ")
        assert (await wire.ask("NOOP")).startswith("421 4.7.0 ")
        assert await wire.line() == "<EOF>"

    told(tmp_path, story, limits=SessionLimits(errors=3))


@pytest.mark.parametrize("said", [b"", b"NO", b"EHLO c\r\nMAIL FROM:<>\r\n"])
def test_a_sender_that_says_nothing_more_is_sent_away(tmp_path, said):
    async def story(running: Running) -> None:
        wire = await running.dial()
        await wire.send(said)
        while not (line := await wire.line()).startswith("421 4.4.2 "):
            assert line != "<EOF>"
        assert await wire.line() == "<EOF>"
        await wire.close()
        await running.connections(0)

    told(tmp_path, story, limits=SessionLimits(command_timeout_s=0.2))


def test_a_command_must_be_whole_in_time_however_slowly_it_comes(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()

        async def drip() -> None:
            while True:
                await wire.send(b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert (await wire.line()).startswith("421 4.4.2 ")
        dripping.cancel()

    told(tmp_path, story, limits=SessionLimits(command_timeout_s=0.3))


def test_data_that_only_drips_ends_with_the_session(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        for command in ("MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA"):
            await wire.ask(command)

        async def drip() -> None:
            while True:
                await wire.send(b"x\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert (await wire.line()).startswith("421 4.4.2 ")
        dripping.cancel()
        assert not running.intake.accepted

    told(tmp_path, story, limits=SessionLimits(command_timeout_s=10, session_timeout_s=0.5))


def test_a_sender_that_never_reads_is_cut_off(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        transport = wire.writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        wire.writer.write(b"HELP\r\n" * 500_000)
        await running.connections(0)
        wire.writer.transport.abort()

    told(tmp_path, story, limits=SessionLimits(command_timeout_s=0.3, commands=10**9))


def test_a_slow_commit_does_not_count_as_the_senders_time(tmp_path):
    async def story(running: Running) -> None:
        running.intake.hold = asyncio.Event()
        asyncio.get_running_loop().call_later(0.6, running.intake.hold.set)
        wire = await (await running.dial()).greet()
        assert (await wire.mail(b"x\r\n")).startswith("250 ")

    told(tmp_path, story, limits=SessionLimits(command_timeout_s=0.2, session_timeout_s=0.4))


@pytest.mark.parametrize(("hops", "expected"), [(50, "250 2.0.0 "), (51, "554 5.4.6 ")])
def test_a_loop_ends_by_counting_received_fields(tmp_path, hops, expected):
    """RFC 5321 §6.3."""
    intake = Intake(store=Forgetful(), directory=DIRECTORY, discard=UNUSED)

    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        field = b"Received: from a\r\n by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        mail = field * hops + b"Subject: x\r\n\r\nReceived: no field\r\n"
        assert (await wire.mail(mail)).startswith(expected)

    told(tmp_path, story, intake=intake)
