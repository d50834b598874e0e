"""What is told instead of an address or a URL that is none."""

from __future__ import annotations

import re

import pytest

from bridge.config import meant
from bridge.config.endpoints import MqttUrl, parse_endpoint


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (25, 'write "127.0.0.1:25" for this machine alone, or "0.0.0.0:25"'),
        ("25", 'write "127.0.0.1:25"'),
        (":25", 'write "127.0.0.1:25"'),
        ("*:25", 'write "127.0.0.1:25"'),
        ("/run/x", 'write "unix:/run/x"'),
        ("::1", 'write the address in brackets, and the port behind: "[::1]:port"'),
        ("mail.example.org", 'the port is missing: write "mail.example.org:port"'),
        ("[::1]", 'the port is missing: write "[::1]:port"'),
        ("tcp://x:1", "write host:port with a port up to 65535, [IPv6]:port, unix:/path"),
        ("127.0.0.1:99999", "write host:port with a port up to 65535"),
        ([1], "write host:port"),
    ],
)
def test_an_address(value, told):
    text = meant.address(value, unix=True)
    assert text.startswith(told)
    for each in re.findall(r'"([^"]*)"', text):
        if each and "port" not in each:
            parse_endpoint(each)


def test_where_no_unix_socket_will_do_none_is_told():
    assert "unix" not in meant.address("/run/x", unix=False)
    assert "unix" not in meant.address("?", unix=False)


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("tcp://host:1883", "mqtt://host:1883"),
        ("ssl://host", "mqtts://host"),
        ("MQTT+TLS://host", "mqtts://host"),
        ("https://host/mqtt", "wss://host/mqtt"),
        ("http://host", "ws://host"),
        ("host", "mqtt://host"),
        ("host:8883", "mqtts://host:8883"),
        ("host:443/mqtt", "wss://host:443/mqtt"),
        ("[::1]:1883", "mqtt://[::1]:1883"),
    ],
)
def test_a_url(value, url):
    assert meant.broker_url(value) == f'did you mean "{url}"?'
    MqttUrl.parse(url)


@pytest.mark.parametrize("value", ["ftp://host", "", 3, "mqtt://host:99999", "me:secret@host", "tcp://me:secret@host"])
def test_what_cannot_be_guessed_or_holds_a_login_is_told_in_general(value):
    assert meant.broker_url(value) == "write mqtt://host:port, mqtts://, ws:// or wss://, or leave it empty"
