"""Who listens where, as /proc says it."""

from __future__ import annotations

import os
import socket
from pathlib import PurePath

from bridge.config.endpoints import TcpAddress, UnixAddress
from bridge.doctor.judge.listeners import Process
from bridge.doctor.look import sockets

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:09DD 00000000:0000 0A 00000000:00000000 00:00000000 00000000   900        0 4711 1 0 100 0
   1: 0100007F:09DD 0100007F:D431 01 00000000:00000000 00:00000000 00000000   900        0 4712 1 0 100 0
   2: 0100007F:09DE 00000000:0000 0A 00000000:00000000 00:00000000 00000000   900        0 4713 1 0 100 0
   3: short
"""


def test_the_table_of_tcp_is_read():
    assert list(sockets.tcp_inodes(TABLE, 2525)) == ["4711"]


def test_who_holds_a_port_and_a_path_is_found(tmp_path):
    me = Process(os.getpid(), sockets.name_of(os.getpid()))
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        unix.bind(str(tmp_path / "bell"))
        unix.listen()
        assert me in sockets.holders(TcpAddress("127.0.0.1", tcp.getsockname()[1]))
        assert me in sockets.holders(UnixAddress(PurePath(tmp_path / "bell")))
    assert sockets.holders(UnixAddress(PurePath(tmp_path / "bell"))) == ()


def test_what_is_gone_has_no_name():
    assert sockets.name_of(2**30) == "a process"
