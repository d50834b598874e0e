"""Mail programs that others have written, against the listeners."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bridge.ingress import Trust
from tests.conftest import need
from tests.integration.test_ingress_trust import check, self_signed
from tests.support.ingress import ANY_PORT, Running, told
from tests.support.machine import run

pytestmark = pytest.mark.usefixtures("wherever")


async def program(name: str, *arguments: str, **options: object) -> str:
    return await asyncio.to_thread(run, need(name), *arguments, **options)


@pytest.mark.parametrize("listener", ["smtp", "lmtp"])
def test_swaks_over_tcp_and_over_a_socket(tmp_path, listener):
    async def story(running: Running) -> None:
        address = running.ingress.addresses[listener]
        where = ("--socket", address.removeprefix("unix:")) if listener == "lmtp" else ("--server", address)
        to = "alice@example.org,nobody@example.org,bob@example.org"
        said = await program(
            "swaks", "--protocol", listener.upper(), *where, "--to", to, "--pipeline", "--body", ".\n..\n"
        )
        assert "550 5.1.1" in said
        [envelope] = running.intake.accepted
        assert [recipient.user for recipient in envelope.recipients] == ["alice", "bob"]
        assert b"\r\n\r\n.\r\n..\r\n" in running.intake.contents[0]

    told(tmp_path, story)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_logs_in_as_anybody_where_that_means_nothing(tmp_path, mechanism):
    async def story(running: Running) -> None:
        login = ("--auth", mechanism, "--auth-user", "admin", "--auth-password", "1234")
        where = ("--server", running.ingress.addresses["smtp"], "--to", "alice@example.org")
        assert "235 2.7.0" in await program("swaks", *where, *login)
        assert running.intake.accepted[0].protocol == "ESMTP"

    told(tmp_path, story, trust=Trust(any_login=True))


@pytest.mark.parametrize("options", [["-s", "20"], ["-s", "20", "-d"]], ids=["one each", "many each"])
def test_smtp_source_sends_each_mail_once(tmp_path, options):
    async def story(running: Running) -> None:
        address = running.ingress.addresses["smtp"]
        await program("smtp-source", *options, "-m", "500", "-l", "2000", "-N", "-t", "alice@example.org", address)
        users = Counter(envelope.recipients[0].address for envelope in running.intake.accepted)
        assert len(users) == 500
        assert set(users.values()) == {1}

    told(tmp_path, story)


MAIL = b"Subject: Door\n\n.\nSomebody rang.\n"
ALICE_AND_BOB = ("alice@example.org", "bob@example.org")


async def msmtp(*options: str, **more: object) -> None:
    await program("msmtp", "--file=/dev/null", "--from=door@example.org", *options, *ALICE_AND_BOB, input=MAIL, **more)


def handed_in(running: Running) -> bool:
    [envelope], [content] = running.intake.accepted, running.intake.contents
    users = [recipient.user for recipient in envelope.recipients]
    return users == ["alice", "bob"] and content.endswith(b"Subject: Door\r\n\r\n.\r\nSomebody rang.\r\n")


@pytest.mark.parametrize("listener", ["smtp", "lmtp"])
def test_msmtp(tmp_path, listener):
    async def story(running: Running) -> None:
        host, _, port = running.ingress.addresses[listener].rpartition(":")
        await msmtp(f"--protocol={listener}", f"--host={host}", f"--port={port}", "--tls=off")
        assert handed_in(running)

    told(tmp_path, story, lmtp_listen=ANY_PORT)


@pytest.mark.parametrize("listener", ["smtp", "smtps"])
def test_msmtp_logs_in_over_tls(tmp_path, listener):
    certificate = self_signed(tmp_path)

    async def story(running: Running) -> None:
        host, _, port = running.ingress.addresses[listener].rpartition(":")
        secured = ["--tls=on", f"--tls-trust-file={certificate['tls_certificate']}", "--tls-host-override=mx.example"]
        start = f"--tls-starttls={'on' if listener == 'smtp' else 'off'}"
        login = ["--auth=on", "--user=alice", "--passwordeval=echo secret"]
        await msmtp(f"--host={host}", f"--port={port}", start, *secured, *login)
        assert handed_in(running)
        assert running.intake.accepted[0].protocol == "ESMTPSA"

    told(tmp_path, story, trust=Trust(networks=()), check_login=check, smtps_listen=ANY_PORT, **certificate)
