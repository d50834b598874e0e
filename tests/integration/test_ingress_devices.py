"""Senders that are machines and cannot be mended: what is taken from a trusted network, and from nobody else."""

from __future__ import annotations

import base64
import itertools

import pytest
from structlog.testing import capture_logs

from bridge.config.endpoints import LOOPBACK
from bridge.ingress import Trust
from tests.integration.test_ingress_trust import LOGIN, NOBODY, check, extensions, self_signed, starttls
from tests.support.ingress import Running, Wire, told

KIND = Trust(any_login=True)
USERNAME, PASSWORD = "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


async def challenged(wire: Wire, *lines: str) -> list[str]:
    return [await wire.ask(line) for line in lines]


def test_a_camera_logs_in_as_it_likes_without_tls(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        assert "AUTH PLAIN LOGIN" in await extensions(wire)
        assert await challenged(wire, "AUTH LOGIN", "YWRtaW4=", "MTIzNA==") == [USERNAME, PASSWORD, AUTHENTICATED]
        assert await challenged(wire, "auth login YWRtaW4=", "") == [PASSWORD, AUTHENTICATED]
        assert await challenged(wire, "AUTH PLAIN", "no base64") == ["334 ", AUTHENTICATED]
        assert await challenged(wire, f"AUTH PLAIN {LOGIN}") == [AUTHENTICATED]
        assert (await wire.mail(b"x\r\n")).startswith("250 2.0.0 ")
        assert running.intake.accepted[0].protocol == "ESMTP", "it has proved nothing"

    told(tmp_path, story, trust=KIND)


AUTHENTICATED = "235 2.7.0 Authentication successful"


def test_what_is_no_login_is_none_from_a_camera_either(tmp_path):
    async def story(running: Running) -> None:
        wire = await running.dial()
        await wire.reply()
        assert (await wire.ask(f"AUTH PLAIN {LOGIN}")).startswith("503 5.5.1 ")
        await wire.ask("EHLO c")
        assert (await wire.ask("AUTH")).startswith("501 5.5.4 ")
        assert (await wire.ask("AUTH CRAM-MD5")).startswith("504 5.5.4 ")
        assert (await challenged(wire, "AUTH LOGIN", "*"))[1].startswith("501 5.7.0 ")
        assert (await challenged(wire, "AUTH LOGIN", "x" * 20_000))[1].startswith("500 5.5.6 ")
        await wire.ask("MAIL FROM:<>")
        assert (await wire.ask(f"AUTH PLAIN {LOGIN}")).startswith("503 5.5.1 ")

    told(tmp_path, story, trust=KIND)


def test_the_log_says_once_of_each_peer_that_its_logins_mean_nothing(tmp_path):
    async def story(running: Running) -> None:
        for _ in range(2):
            wire = await (await running.dial()).greet()
            await challenged(wire, f"AUTH PLAIN {LOGIN}", f"AUTH PLAIN {LOGIN}")
            await wire.close()

    with capture_logs() as logs:
        told(tmp_path, story, trust=KIND)
    assert [line for line in logs if line["event"] == "smtp_login_ignored"] == [
        {"event": "smtp_login_ignored", "log_level": "info", "peer": "127.0.0.1"}
    ]


def test_a_printer_that_says_helo_may_log_in_too(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet("HELO printer")
        assert await wire.ask(f"AUTH PLAIN {LOGIN}") == AUTHENTICATED
        assert (await wire.mail(b"x\r\n")).startswith("250 2.0.0 ")

    told(tmp_path, story, trust=KIND)


def test_with_bare_line_feeds_a_login_works_as_well(tmp_path):
    async def story(running: Running) -> None:
        wire = await running.dial()
        await wire.send(b"EHLO c\nAUTH LOGIN\nYQ==\nYg==\nMAIL FROM:<>\n")
        assert [await wire.reply() for _ in range(4)][2:] == [USERNAME, PASSWORD]
        assert [await wire.reply() for _ in range(2)] == [AUTHENTICATED, "250 2.1.0 Sender ok"]
        await wire.send(b"AUTH LOGIN\n")

    async def mixed(running: Running) -> None:
        wire = await (await running.dial()).greet()
        await wire.send(b"AUTH LOGIN\r\nYQ==\nYg==\r\n")
        assert [await wire.reply() for _ in range(3)] == [USERNAME, PASSWORD, AUTHENTICATED]
        wire = await running.dial()
        await wire.send(
            b"EHLO c\nAUTH LOGIN\n" + b"x" * 20_000 + b"\nMAIL FROM:<>\nRCPT TO:<alice@example.org>\nDATA\n"
        )
        assert [(await wire.reply())[:9] for _ in range(7)][3:] == ["500 5.5.6", "250 2.1.0", "250 2.1.5", "354 End d"]
        await wire.send(b"x\n.\nNOOP\n\r\n.\r\n")
        assert (await wire.reply()).startswith("250 2.0.0 ")
        assert running.intake.contents == [b"x\n.\nNOOP\n\r\n"], "nobody looked at how that line ended"

    told(tmp_path, story, trust=KIND)
    told(tmp_path, mixed, trust=KIND)


def test_over_tls_a_login_means_as_little(tmp_path, certificate):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        assert {"STARTTLS", "AUTH PLAIN LOGIN"} <= await extensions(wire)
        await starttls(wire, certificate)
        assert {"AUTH PLAIN LOGIN"} <= await extensions(wire)
        wrong = base64.b64encode(b"\0alice\0wrong").decode()
        assert await wire.ask(f"AUTH PLAIN {wrong}") == AUTHENTICATED
        await wire.mail(b"x\r\n")
        assert running.intake.accepted[0].protocol == "ESMTPS"

    told(tmp_path, story, trust=KIND, check_login=check, **certificate)


def test_a_setting_turns_it_off_and_the_replies_say_what_to_do(tmp_path, certificate):
    async def unneeded(running: Running) -> None:
        wire = await (await running.dial()).greet()
        assert not any(word.startswith("AUTH") for word in await extensions(wire))
        reply = await wire.ask(f"AUTH PLAIN {LOGIN}")
        assert reply.startswith("502 5.5.1 ")
        assert "without AUTH" in reply

    async def checked(running: Running) -> None:
        wire = await (await running.dial()).greet("HELO c")
        reply = await wire.ask(f"AUTH PLAIN {LOGIN}")
        assert reply.startswith("503 5.5.1 ")
        assert "EHLO instead of HELO" in reply
        await wire.ask("EHLO c")
        assert "STARTTLS" in await wire.ask(f"AUTH PLAIN {LOGIN}")
        await starttls(wire, certificate)
        await wire.ask("EHLO c")
        assert [await wire.ask("AUTH LOGIN"), await wire.ask("YWxpY2U=")] == [USERNAME, PASSWORD]
        assert (await wire.ask("YQ==")).startswith("535 5.7.8 ")

    told(tmp_path, unneeded)
    told(tmp_path, checked, check_login=check, **certificate)


def test_strangers_are_held_to_all_of_it(tmp_path, certificate):
    async def story(running: Running) -> None:
        wire = await running.dial()
        await wire.reply()
        await wire.send(b"EHLO c\n")
        reply = await wire.reply()
        assert reply.startswith("500 5.5.2 ")
        assert "trusted" in reply
        assert not any(word.startswith("AUTH") for word in await extensions(wire))
        assert (await wire.ask(f"AUTH PLAIN {LOGIN}")).startswith("538 5.7.11 ")
        assert "STARTTLS" in await wire.ask("MAIL FROM:<a@example.net>")
        await wire.send(b"EHLO \xfc\r\n")
        assert (await wire.reply()).startswith("500 5.5.2 ")
        await starttls(wire, certificate)
        await wire.ask("EHLO c")
        assert await wire.ask(f"AUTH PLAIN {LOGIN}") == AUTHENTICATED
        assert (await wire.ask("MAIL FROM:< cam@example.net >")).startswith("501 5.1.3 ")
        assert (await wire.ask("MAIL FROM:Front Door <cam@example.net>")).startswith("501 5.5.4 ")
        assert (await wire.ask("MAIL FROM:<cam@example.net>")).startswith("250 ")
        assert (await wire.ask("RCPT TO:<<alice@example.org>>")).startswith("501 5.1.3 ")
        await wire.ask("RCPT TO:<alice@example.org>")
        await wire.ask("DATA")
        await wire.send(b"one\n.\nNOOP\n\r\n.\r\n")
        assert (await wire.reply()).startswith("250 2.0.0 ")
        assert running.intake.contents == [b"one\n.\nNOOP\n\r\n"]

    told(tmp_path, story, trust=Trust(NOBODY.networks, any_login=True), check_login=check, **certificate)


ENDS = [
    before + b"." + behind for before in (b"\n", b"\r", b"\r\n", b"\n\r", b"\0\n") for behind in (b"\n", b"\r", b"\r\n")
]
SMUGGLED = b"MAIL FROM:<evil@example.net>%sRCPT TO:<alice@example.org>%sDATA%sforged%s.%s"


@pytest.mark.parametrize("said", range(4), ids=["EHLO", "MAIL", "RCPT", "DATA"])
def test_nothing_is_smuggled_into_a_session_that_ever_said_cr_lf(tmp_path, said):
    """What a relay that speaks CR LF passes on from somebody else; one CR LF among its commands is enough."""
    commands = [b"EHLO c", b"MAIL FROM:<>", b"RCPT TO:<alice@example.org>", b"DATA"]

    async def story(running: Running) -> None:
        for end, line in itertools.product(ENDS, [b"\n", b"\r\n"]):
            if end == b"\r\n.\r\n":
                continue
            wire = await running.dial()
            await wire.reply()
            for number, command in enumerate(commands):
                await wire.send(command + (b"\r\n" if number == said else b"\n"))
                assert (await wire.reply())[:3] in {"250", "354"}
            content = b"x" + end + SMUGGLED % ((line,) * 5 if line == b"\n" else (line, line, line, b"\n", b"\n"))
            await wire.send(content + b"\r\n.\r\nQUIT\n")
            assert (await wire.reply()).startswith("250 2.0.0 ")
            assert (await wire.reply()).startswith("221 ")
            kept = running.intake.contents.pop()
            assert not running.intake.contents, (end, line)
            assert b"forged" in kept
            await wire.close()

    told(tmp_path, story, trust=Trust(LOOPBACK, any_login=True))
