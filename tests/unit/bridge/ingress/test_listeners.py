from __future__ import annotations

import asyncio
import errno
import getpass
import os
import socket
import stat

import pytest

from bridge.config.endpoints import TcpAddress, UnixAddress
from bridge.config.permissions import FileMode, FileOwner
from bridge.errors import ConfigurationError
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
