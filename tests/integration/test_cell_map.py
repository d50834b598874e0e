"""The map of users and cells: its file, and a running HAProxy that is told of each change."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest
from structlog.testing import capture_logs

from bridge.config.endpoints import TcpAddress
from bridge.daemon.cell_map import LINES_AT_ONCE, CellMap
from bridge.errors import ConfigurationError
from bridge.setup import haproxy
from bridge.setup.haproxy import ProxiedCell, ProxySite
from tests.support.cells import Proxy
from tests.support.waiting import free_port

MANY = [(f"user{number:04}", "east") for number in range(2 * LINES_AT_ONCE + 1)]


@pytest.fixture
def proxy(tmp_path):
    """A HAProxy before three cells where nobody listens."""
    port, user_map, admin = free_port(), tmp_path / "cells.map", tmp_path / "admin.sock"
    user_map.touch()
    names = ("main", "east", "west")
    site = ProxySite(
        cells=tuple(ProxiedCell(name, TcpAddress("127.0.0.1", free_port())) for name in names),
        listen=TcpAddress("127.0.0.1", port),
        tls=None,
        certificate="",
        user_map=str(user_map),
        admin=str(admin),
        uid=os.geteuid(),
    )
    running = Proxy(tmp_path, port=port, text=haproxy.configuration(site), admin=admin).start()
    yield running
    running.stop()


def asked(proxy, command):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(proxy.admin))
        connection.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: connection.recv(4096), b"")).decode()


def known(proxy, path):
    """The map as HAProxy has it."""
    return sorted(tuple(line.split()[1:]) for line in asked(proxy, f"show map {path}").splitlines() if line)


def told(cell_map, now):
    with capture_logs() as said:
        asyncio.run(cell_map.bring_up_to_date(now))
    return [event["event"] for event in said]


def test_haproxy_is_told_all_once_and_then_what_changed(proxy, tmp_path):
    path = tmp_path / "cells.map"
    cell_map = CellMap(path, haproxy=proxy.admin)
    assert told(cell_map, MANY) == ["proxy_told"]
    assert known(proxy, path) == MANY
    now = sorted([("alice", "east"), (MANY[0][0], "west"), *MANY[2:]])
    assert told(cell_map, now) == ["proxy_told"]
    assert known(proxy, path) == now == sorted(tuple(line.split()) for line in path.read_text().splitlines())
    assert told(cell_map, now) == [], "nothing changed"


def test_a_proxy_that_was_away_or_forgot_is_told_all_again(proxy, tmp_path):
    path = tmp_path / "cells.map"
    cell_map = CellMap(path, haproxy=proxy.admin)
    told(cell_map, [("alice", "east")])
    proxy.stop()
    assert told(cell_map, [("alice", "west")]) == ["proxy_not_told"]
    proxy.start()
    assert known(proxy, path) == [("alice", "west")], "which it read when it started"
    assert told(cell_map, [("alice", "west"), ("bob", "east")]) == ["proxy_told"]
    assert known(proxy, path) == [("alice", "west"), ("bob", "east")]
    asked(proxy, f"clear map {path}")
    assert told(cell_map, [("alice", "east"), ("bob", "east")]) == ["proxy_not_told"], "it has no such entry"
    assert told(cell_map, [("alice", "east"), ("bob", "east")]) == ["proxy_told"]
    assert known(proxy, path) == [("alice", "east"), ("bob", "east")]


def test_a_proxy_without_this_map_is_not_told(proxy, tmp_path):
    assert told(CellMap(tmp_path / "other.map", haproxy=proxy.admin), [("alice", "east")]) == ["proxy_not_told"]


def test_without_a_socket_there_is_the_file_alone(tmp_path):
    cell_map = CellMap(tmp_path / "new" / "cells.map", haproxy=None)
    assert not cell_map.kept
    assert told(cell_map, [("alice", "east")]) == []
    assert (tmp_path / "new" / "cells.map").read_text() == "alice east\n"
    assert cell_map.kept


def test_a_place_where_no_file_can_be_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"cells\.map"):
        asyncio.run(CellMap(tmp_path / "file" / "cells.map", haproxy=None).bring_up_to_date([]))


def test_what_cannot_be_written_into_the_configuration_is_told(tmp_path):
    site = ProxySite(
        cells=(ProxiedCell("main", TcpAddress("::1", 1883), encrypted=True),),
        listen=None,
        tls=TcpAddress("", 8883),
        certificate="",
        user_map=str(tmp_path / "cells.map"),
        admin=haproxy.ADMIN,
        uid=0,
    )
    with pytest.raises(ConfigurationError, match="listens nowhere"):
        haproxy.configuration(site)
