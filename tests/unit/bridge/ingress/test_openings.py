"""Listeners that cannot be opened now: the others work, it is told once with its cure, and tried until it goes."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

import pytest
from structlog.testing import capture_logs

from bridge.config.endpoints import TcpAddress, UnixAddress
from bridge.config.permissions import FileOwner
from bridge.errors import ConfigurationError
from bridge.ingress import openings
from bridge.ingress.listeners import SocketFile, open_listener
from bridge.ingress.openings import Openings, Wanted
from tests.support.waiting import until_on_loop

ANY_PORT = TcpAddress("127.0.0.1", 0)


def told(story):
    asyncio.run(asyncio.wait_for(story(), 60))


def wanted(name, address):
    return Wanted(name=name, address=address, factory=asyncio.Protocol)


def made(changed=lambda: None, delay_s=lambda _: 0.01, **file):
    return Openings(socket_file=SocketFile(**file), delay_s=delay_s, changed=changed)


def taken():
    server = socket.create_server(("127.0.0.1", 0))
    return server, TcpAddress("127.0.0.1", server.getsockname()[1])


def test_an_address_in_use_is_waited_for_while_the_others_work():
    async def story():
        changes: list[dict[str, str]] = []
        attempts: list[int] = []
        server, address = taken()

        def delay_s(attempt: int) -> float:
            attempts.append(attempt)
            return 0.01

        doors: Openings = made(lambda: changes.append(doors.addresses), delay_s)
        with capture_logs() as logs:
            await doors.start([wanted("smtp", address), wanted("lmtp", ANY_PORT)])
            assert doors.addresses.keys() == {"lmtp"}
            assert doors.awaited["smtp"].startswith("another program listens there (")
            running = asyncio.create_task(doors.run())
            await until_on_loop(lambda: len(attempts) > 3, what="some tries")
            assert not running.done()
            server.close()
            await running
        assert attempts[:4] == [0, 1, 2, 3]
        assert (doors.addresses["smtp"], doors.awaited) == (str(address), {})
        assert changes == [doors.addresses]
        first, last = logs
        assert (first["event"], first["listener"], first["address"]) == ("listener_awaited", "smtp", str(address))
        assert first["cure"].startswith("smtp.listen: end it, or choose another address")
        assert (last["event"], last["smtp"]) == ("ingress_listening", str(address))
        doors.close()
        assert doors.addresses == {}

    told(story)


def test_nothing_is_waited_for_where_all_is_open():
    async def story():
        doors = made()
        await doors.start([wanted("smtp", ANY_PORT)])
        await doors.run()
        doors.close()

    told(story)


@pytest.mark.parametrize("code", [errno.EADDRNOTAVAIL, errno.EMFILE, None])
def test_what_may_pass_is_tried_until_it_has(monkeypatch, code):
    async def story():
        errors = [OSError(code, "not now") if code else OSError("could not bind on any address")] * 3
        opened = open_listener

        async def refuse(*arguments, **options):
            if errors:
                raise errors.pop()
            return await opened(*arguments, **options)

        monkeypatch.setattr(openings, "open_listener", refuse)
        doors = made()
        await doors.start([wanted("smtps", ANY_PORT)])
        assert doors.awaited.keys() == {"smtps"}
        await doors.run()
        assert doors.addresses.keys() == {"smtps"}
        doors.close()

    told(story)


def test_an_address_of_another_machine_is_waited_for():
    async def story():
        doors = made()
        await doors.start([wanted("smtp", TcpAddress("192.0.2.1", 25))])
        assert doors.awaited == {"smtp": "this machine does not have that address now"}

    told(story)


@pytest.mark.parametrize(
    ("code", "told_of"),
    [
        (errno.EACCES, "may not listen there; choose a port from"),
        (errno.EAFNOSUPPORT, "choose another address"),
    ],
)
def test_what_only_a_person_can_mend_ends_it_with_nothing_open(monkeypatch, tmp_path, code, told_of):
    async def story():
        opened = open_listener

        async def refuse(factory, address, **options):
            if isinstance(address, TcpAddress):
                raise OSError(code, os.strerror(code))
            return await opened(factory, address, **options)

        monkeypatch.setattr(openings, "open_listener", refuse)
        doors = made()
        with pytest.raises(ConfigurationError, match=rf"^smtp\.listen = '127\.0\.0\.1:25': .*{told_of}"):
            await doors.start(
                [wanted("lmtp", UnixAddress(tmp_path / "lmtp")), wanted("smtp", TcpAddress("127.0.0.1", 25))]
            )
        assert doors.addresses == {}
        assert not (tmp_path / "lmtp").exists()

    told(story)


def test_what_turns_out_to_be_for_a_person_while_it_is_tried_is_raised(monkeypatch):
    async def story():
        server, address = taken()
        doors = made()
        await doors.start([wanted("smtp", address)])

        async def refuse(*_, **__):
            await asyncio.sleep(0)
            raise OSError(errno.EACCES, "")

        monkeypatch.setattr(openings, "open_listener", refuse)
        with pytest.raises(ExceptionGroup) as caught:
            await doors.run()
        assert isinstance(caught.value.exceptions[0], ConfigurationError)
        server.close()

    told(story)


def test_a_path_that_cannot_be_a_socket_is_told_with_its_key(tmp_path):
    async def story():
        (tmp_path / "file").write_text("not a socket")
        for path, reason in [
            ("file", "there is a file that is not a socket"),
            ("x" * 120, "no socket can be made there"),
        ]:
            with pytest.raises(ConfigurationError, match=rf"^lmtp\.listen = 'unix:/.*': {reason}"):
                await made().start([wanted("lmtp", UnixAddress(tmp_path / path))])
        with pytest.raises(ConfigurationError, match=r"^lmtp\.socket_owner = ':no-such-group'"):
            await made(owner=FileOwner("", "no-such-group")).start([wanted("lmtp", UnixAddress(tmp_path / "s"))])

    told(story)
