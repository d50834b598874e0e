"""Where commands reach the bridge and its broker: what those said last, else what is configured."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bridge.cli import reach
from bridge.config.endpoints import TcpAddress, UnixAddress
from bridge.daemon import runfile
from tests.support.configured import configured


@pytest.fixture
def settings(tmp_path):
    return configured(state_dir=tmp_path)


def test_what_a_process_said_comes_before_the_configuration(settings):
    assert reach.smtp(settings) == TcpAddress("127.0.0.1", 2525)
    assert reach.lmtp(settings) is None
    runfile.write(settings.run_dir, runfile.BRIDGE, {"smtp": "127.0.0.1:40001", "lmtp": "unix:/run/postbell/lmtp"})
    runfile.write(settings.run_dir, runfile.BROKER, {"mqtt": "127.0.0.1:40002"})
    assert reach.smtp(settings) == TcpAddress("127.0.0.1", 40001)
    assert reach.lmtp(settings) == UnixAddress(Path("/run/postbell/lmtp"))
    assert str(reach.local_url(settings)) == str(reach.device_url(settings)) == "mqtt://127.0.0.1:40002"


@pytest.mark.parametrize("said", [None, 25, "", "nonsense", ["127.0.0.1:25"]])
def test_what_is_no_address_counts_as_not_said(settings, said):
    runfile.write(settings.run_dir, runfile.BRIDGE, {"smtp": said})
    assert reach.smtp(settings) == TcpAddress("127.0.0.1", 2525)


@pytest.mark.parametrize(
    ("listening", "local", "seen_from_there"),
    [
        ("0.0.0.0:1883", "mqtt://127.0.0.1:1883", "192.168.178.20:1883"),
        ("[::]:1883", "mqtt://[::1]:1883", "192.168.178.20:1883"),
        ("192.168.178.30:1883", "mqtt://192.168.178.30:1883", "192.168.178.30:1883"),
        ("mail.lan:1883", "mqtt://mail.lan:1883", "mail.lan:1883"),
    ],
)
def test_nobody_is_told_to_go_to_every_address(tmp_path, monkeypatch, listening, local, seen_from_there):
    class Probe(socket.socket):
        def connect(self, _address):
            pass

        def getsockname(self):
            return ("192.168.178.20", 40_000)

    settings = configured(state_dir=tmp_path, broker={"listen": listening, "insecure": True})
    monkeypatch.setattr("socket.socket", Probe)
    assert str(reach.local_url(settings)) == local
    assert str(reach.device_url(settings)) == f"mqtt://{seen_from_there}"


def test_without_a_network_it_is_called_by_its_name(monkeypatch):
    def unreachable(*_):
        raise OSError

    monkeypatch.setattr("socket.socket", unreachable)
    monkeypatch.setattr("socket.gethostname", lambda: "raspberry")
    assert reach.from_the_network(TcpAddress("0.0.0.0", 1883)) == TcpAddress("raspberry", 1883)


@pytest.mark.parametrize(
    ("http", "said", "url"),
    [
        ({}, None, None),
        ({}, "127.0.0.1:8025", "http://127.0.0.1:8025"),  # `serve --demo`, which commands beside it know nothing of
        ({"listen": "127.0.0.1:8080", "web": False}, None, None),
        ({"listen": "127.0.0.1:8080"}, None, "http://127.0.0.1:8080"),
        ({"listen": "127.0.0.1:0"}, None, "http://127.0.0.1"),
        ({"listen": "127.0.0.1:0"}, "127.0.0.1:40003", "http://127.0.0.1:40003"),
        ({"listen": "127.0.0.1:443", "tls_cert": "/c", "tls_key": "/k"}, None, "https://127.0.0.1:443"),
        ({"listen": "127.0.0.1:8080", "public_url": "https://mail.example.org"}, None, "https://mail.example.org"),
    ],
)
def test_where_browsers_have_the_web_client_from(tmp_path, http, said, url):
    settings = configured(state_dir=tmp_path, http=http)
    runfile.write(settings.run_dir, runfile.BRIDGE, {"http": said})
    found = reach.web_url(settings)
    assert (None if found is None else str(found)) == url


@pytest.mark.parametrize(
    ("sections", "said", "url"),
    [
        ({}, None, None),
        ({}, "192.168.178.30:8883", "mqtts://192.168.178.30:8883"),
        ({"broker": {"public_url": "mqtts://mail.example.org"}}, "192.168.178.30:8883", "mqtts://mail.example.org"),
        ({"broker": {"public_url": "wss://mail.example.org"}}, "192.168.178.30:8883", None),
        ({"broker": {"embedded": False}, "mqtt": {"url": "mqtt://other"}}, "192.168.178.30:8883", None),
    ],
)
def test_where_the_broker_is_reached_with_tls(tmp_path, sections, said, url):
    settings = configured(state_dir=tmp_path, **sections)
    runfile.write(settings.run_dir, runfile.BROKER, {"mqtts": said})
    found = reach.secure_url(settings)
    assert (None if found is None else str(found)) == url
