"""Addresses, networks and URLs: parsed once, printed as they were written."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from bridge.config.endpoints import MqttUrl, TcpAddress, UnixAddress, WebUrl, parse_endpoint, parse_network


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:2525", TcpAddress("127.0.0.1", 2525)),
        ("[::1]:24", TcpAddress("::1", 24)),
        ("localhost:0", TcpAddress("localhost", 0)),
        ("unix:/run/postbell/lmtp", UnixAddress(Path("/run/postbell/lmtp"))),
    ],
)
def test_an_address_is_read_and_written(text, address):
    assert parse_endpoint(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":25",
        "::1:25",
        "host",
        "host:",
        "host:x",
        "host:65536",
        "host:٢٥",
        "[host]:1",
        "a b:1",
        "unix:relative",
        "unix:",
    ],
)
def test_what_is_no_address_is_refused_with_the_cure(text):
    with pytest.raises(ValueError, match=r"^write host:port"):
        parse_endpoint(text)
    with pytest.raises(ValueError, match=r"^write "):
        (UnixAddress if text.startswith("unix:") else TcpAddress).parse(text)


@pytest.mark.parametrize(
    ("text", "host", "port", "encrypted", "websocket"),
    [
        ("mqtt://broker.example", "broker.example", 1883, False, False),
        ("mqtts://broker.example:8884", "broker.example", 8884, True, False),
        ("mqtt://[::1]:1884", "::1", 1884, False, False),
        ("mqtt://[::1]", "::1", 1883, False, False),
        ("ws://broker.example/mqtt?key=1", "broker.example", 80, False, True),
        ("wss://broker.example:8443/deep/path", "broker.example", 8443, True, True),
    ],
)
def test_a_url_says_where_and_how_and_prints_as_it_was_written(text, host, port, encrypted, websocket):
    url = MqttUrl.parse(text)
    assert str(url) == text
    assert url.address == TcpAddress(host, port)
    assert (url.encrypted, url.websocket) == (encrypted, websocket)


def test_a_url_takes_a_login_for_programs_that_want_it_there():
    url = MqttUrl.parse("wss://[::1]:8443/mqtt")
    assert url.with_login("alice.phone", "s3cret") == "wss://alice.phone:s3cret@[::1]:8443/mqtt"


@pytest.mark.parametrize(
    "text", ["", "mqtt://", "tcp://host", "host:1883", "mqtt://host:0", "mqtt://host:x", "mqtt://ho st", "mqtt://[::1"]
)
def test_what_is_no_url_is_refused_with_the_cure(text):
    with pytest.raises(ValueError, match=r"^write mqtt://host:port"):
        MqttUrl.parse(text)


def test_a_login_in_a_url_is_refused():
    for text in ("mqtt://me@host", "mqtt://me:secret@host"):
        with pytest.raises(ValueError, match=r"^the login does not belong here") as told:
            MqttUrl.parse(text)
        assert "secret" not in str(told.value)


def test_a_network_may_be_one_address_and_its_host_bits_do_not_count():
    assert parse_network("10.1.2.3/8") == ip_network("10.0.0.0/8")
    assert parse_network("192.0.2.1") == ip_network("192.0.2.1/32")
    for text in ("10.0.0.0/33", "", "example.org"):
        with pytest.raises(ValueError, match=r"^write a network"):
            parse_network(text)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("https://bell.example", "https://bell.example"),
        ("https://Bell.Example/", "https://bell.example"),
        ("https://bell.example:8443", "https://bell.example:8443"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_a_web_url_is_an_origin(text, printed):
    url = WebUrl.parse(text)
    assert str(url) == printed
    assert WebUrl.parse(printed) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bell.example",
        "ftp://bell.example",
        "https://",
        "https://bell.example/mail",
        "https://bell.example?x=1",
        "https://bell.example#x",
        "https://me@bell.example",
        "https://be ll",
        "https://bell:0",
        "https://[::1",
    ],
)
def test_what_is_no_origin_is_refused_with_the_cure(text):
    with pytest.raises(ValueError, match=r"^write https://host"):
        WebUrl.parse(text)
