"""The header of a proxy, both versions (haproxy's proxy-protocol.txt): read strictly, bounded, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import proxy
from broker.errors import HandshakeError
from tests.support.proxies import SIGNATURE, binary, line

REST = b"\x10\x0c\x00\x04MQTT"


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (line("TCP4", "192.0.2.7"), "192.0.2.7"),
        (line("TCP6", "2001:DB8:0::7", "::1"), "2001:db8::7"),
        (line("TCP6", "::ffff:192.0.2.7", "::1"), "192.0.2.7"),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff:f...f:ffff what ever 65535\r\n", None),
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
        (binary("192.0.2.7"), "192.0.2.7"),
        (binary("2001:db8::7"), "2001:db8::7"),
        (binary("::ffff:192.0.2.7"), "192.0.2.7"),
        (binary("192.0.2.7", more=b"\x04\x00\x03abc"), "192.0.2.7"),
        (binary("192.0.2.7", command=0x20), None),
        (SIGNATURE + b"\x20\xff\x00\x00", None),
        (SIGNATURE + b"\x21\x00\x00\x05x9999", None),
        (SIGNATURE + b"\x21\x31\x00\xd8" + b"/" * 216, None),
        (SIGNATURE + b"\x20\x00\x07\xf0" + bytes(2032), None),
    ],
)
def test_each_header_is_read_however_it_is_cut(header, address):
    for cut in range(1, len(header)):
        assert proxy.begins(header[:cut])
        assert proxy.read(header[:cut]) is None
    assert proxy.read(header) == proxy.read(header + REST) == proxy.ProxyHeader(len(header), address)


@pytest.mark.parametrize(
    "header",
    [
        REST,
        b"\x16\x03\x01",
        b"GET / HTTP/1.1\r\n",
        b"PROXZ",
        b"PROXY\r\n",
        b"PROXY TCP4 192.0.2.7\r\n",
        b"PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 +2\r\n",
        b"PROXY TCP4 192.0.2.007 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.7 host 1 2\r\n",
        b"PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
        b"PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 \xff.0.2.7 192.0.2.1 1 2\r\n",
        b"PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n",
        b"PROXY UNKNOWN " + b"x" * 93,
        b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
        SIGNATURE + b"\x11\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x12\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11),
        SIGNATURE + b"\x21\x21\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\x07\xf1",
        SIGNATURE + b"\x20\x00\xff\xff",
    ],
)
def test_what_is_none_is_refused(header):
    with pytest.raises(HandshakeError, match="bad_proxy_header"):
        proxy.read(header)


def test_from_somebody_else_it_is_told_from_requests_and_empty_lines():
    assert [proxy.shows(data) for data in (b"PROXY", SIGNATURE[:5], b"P", b"POST ", b"\r\n\r\n", b"\x10")] == [
        *(True, True, False, False, False, False),
    ]


def test_the_longest_line_is_107_bytes():
    assert proxy.read(b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n") == proxy.ProxyHeader(107, None)


@given(st.binary(max_size=3000))
def test_any_bytes_behind_either_beginning_are_a_header_or_an_error(rest):
    for data in (rest, b"PROXY " + rest, SIGNATURE + rest):
        try:
            header = proxy.read(data) if data else None
        except HandshakeError:
            continue
        assert len(data) < proxy.LONGEST if header is None else header.size <= min(len(data), proxy.LONGEST)
