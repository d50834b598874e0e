"""Visits to another broker that fails to let them in."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from bridge.config.endpoints import MqttUrl, TcpAddress
from bridge.errors import RefusedError
from bridge.publish import visit
from bridge.publish.target import Target
from tests.support.waiting import free_port


def target(port):
    return Target(MqttUrl.of(TcpAddress("127.0.0.1", port)), "alice.phone", "last")


def test_a_broker_that_is_down_is_told():
    with pytest.raises(RefusedError, match=r"alice\.phone with the new password: .*refused"):
        asyncio.run(visit.end_session(target(free_port()), patience_s=0.1))


@pytest.mark.parametrize(("answer", "said"), [(b"", "no answer"), (b"\x20\x02\x00\x05", "Not authorized")])
def test_a_broker_that_refuses_or_says_nothing_is_told(answer, said):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        with pytest.raises(RefusedError, match=said):
            asyncio.run(visit.be_let_in(target(server.getsockname()[1]), by_username=False, patience_s=0.1))
        with socket.create_connection(server.getsockname()), socket.create_connection(server.getsockname()):
            pass
        serving.join()
