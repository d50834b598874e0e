"""Mail programs that others have written, against the listeners."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.conftest import need
from tests.machine import run
from tests.mailsink import Running, told


async def program(name: str, *arguments: str) -> str:
    return await asyncio.to_thread(run, need(name), *arguments)


@pytest.mark.parametrize("listener", ["smtp", "lmtp"])
def test_swaks_over_tcp_and_over_a_socket(tmp_path, listener):
    async def story(sink: Running) -> None:
        address = sink.ingress.addresses[listener]
        where = ("--socket", address.removeprefix("unix:")) if listener == "lmtp" else ("--server", address)
        to = "alice@example.org,nobody@example.org,bob@example.org"
        said = await program(
            "swaks", "--protocol", listener.upper(), *where, "--to", to, "--pipeline", "--body", ".\n..\n"
        )
        assert "550 5.1.1" in said
        [envelope] = sink.intake.accepted
        assert [recipient.user for recipient in envelope.recipients] == ["alice", "bob"]
        assert b"\r\n\r\n.\r\n..\r\n" in sink.intake.contents[0]

    told(tmp_path, story)


@pytest.mark.parametrize("options", [["-s", "20"], ["-s", "20", "-d"]], ids=["one each", "many each"])
def test_smtp_source_sends_each_mail_once(tmp_path, options):
    async def story(sink: Running) -> None:
        address = sink.ingress.addresses["smtp"]
        await program("smtp-source", *options, "-m", "500", "-l", "2000", "-N", "-t", "alice@example.org", address)
        users = Counter(envelope.recipients[0].address for envelope in sink.intake.accepted)
        assert len(users) == 500
        assert set(users.values()) == {1}

    told(tmp_path, story)
