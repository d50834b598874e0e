"""The end of the ingress, and a spool that fails: nobody is left hanging, nothing is lost."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest

from tests.support.ingress import Running, listening, told

pytestmark = pytest.mark.usefixtures("wherever")


def test_idle_sessions_end_at_once_and_mail_under_way_is_finished(tmp_path):
    async def story(running: Running) -> None:
        running.intake.hold = asyncio.Event()
        idle = await (await running.dial()).greet()
        sending, committing = [await (await running.dial()).greet() for _ in range(2)]
        for command in ("MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA"):
            await sending.ask(command)
        committed = asyncio.create_task(committing.mail(b"one\r\n"))
        await sending.send(b"two\r\n")
        await running.intake.asked.wait()
        address = running.ingress.addresses["smtp"].rpartition(":")
        closing = asyncio.create_task(running.ingress.close(grace_s=20))
        assert (await idle.line()).startswith("421 4.3.2 ")
        assert await idle.line() == "<EOF>"
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(address[0], int(address[2]))
        running.intake.hold.set()
        assert (await committed).startswith("250 2.0.0 ")
        await sending.send(b".\r\n")
        assert (await sending.line()).startswith("250 2.0.0 ")
        assert (await sending.line()).startswith("421 4.3.2 ")
        await asyncio.wait_for(closing, 10)
        assert sorted(running.intake.contents) == [b"one\r\n", b"two\r\n"]

    told(tmp_path, story)


def test_a_transaction_that_has_begun_may_go_on_until_its_end(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        await wire.ask("MAIL FROM:<>")
        closing = asyncio.create_task(running.ingress.close(grace_s=20))
        await asyncio.sleep(0)
        assert (await wire.ask("RCPT TO:<alice@example.org>")).startswith("250 ")
        assert (await wire.ask("RSET")).startswith("250 ")
        assert (await wire.line()).startswith("421 4.3.2 ")
        await asyncio.wait_for(closing, 10)

    told(tmp_path, story)


def test_after_the_grace_mail_under_way_is_broken_off_and_not_kept(tmp_path):
    async def story() -> None:
        async with listening(tmp_path) as running:
            wire = await (await running.dial()).greet()
            for command in ("MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA"):
                await wire.ask(command)
            await wire.send(b"x" * 400_000)
            await asyncio.wait_for(running.ingress.close(grace_s=0.1), 10)
            assert (await wire.line()).startswith("421 4.3.2 ")
            assert not running.intake.accepted
        assert not list((tmp_path / "spool").iterdir())

    asyncio.run(story())


@pytest.mark.parametrize("recipient", ["alice", "defect"])
def test_the_file_of_a_mail_that_was_handed_over_stays_when_nobody_knows_what_became_of_it(tmp_path, recipient):
    async def story() -> None:
        async with listening(tmp_path) as running:
            running.intake.hold = asyncio.Event()
            wire = await (await running.dial()).greet()
            sending = asyncio.create_task(wire.mail(b"x" * 400_000 + b"\r\n", f"{recipient}@example.org"))
            await running.intake.asked.wait()
            if recipient == "defect":
                running.intake.hold.set()
                assert (await sending).startswith("451 4.3.0 ")
            await asyncio.wait_for(running.ingress.close(grace_s=0.1), 10)
            assert (await sending)[:3] in {"421", "451"}

    asyncio.run(story())
    assert len(list((tmp_path / "spool").iterdir())) == 1


def test_a_restarted_ingress_has_its_old_port(tmp_path):
    async def story() -> None:
        async with listening(tmp_path) as first:
            port = int(first.ingress.addresses["smtp"].rpartition(":")[2])
        async with listening(tmp_path, preferred_ports={"smtp": port}) as second:
            assert second.ingress.addresses["smtp"] == f"127.0.0.1:{port}"

    asyncio.run(story())


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "452 4.3.1 "), (errno.EIO, "451 4.3.0 ")])
def test_a_disk_that_fails_is_a_temporary_failure_and_the_next_mail_gets_through(tmp_path, monkeypatch, number, code):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    async def story(running: Running) -> None:
        wire = await (await running.dial("lmtp")).greet("LHLO c")
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", fail)
            assert (await wire.mail(b"x" * 300_000 + b"\r\n", "alice@example.org", "bob@example.org")).startswith(code)
            assert (await wire.reply()).startswith(code)
        assert (await wire.mail(b"x" * 300_000 + b"\r\n")).startswith("250 2.0.0 ")
        assert len(running.intake.accepted) == 1

    told(tmp_path, story)
    assert len(list((tmp_path / "spool").iterdir())) == 1
