"""PROXY headers, which a library reads as they come: cut anywhere, and nothing behind them is taken."""

from __future__ import annotations

import struct

import pytest

from bridge.ingress.proxied import LONGEST_FIRST_VERSION, IncomingProxyHeader
from bridge.ingress.reading import Unread

FIRST = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\n"
SECOND = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H4s4sHH", 12, bytes([192, 0, 2, 7]), bytes(4), 4711, 25)


@pytest.mark.parametrize("header", [FIRST, SECOND])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_header_is_read_however_it_is_cut_and_what_follows_stays(header, size):
    incoming = Unread()
    coming, found = IncomingProxyHeader(incoming), None
    for at in range(0, len(header), size):
        assert found is None
        incoming.add(header[at : at + size])
        found = coming.go_on()
    assert found is not None
    assert found.valid
    assert str(found.src_addr) == "192.0.2.7"
    assert incoming.take() == b""


@pytest.mark.parametrize("header", [FIRST, SECOND])
def test_what_follows_in_the_same_packet_is_the_sessions(header):
    incoming = Unread()
    incoming.add(header + b"EHLO c\r\n")
    found = IncomingProxyHeader(incoming).go_on()
    assert found is not None
    assert found.valid
    assert incoming.take() == b"EHLO c\r\n"


@pytest.mark.parametrize(
    "said", [b"EHLO c\r\n", b"PROXY TCP4 a b c d\r\n", b"PROXY" + b"x" * LONGEST_FIRST_VERSION + b"x"]
)
def test_what_is_no_header_is_told(said):
    incoming = Unread()
    incoming.add(said)
    found = IncomingProxyHeader(incoming).go_on()
    assert found is not None
    assert not found.valid


def test_a_header_without_an_end_is_given_up():
    incoming = Unread()
    incoming.add(FIRST[:20])
    coming = IncomingProxyHeader(incoming)
    assert coming.go_on() is None
    coming.close()
