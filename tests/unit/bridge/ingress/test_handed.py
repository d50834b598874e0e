from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from bridge.config.endpoints import TcpAddress, UnixAddress, parse_endpoint
from bridge.ingress import HandedSockets
from bridge.ingress.listeners import SocketFile, open_listener
from tests.support.supervisor import handing_over
from tests.support.system import ROOT

ASKED = """
import json, os, sys
from bridge.config.endpoints import parse_endpoint
from bridge.ingress import HandedSockets
pid = int(os.environ["LISTEN_PID"]) + int(sys.argv[1])
handed = HandedSockets.of(os.environ, pid=pid)
taken = [(text, handed.take(parse_endpoint(text))) for text in sys.argv[2:]]
facts = {
    "taken": [text for text, each in taken if each is not None],
    "inherited": [text for text, each in taken if each is not None and each.get_inheritable()],
    "left": [name for name in os.environ if name.startswith("LISTEN")],
}
handed.warn_of_others([])
print(json.dumps(facts))
"""


@contextlib.contextmanager
def listening(*places):
    with contextlib.ExitStack() as stack:
        made = []
        for place in places:
            family = (
                socket.AF_UNIX if isinstance(place, str) else socket.AF_INET6 if ":" in place[0] else socket.AF_INET
            )
            made.append(stack.enter_context(socket.socket(family)))
            made[-1].bind(place)
            made[-1].listen()
        yield made


def asked(*sockets, addresses, names="", pid=0):
    command = [sys.executable, "-c", ASKED, str(pid), *addresses]
    done = subprocess.run(
        **handing_over(*sockets, names=names, command=command),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *log, facts = done.stdout.splitlines()
    return json.loads(facts), log


def test_sockets_are_known_by_their_addresses(tmp_path):
    path = str(tmp_path / "lmtp")
    with listening(path, ("127.0.0.1", 0), ("::1", 0)) as sockets:
        addresses = [f"unix:{path}", f"127.0.0.1:{sockets[1].getsockname()[1]}", f"[::1]:{sockets[2].getsockname()[1]}"]
        facts, log = asked(*sockets, addresses=[*addresses, f"unix:{path}-other", "127.0.0.1:9"])
    assert facts == {"taken": addresses, "inherited": [], "left": []}
    assert sum("handed_socket_unused" in line for line in log) == len(addresses)


def test_what_is_meant_for_another_process_is_left_alone(tmp_path):
    path = str(tmp_path / "lmtp")
    with listening(path) as sockets:
        facts, log = asked(*sockets, addresses=[f"unix:{path}"], pid=1)
    assert facts == {"taken": [], "inherited": [], "left": []}
    assert log == []


def test_what_is_no_listening_stream_socket_is_told_and_harms_nobody(tmp_path):
    path = str(tmp_path / "lmtp")
    with listening(path) as [good], socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        facts, log = asked(None, datagrams, good, names="null:syslog:lmtp", addresses=[f"unix:{path}"])
    assert facts["taken"] == [f"unix:{path}"]
    unusable = [line for line in log if "handed_socket_unusable" in line]
    assert ["null" in unusable[0], "syslog" in unusable[1], len(unusable)] == [True, True, 2]


@pytest.mark.parametrize("environment", [{}, {"LISTEN_PID": "7"}, {"LISTEN_PID": "7", "LISTEN_FDS": "many"}])
def test_nothing_is_handed_over_where_nobody_says_how_many(environment):
    assert HandedSockets.of(environment, pid=7).take(TcpAddress("127.0.0.1", 25)) is None


def test_one_address_may_be_written_in_several_ways(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with listening(str(tmp_path / "lmtp"), ("::1", 0)) as sockets:
        handed = HandedSockets(sockets)
        port = sockets[1].getsockname()[1]
        for text in (f"unix:{tmp_path}/link/./lmtp", f"[0:0::1]:{port}"):
            taken = handed.take(parse_endpoint(text))
            assert taken is not None, text
            taken.close()
        assert handed.take(TcpAddress("localhost", port)) is None


def test_a_socket_without_a_place_is_nobodys():
    with socket.socketpair()[0] as nameless, socket.socket(socket.AF_VSOCK) as strange:
        handed = HandedSockets([nameless, strange])
        with capture_logs() as logs:
            handed.warn_of_others([])
    assert logs == []


@pytest.mark.parametrize("unix", [True, False], ids=["unix", "tcp"])
def test_a_listener_on_a_handed_socket_answers_and_leaves_the_socket_open(tmp_path, unix):
    path = tmp_path / "lmtp"
    answered = []

    class Greeting(asyncio.Protocol):
        def connection_made(self, transport):
            answered.append(transport.write(b"hello\n"))

    async def dialled(address):
        wire = asyncio.open_unix_connection(path) if unix else asyncio.open_connection(address.host, address.port)
        reader, writer = await wire
        line = await asyncio.wait_for(reader.readline(), 30)
        writer.close()
        return line

    async def story(handed, address):
        for _ in range(2):  # the second time as after a reload
            listener = await open_listener(Greeting, address, socket_file=SocketFile(), handed=handed.take(address))
            assert listener.address == address
            assert await dialled(address) == b"hello\n"
            listener.close()

    with listening(str(path) if unix else ("127.0.0.1", 0)) as sockets:
        address = UnixAddress(path) if unix else TcpAddress(*sockets[0].getsockname())
        asyncio.run(story(HandedSockets(sockets), address))
        assert path.exists() == unix
        with socket.socket(sockets[0].family) as waiting:  # taken by the kernel until somebody accepts again
            waiting.connect(sockets[0].getsockname())
    assert len(answered) == 2
