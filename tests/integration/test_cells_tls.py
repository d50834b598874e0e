"""Devices that come over TLS to the cell of their user: HAProxy ends TLS, and reads CONNECT behind it."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
from contextlib import contextmanager

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.support.cells import CellSystem
from tests.support.certificates import self_signed
from tests.support.waiting import until

USERS = ("alice", "bob")


@pytest.fixture
def certificate(tmp_path):
    return self_signed(tmp_path)


@pytest.fixture
def behind(tmp_path, certificate):
    """Two mosquittos behind a HAProxy that has chain and key in one file."""
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(path.read_bytes() for path in certificate))
    with CellSystem(tmp_path, "east", "west") as system:
        system.run("cell", "drain", "main")
        logins = {user: system.add(user) for user in USERS}
        system.serve_behind_proxy(certificate=both)
        yield system, logins


@contextmanager
def phone(port, login, trusted, version=MQTTProtocolVersion.MQTTv311):
    """A device of somebody else's, which checks the certificate; what it was sent of its user, by topic."""
    found, refused, user = {}, [], login["user"]
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{user}:phone", protocol=version)
    client.username_pw_set(login["username"], login["password"])
    client.tls_set(ca_certs=str(trusted))

    def connected(_client, _data, _flags, reason, _properties):
        if reason.is_failure:
            refused.append(str(reason))
        client.subscribe(f"mail/{user}/#", 1)

    client.on_connect = connected
    client.on_message = lambda _client, _data, message: found.update({message.topic: message.payload})
    client.connect("localhost", port)
    client.loop_start()
    try:
        yield found, refused
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
def test_devices_come_over_tls_to_the_cell_of_their_user(behind, certificate, version):
    system, logins = behind
    listed = {each["cell"]: each["users"] for each in json.loads(system.run("cell", "list", "--json").stdout)}
    assert listed == {"main": 0, "east": 1, "west": 1}
    ids = {user: system.send(f"Subject: for {user}\n\nx\n".encode(), f"{user}@example.org") for user in USERS}
    for user in USERS:
        with phone(system.front, logins[user], certificate[0], version) as (found, refused):
            until(lambda: f"mail/{user}/msg/{ids[user]}" in found, what=f"the mail of {user}")  # noqa: B023
            assert refused == []
    logs = {name: cell.log.read_text() for name, cell in system.cells.items()}
    assert "alice.phone" in logs["east"]
    assert "alice.phone" not in logs["west"]


def test_a_cell_that_is_killed_keeps_nobody_else_from_coming(behind, certificate):
    system, logins = behind
    system.cells["east"].stop(signal.SIGKILL)
    mail_id = system.send(b"Subject: for bob\n\nx\n", "bob@example.org")
    with phone(system.front, logins["bob"], certificate[0]) as (found, refused):
        until(lambda: f"mail/bob/msg/{mail_id}" in found, what="the mail of who is elsewhere")
        assert refused == []


def test_who_comes_without_tls_or_speaks_something_else_is_sent_away(behind, certificate):
    system, _ = behind
    with socket.create_connection(("localhost", system.front), 20) as plain:
        plain.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04spam")
        assert answer(plain) == b""
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with (
        socket.create_connection(("localhost", system.front), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secret,
    ):
        secret.sendall(b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        assert answer(secret) == b"", "a WebSocket"


def answer(connection):
    try:
        return connection.recv(100)
    except OSError:
        return b""


def test_what_is_printed_is_what_haproxy_takes(behind):
    system, _ = behind
    checked = subprocess.run(
        ["haproxy", "-c", "-f", str(system.directory / "haproxy.cfg")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "Warning" not in checked.stdout + checked.stderr
