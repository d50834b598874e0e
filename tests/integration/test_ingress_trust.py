"""Who may hand in mail: networks, TLS, logins, and load balancers that name the real peer."""

from __future__ import annotations

import asyncio
import base64
import shutil
import smtplib
import socket
import ssl
import struct
import subprocess
from ipaddress import ip_network
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from bridge.errors import ConfigurationError
from bridge.ingress import Ingress, IngressSettings, SessionLimits, Trust
from bridge.ingress.encryption import encrypted
from tests.conftest import need
from tests.support import UNUSED
from tests.support.ingress import ANY_PORT, Running, Wire, listening, told

pytestmark = pytest.mark.usefixtures("wherever")

NOBODY = Trust(networks=())
LOGIN = base64.b64encode(b"\0alice\0secret").decode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


def self_signed(directory):
    files = {"tls_certificate": directory / "cert.pem", "tls_key": directory / "key.pem"}
    subprocess.run(
        [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=mx.example", "-addext", "subjectAltName=DNS:mx.example",
         "-keyout", files["tls_key"], "-out", files["tls_certificate"]],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return files


def trusting(certificate):
    return ssl.create_default_context(cafile=str(certificate["tls_certificate"]))


async def check(user: str, password: str) -> bool:
    await asyncio.sleep(0)
    if password == "defect":
        raise RuntimeError("the store cannot be asked")
    return (user, password) == ("alice", "secret")


async def starttls(wire: Wire, certificate) -> None:
    assert (await wire.ask("STARTTLS")).startswith("220 2.0.0 ")
    await wire.writer.start_tls(trusting(certificate), server_hostname="mx.example")


async def extensions(wire: Wire) -> set[str]:
    await wire.send(b"EHLO c\r\n")
    words = set()
    while True:
        line = await wire.line()
        words.add(line[4:])
        if line[3] == " ":
            return words


def test_starttls_encrypts_and_forgets_what_was_said_before(tmp_path, certificate):
    async def story(running: Running) -> None:
        wire = await running.dial()
        await wire.reply()
        assert "STARTTLS" in await extensions(wire)
        assert (await wire.ask("STARTTLS now")).startswith("501 5.5.4 ")
        await wire.ask("MAIL FROM:<a@example.net>")
        await starttls(wire, certificate)
        assert (await wire.ask("MAIL FROM:<a@example.net>")).startswith("503 5.5.1 ")
        assert "STARTTLS" not in await extensions(wire)
        assert (await wire.ask("STARTTLS")).startswith("503 5.5.1 ")
        raw = b"x" * 500_000 + b"\r\n"
        assert (await wire.mail(raw)).startswith("250 2.0.0 ")
        assert running.intake.contents == [raw]
        assert running.intake.accepted[0].protocol == "ESMTPS"
        assert (await wire.ask("QUIT")).startswith("221 2.0.0 ")

    told(tmp_path, story, **certificate)


def test_commands_sneaked_in_before_the_handshake_are_not_carried_out(tmp_path, certificate):
    """RFC 3207 §4.2, CVE-2011-0411."""

    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        await wire.send(b"STARTTLS\r\nEHLO c\r\nMAIL FROM:<evil@example.net>\r\n")
        assert (await wire.reply()).startswith("220 2.0.0 ")
        await wire.writer.start_tls(trusting(certificate), server_hostname="mx.example")
        assert (await wire.ask("NOOP")).startswith("250 2.0.0 Ok")
        assert (await wire.ask("RCPT TO:<alice@example.org>")).startswith("503 5.5.1 ")

    told(tmp_path, story, **certificate)


def test_tls_from_the_first_byte(tmp_path, certificate):
    async def story(running: Running) -> None:
        wire = await running.dial("smtps", ssl=None)
        await wire.writer.start_tls(trusting(certificate), server_hostname="mx.example")
        await wire.greet()
        assert (await wire.mail(b"x\r\n")).startswith("250 2.0.0 ")
        assert running.intake.accepted[0].protocol == "ESMTPS"

    told(tmp_path, story, smtps_listen=ANY_PORT, **certificate)


def hello(certificate):
    """The first words of a handshake, and what is needed to go on with it."""
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting(certificate).wrap_bio(coming, going, server_hostname="mx.example")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, coming, going


async def greeted(wire, tls, coming, going):
    """Finish the handshake, byte by byte; the first line that comes over TLS."""
    async with asyncio.timeout(30):
        while True:
            try:
                line = tls.read(200)
            except ssl.SSLWantReadError:
                await wire.send(going.read())
                coming.write(await wire.reader.read(4096))
                continue
            return line


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("header", [b"", b"PROXY TCP4 127.0.0.1 127.0.0.1 5 25\r\n"], ids=["plain", "proxied"])
@pytest.mark.parametrize("cut", [0, 7, 1000])
def test_a_handshake_that_comes_with_the_connection_is_heard(tmp_path, certificate, loop, header, cut):
    """What is there before TLS listens is read in the clear, and is nevertheless TLS's."""

    async def story(running: Running) -> None:
        for _ in range(20):
            tls, coming, going = hello(certificate)
            said = header + going.read()
            wire = await running.dial("smtps")
            await wire.send(said[:cut])
            await asyncio.sleep(0)
            await wire.send(said[cut:])
            assert (await greeted(wire, tls, coming, going)).startswith(b"220 ")
            await wire.close()

    trust = Trust(proxies=(ip_network("127.0.0.0/8"),) if header else ())
    told(tmp_path, story, loop=loop, smtps_listen=ANY_PORT, trust=trust, **certificate)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_handshake_that_comes_right_behind_our_reply_is_heard(tmp_path, certificate, loop, monkeypatch):
    """A sender that is quick: it speaks TLS when our reply is out, and TLS does not listen yet."""

    async def slowly(*connection, **options):
        await asyncio.sleep(0.1)
        return await encrypted(*connection, **options)

    def start(host, port):
        with smtplib.SMTP(host, int(port), timeout=10) as sender:
            vars(sender)["_host"] = "mx.example"
            sender.starttls(context=trusting(certificate))
            assert sender.noop()[0] == 250

    async def story(running: Running) -> None:
        await asyncio.to_thread(start, *running.ingress.addresses["smtp"].split(":"))

    monkeypatch.setattr("bridge.ingress.conversation.encrypted", slowly)
    told(tmp_path, story, loop=loop, **certificate)


@pytest.mark.parametrize("said", [b"EHLO c\r\n", b"\x16\x03\x01\xff\xff garbage", b""])
def test_a_handshake_that_fails_costs_nobody_else(tmp_path, certificate, said):
    async def story(running: Running) -> None:
        for listener in ("smtps", "smtp"):
            wire = await running.dial(listener)
            if listener == "smtp":
                await wire.greet()
                await wire.ask("STARTTLS")
            await wire.send(said)
            wire.writer.write_eof()
            await wire.reader.read()
            await wire.close()
        await running.connections(0)
        await (await running.dial()).greet()

    told(tmp_path, story, smtps_listen=ANY_PORT, **certificate)


async def logged(logs, event):
    """Wait until an event was logged."""
    async with asyncio.timeout(30):
        while event not in [entry["event"] for entry in logs]:  # noqa: ASYNC110 - the log calls nobody
            await asyncio.sleep(0.02)


def test_a_new_certificate_is_used_without_a_restart(tmp_path, certificate):
    async def story() -> None:
        files = {key: tmp_path / path.name for key, path in certificate.items()}
        for key, path in certificate.items():
            shutil.copy(path, files[key])
        async with listening(tmp_path, **files) as running:
            await starttls(await (await running.dial()).greet(), certificate)
            following = asyncio.create_task((running.beside or running.ingress).follow(every_s=0.05))
            with capture_logs() as logs:
                newer = self_signed(tmp_path)
                await logged(logs, "certificate_loaded")
                await starttls(await (await running.dial()).greet(), newer)
                files["tls_key"].write_text("nonsense")
                await logged(logs, "certificate_not_loaded")
                await starttls(await (await running.dial()).greet(), newer)
            following.cancel()

    asyncio.run(story())


def test_tls_without_a_certificate_is_refused_at_the_start(tmp_path):
    settings: dict[str, Any] = {"hostname": "x", "smtps_listen": ANY_PORT}
    with pytest.raises(ConfigurationError, match=r"smtp\.tls_listen = .*needs a certificate"):
        Ingress(intake=UNUSED, spool=UNUSED, settings=IngressSettings(**settings))
    settings |= {"tls_certificate": tmp_path / "none", "tls_key": tmp_path / "none"}
    with pytest.raises(ConfigurationError, match=r"smtp\.tls_key = .*cannot be used: No such file"):
        Ingress(intake=UNUSED, spool=UNUSED, settings=IngressSettings(**settings))


def test_a_stranger_must_log_in_over_tls(tmp_path, certificate):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        assert not any(word.startswith("AUTH") for word in await extensions(wire))
        assert (await wire.ask("MAIL FROM:<a@example.net>")).startswith("530 5.7.0 ")
        assert (await wire.ask(f"AUTH PLAIN {LOGIN}")).startswith("538 5.7.11 ")
        await starttls(wire, certificate)
        assert (await wire.ask(f"AUTH PLAIN {LOGIN}")).startswith("503 5.5.1 ")
        assert "AUTH PLAIN LOGIN" in await extensions(wire)
        assert (await wire.ask("AUTH PLAIN " + base64.b64encode(b"\0alice\0wrong").decode())).startswith("535 5.7.8 ")
        assert (await wire.ask("AUTH PLAIN " + base64.b64encode(b"\0a\0defect").decode())).startswith("451 4.3.0 ")
        assert (await wire.ask("MAIL FROM:<a@example.net>")).startswith("530 5.7.0 ")
        assert (await wire.ask(f"AUTH PLAIN {LOGIN}")).startswith("235 2.7.0 ")
        assert (await wire.ask(f"AUTH PLAIN {LOGIN}")).startswith("503 5.5.1 ")
        assert (await wire.mail(b"x\r\n")).startswith("250 2.0.0 ")
        assert running.intake.accepted[0].protocol == "ESMTPSA"

    told(tmp_path, story, trust=NOBODY, check_login=check, **certificate)


def test_login_step_by_step_and_its_mistakes(tmp_path, certificate):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        await starttls(wire, certificate)
        await wire.ask("EHLO c")
        assert (await wire.ask("AUTH")).startswith("501 5.5.4 ")
        assert (await wire.ask("AUTH CRAM-MD5")).startswith("504 5.5.4 ")
        assert (await wire.ask("AUTH PLAIN ====")).startswith("501 5.5.2 ")
        assert (await wire.ask("AUTH PLAIN " + base64.b64encode(b"no zeros").decode())).startswith("501 5.5.2 ")
        assert (await wire.ask("AUTH LOGIN")).startswith("334 ")
        assert (await wire.ask("*")).startswith("501 5.7.0 ")
        assert (await wire.ask("AUTH LOGIN")).startswith("334 ")
        assert (await wire.ask("no base64")).startswith("501 5.5.2 ")
        await wire.ask("AUTH PLAIN")
        await wire.send(b"AAAA\n")
        assert (await wire.reply()).startswith("500 5.5.2 ")
        await wire.ask("AUTH PLAIN")
        await wire.send(b"x" * 200_000 + b"\r\n")
        assert (await wire.reply()).startswith("500 5.5.6 ")
        assert (await wire.ask("AUTH PLAIN")).startswith("334 ")
        assert (await wire.ask("")).startswith("501 5.5.2 ")
        assert (await wire.ask("auth login")).startswith("334 ")
        assert (await wire.ask(base64.b64encode(b"alice").decode())).startswith("334 ")
        assert (await wire.ask(base64.b64encode(b"secret").decode())).startswith("235 2.7.0 ")

    told(tmp_path, story, trust=NOBODY, check_login=check, **certificate)


def test_a_login_that_is_never_finished_times_out(tmp_path, certificate):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        await starttls(wire, certificate)
        await wire.ask("EHLO c")
        assert (await wire.ask("AUTH LOGIN")).startswith("334 ")
        assert (await wire.line()).startswith("421 4.4.2 ")

    limits = SessionLimits(command_timeout_s=0.3)
    told(tmp_path, story, trust=NOBODY, check_login=check, limits=limits, **certificate)


def test_a_stranger_who_cannot_log_in_is_sent_away_at_once(tmp_path):
    async def story(running: Running) -> None:
        wire = await running.dial()
        assert (await wire.line()).startswith("554 5.7.1 ")
        assert await wire.line() == "<EOF>"
        await (await running.dial("lmtp")).greet("LHLO c")

    told(tmp_path, story, trust=NOBODY)


V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\n"
V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V2 = V2_SIGNATURE + b"\x21\x11" + struct.pack("!H4s4sHH", 12, bytes([192, 0, 2, 7]), bytes(4), 4711, 25)
V2_IPV6 = (
    V2_SIGNATURE
    + b"\x21\x21"
    + struct.pack("!H16s16sHH", 36, socket.inet_pton(socket.AF_INET6, "2001:db8::7"), bytes(16), 1, 2)
)
V2_HEALTH = V2_SIGNATURE + b"\x20\x00\x00\x00"
BALANCED = Trust(
    networks=tuple(map(ip_network, ["192.0.2.0/24", "2001:db8::/32", "127.0.0.1"])), proxies=(ip_network("127.0.0.1"),)
)


@pytest.mark.parametrize(
    ("header", "peer"),
    [(V1, "192.0.2.7"), (V2, "192.0.2.7"), (V2_IPV6, "2001:db8::7"), (V2_HEALTH, "127.0.0.1"),
     (b"PROXY UNKNOWN\r\n", "127.0.0.1")],
)  # fmt: skip
def test_a_load_balancer_names_the_real_peer(tmp_path, header, peer):
    async def story(running: Running) -> None:
        wire = await running.dial()
        await wire.send(header)
        await wire.greet()
        await wire.mail(b"x\r\n")
        assert running.intake.accepted[0].peer == peer

    told(tmp_path, story, trust=BALANCED)


@pytest.mark.parametrize("said", [b"EHLO client.example\r\n", b"PROXY TCP4 a b c d\r\n", V2[:13] + b"\xff" * 10])
def test_a_load_balancer_that_sends_no_header_gets_nowhere(tmp_path, said):
    async def story(running: Running) -> None:
        wire = await running.dial()
        await wire.send(said)
        wire.writer.write_eof()
        assert await wire.line() == "<EOF>"
        await wire.close()
        await running.connections(0)

    told(tmp_path, story, trust=BALANCED)


def test_the_real_peer_is_the_one_that_is_trusted_and_counted(tmp_path):
    async def story(running: Running) -> None:
        stranger = await running.dial()
        await stranger.send(V1.replace(b"192.0.2.7", b"203.0.113.9"))
        assert (await stranger.line()).startswith("554 5.7.1 ")
        first, second, other = [await running.dial() for _ in range(3)]
        await first.send(V1)
        await first.greet()
        await second.send(V1)
        assert (await second.line()).startswith("421 4.7.0 ")
        await other.send(V1.replace(b"192.0.2.7", b"192.0.2.8"))
        await other.greet()

    told(tmp_path, story, trust=BALANCED, limits=SessionLimits(connections_per_address=1))


def test_a_proxy_header_from_anybody_else_is_a_bad_command(tmp_path):
    async def story(running: Running) -> None:
        wire = await running.dial()
        await wire.reply()
        await wire.send(V1)
        assert (await wire.reply()).startswith("500 5.5.1 ")

    told(tmp_path, story)
