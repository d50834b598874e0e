"""Single refusals and failures of the SMTP side."""

from __future__ import annotations

import asyncio
import getpass
import grp
import os

from structlog.testing import capture_logs

from bridge.certificate import Certificate
from bridge.config.endpoints import UnixAddress
from bridge.config.permissions import FileMode, FileOwner
from bridge.ingress.listeners import SocketFile, open_listener
from tests.integration.test_broker_listeners import certificate
from tests.support.ingress import Running, told


def test_data_takes_no_argument_and_the_mail_goes_on(tmp_path):
    async def story(running: Running) -> None:
        wire = await (await running.dial()).greet()
        assert (await wire.ask("MAIL FROM:<a@example.net>")).startswith("250 ")
        assert (await wire.ask("RCPT TO:<alice@example.org>")).startswith("250 ")
        assert (await wire.ask("DATA now")).startswith("501 ")
        assert (await wire.ask("DATA")).startswith("354 ")
        await wire.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert (await wire.reply()).startswith("250 ")

    told(tmp_path, story)


def test_a_socket_file_belongs_to_the_group_that_was_named(tmp_path):
    async def story():
        group = grp.getgrgid(os.getgid()).gr_name
        file = SocketFile(FileMode(0o660), FileOwner(getpass.getuser(), group))
        listener = await open_listener(asyncio.Protocol, UnixAddress(tmp_path / "lmtp"), socket_file=file)
        assert (tmp_path / "lmtp").stat().st_gid == os.getgid()
        assert (tmp_path / "lmtp").stat().st_mode & 0o777 == 0o660
        listener.close()

    asyncio.run(story())


def test_a_certificate_is_loaded_again_when_its_files_changed_and_only_then(tmp_path):
    base = certificate(tmp_path, "server")
    chain, key = base.with_suffix(".crt"), base.with_suffix(".key")
    loaded = Certificate(chain, key, section="smtp")
    with capture_logs() as said:
        loaded.look()
        assert said == []
        os.utime(chain, ns=(1, 1))
        loaded.look()
        loaded.look()
        key.write_text("no key")
        loaded.look()
    assert [each["event"] for each in said] == ["certificate_loaded", "certificate_not_loaded"]
