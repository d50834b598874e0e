from __future__ import annotations

import asyncio
import errno
import getpass
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.config.endpoints import TcpAddress, UnixAddress
from bridge.config.permissions import FileMode, FileOwner
from bridge.errors import ConfigurationError
from bridge.ingress import accepting
from bridge.ingress.listeners import SocketFile, open_listener


def listening(story):
    asyncio.run(asyncio.wait_for(story(), 30))


def opened(address, **options):
    return open_listener(asyncio.Protocol, address, **{"socket_file": SocketFile(), **options})


def test_port_0_takes_the_port_it_had_before_if_it_is_free():
    async def story():
        first = await opened(TcpAddress("127.0.0.1", 0))
        port = first.address.port
        other = await opened(TcpAddress("127.0.0.1", 0), preferred_port=port)
        assert other.address.port not in {0, port}
        first.close()
        again = await opened(TcpAddress("127.0.0.1", 0), preferred_port=port)
        assert again.address.port == port
        other.close()
        again.close()

    listening(story)


def test_an_address_in_use_is_an_error_of_the_system():
    async def story():
        first = await opened(TcpAddress("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use") as caught:
            await opened(first.address)
        assert caught.value.errno == errno.EADDRINUSE
        first.close()

    listening(story)


def test_a_socket_file_has_owner_and_mode_from_its_first_moment(tmp_path):
    async def story():
        path = tmp_path / "deep" / "lmtp"
        listener = await opened(
            UnixAddress(path), socket_file=SocketFile(FileMode(0o600), FileOwner(getpass.getuser()))
        )
        mode = path.lstat().st_mode
        assert stat.S_ISSOCK(mode)
        assert mode & 0o777 == 0o600
        assert path.lstat().st_uid == os.getuid()
        assert [file.name for file in path.parent.iterdir()] == ["lmtp"]
        listener.close()
        assert not path.exists()

    listening(story)


def test_an_unknown_owner_is_named(tmp_path):
    async def story():
        told = (
            r"^lmtp\.socket_owner = 'nobody-like-this': there is no such user or group; install the mail server first"
        )
        with pytest.raises(ConfigurationError, match=told):
            await opened(
                UnixAddress(tmp_path / "lmtp"), socket_file=SocketFile(FileMode(0o600), FileOwner("nobody-like-this"))
            )
        assert not list(tmp_path.iterdir())

    listening(story)


def test_an_owner_that_may_not_be_set_is_told_with_what_to_do(tmp_path, monkeypatch):
    def refused(*_arguments, **_keywords):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    async def story():
        monkeypatch.setattr("os.chown", refused)
        with pytest.raises(ConfigurationError) as caught:
            await opened(UnixAddress(tmp_path / "lmtp"), socket_file=SocketFile(owner=FileOwner("root", "root")))
        assert str(caught.value).startswith("lmtp.socket_owner = 'root:root': ")
        assert 'write ":root"' in str(caught.value)
        assert "usermod -aG root USER" in str(caught.value)
        assert "port" not in str(caught.value)
        assert not list(tmp_path.iterdir())

    listening(story)


def test_only_a_stale_socket_file_is_replaced(tmp_path):
    async def story():
        path = tmp_path / "lmtp"
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(path))
        listener = await opened(UnixAddress(path))
        with pytest.raises(OSError, match="somebody listens there"):
            await opened(UnixAddress(path))
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write_eof()
        assert await reader.read() == b""  # the server has closed this connection, and the one that asked before
        writer.close()
        listener.close()
        path.write_text("not a socket")
        with pytest.raises(FileExistsError, match="not a socket"):
            await opened(UnixAddress(path))
        assert path.read_text() == "not a socket"

    listening(story)


def test_a_path_too_long_is_an_error(tmp_path):
    async def story():
        with pytest.raises(OSError, match="too long"):
            await opened(UnixAddress(tmp_path / ("x" * 120)))

    listening(story)


# --- connections that are given away as they were accepted -----------------------------------------------------


def test_what_is_accepted_is_given_with_its_peer(tmp_path):
    async def story():
        met: asyncio.Queue[tuple[socket.socket, str]] = asyncio.Queue()
        give = lambda accepted, address: met.put_nowait((accepted, address))  # noqa: E731 - shorter
        over_tcp = await opened(TcpAddress("127.0.0.1", 0), met=give)
        over_unix = await opened(UnixAddress(tmp_path / "lmtp"), met=give)
        bound = socket.create_server(("127.0.0.1", 0))
        handed = await opened(TcpAddress("127.0.0.1", bound.getsockname()[1]), met=give, handed=bound)
        for listener, peer in ((over_tcp, "127.0.0.1"), (over_unix, ""), (handed, "127.0.0.1")):
            if isinstance(listener.address, UnixAddress):
                _, writer = await asyncio.open_unix_connection(listener.address.path)
            else:
                _, writer = await asyncio.open_connection(listener.address.host, listener.address.port)
            accepted, address = await met.get()
            with accepted:
                assert (address, accepted.getblocking()) == (peer, False)
            writer.close()
            listener.close()
        assert not (tmp_path / "lmtp").exists()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", over_tcp.address.port)

    listening(story)


class Starved:
    """A listening socket for which the system has no descriptor left, once."""

    def __init__(self, bound):
        self.bound, self.fails = bound, [OSError(errno.EMFILE, "Too many open files")]

    def __getattr__(self, name):
        return getattr(self.bound, name)

    def accept(self):
        if self.fails:
            raise self.fails.pop()
        return self.bound.accept()


@pytest.mark.parametrize("closed", [False, True])
def test_without_a_descriptor_left_it_rests_and_goes_on_unless_it_is_closed(monkeypatch, closed):
    async def story():
        monkeypatch.setattr(accepting, "REST_S", 0.0)
        met: asyncio.Queue[socket.socket] = asyncio.Queue()
        with socket.create_server(("127.0.0.1", 0)) as bound:
            accepts = accepting.Accepting([bound], lambda accepted, _: met.put_nowait(accepted), backlog=5)
            starved: Any = Starved(accepts._sockets[0])
            accepts._sockets[0] = starved
            with socket.create_connection(bound.getsockname()), capture_logs() as logs:
                accepts._loop.remove_reader(starved.fileno())
                accepts._accept(starved)
                assert [each["reason"] for each in logs] == ["Too many open files"]
                if closed:
                    accepts.close()
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                    assert met.empty()
                else:
                    (await met.get()).close()
            accepts.close()

    listening(story)


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_address_in_use_is_the_same_error_where_connections_are_given_away():
    async def story():
        first = await opened(TcpAddress("127.0.0.1", 0))
        before = descriptors()
        with pytest.raises(OSError, match="in use") as caught:
            await opened(first.address, met=lambda *_: None)
        assert caught.value.errno == errno.EADDRINUSE
        await asyncio.sleep(0)
        assert descriptors() == before
        first.close()

    listening(story)


def test_what_cannot_listen_is_closed():
    async def story():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
            before = descriptors()
            with pytest.raises(OSError, match="not supported"):
                accepting.Accepting([bound], lambda *_: None, backlog=5)
            assert descriptors() == before

    listening(story)
