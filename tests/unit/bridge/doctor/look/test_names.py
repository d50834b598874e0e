"""Names and their ports, asked for on this machine."""

from __future__ import annotations

import socket

from bridge.doctor.look import names
from tests.support.configured import configured


def looked(tmp_path, **sections):
    return names.look(configured(state_dir=tmp_path, **sections))


def test_a_name_of_this_machine_and_a_port_that_answers(tmp_path):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        (seen,) = looked(tmp_path, broker={"public_url": f"mqtt://localhost:{port}"})
        assert (seen.error, seen.here, seen.answers) == ("", True, True)
    (seen,) = looked(tmp_path, http={"public_url": f"http://127.0.0.1:{port}"})
    assert (seen.key, seen.here, seen.answers) == ("http.public_url", True, False)


def test_a_name_that_nobody_knows(tmp_path):
    (seen,) = looked(tmp_path, broker={"public_url": "mqtts://no-such-host.invalid"})
    assert seen.error
    assert seen.port == 8883


def test_an_address_of_somebody_else_is_not_here(tmp_path, monkeypatch):
    monkeypatch.setattr(names, "CONNECT_S", 0.01)
    for host in ("192.0.2.1", "[2001:db8::1]"):
        (seen,) = looked(tmp_path, http={"public_url": f"https://{host}"})
        assert (seen.port, seen.here, seen.answers) == (443, False, False)


def test_nothing_is_told(tmp_path):
    assert looked(tmp_path) == []
