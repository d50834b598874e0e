"""RCPT for an address that has to be looked up first: the answer comes when that is done, and in its turn."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.ingress import Recorder, Running, listening, told


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("lookup-alice@example.org", "250 2.1.5 "),
        ("lookup-nobody@example.org", "550 5.1.1 "),
        ("lookup-crash@example.org", "451 4.3.0 "),
    ],
)
def test_who_is_looked_up_is_answered(tmp_path, address, expected):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        await wire.ask("MAIL FROM:<x@example.net>")
        assert (await wire.ask(f"RCPT TO:<{address}>")).startswith(expected)
        assert (await wire.ask("RCPT TO:<bob@example.org>")).startswith("250 2.1.5 ")
        assert (await wire.ask("RSET")).startswith("250 ")

    told(tmp_path, story)


def test_pipelined_commands_are_answered_in_their_order(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        names = ["lookup-a", "b", "lookup-nobody", "nobody", "lookup-c"]
        lines = ["MAIL FROM:<x@example.net>", *(f"RCPT TO:<{name}@example.org>" for name in names), "DATA"]
        await wire.send("\r\n".join([*lines, ""]).encode())
        assert [(await wire.reply())[:3] for _ in lines] == ["250", "250", "250", "550", "550", "250", "354"]
        await wire.send(b"Subject: x\r\n\r\nhello\r\n.\r\n")
        assert (await wire.reply()).startswith("250 ")
        [envelope] = running.intake.accepted
        assert [recipient.user for recipient in envelope.recipients] == ["a", "b", "c"]

    told(tmp_path, story)


class Held(Recorder):
    """One whose look-ups wait."""

    def __init__(self):
        super().__init__()
        self.looking, self.go_on = asyncio.Event(), asyncio.Event()

    async def resolve(self, address):
        self.looking.set()
        await self.go_on.wait()
        return await super().resolve(address)


def test_a_sender_who_goes_meanwhile_is_gone_and_others_are_served(tmp_path):
    async def story(running: Running, held: Held) -> None:
        gone = await (await running.dial()).greet()
        await gone.ask("MAIL FROM:<x@example.net>")
        await gone.send(b"RCPT TO:<lookup-alice@example.org>\r\nRCPT TO:<bob@example.org>\r\n")
        await held.looking.wait()
        other = await (await running.dial()).greet()
        assert (await other.mail(b"Subject: x\r\n\r\nhello\r\n", "bob@example.org")).startswith("250 ")
        await gone.reset()
        await other.close()
        held.go_on.set()
        await running.connections(0)

    async def run() -> None:
        held = Held()
        async with listening(tmp_path, intake=held) as running:
            await story(running, held)

    asyncio.run(run())
