"""Whom a web server speaks for: from the right, the first that is no listed proxy, and nothing left of it counts."""

from __future__ import annotations

import pytest

from broker import forwarded
from broker.errors import HandshakeError
from broker.networks import is_loopback, parse_network, plain, within
from tests.support.processor import least_s

PROXIES = tuple(map(parse_network, ("127.0.0.1", "10.0.0.0/8", "fd00::/8")))


def client(*, x=(), f=(), peer="127.0.0.1"):
    return forwarded.client(peer, forwarded_for=x, forwarded=f, proxies=PROXIES)


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ([], "127.0.0.1"),
        ([""], "127.0.0.1"),
        (["192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7, 10.1.1.1"], "192.0.2.7"),
        (["203.0.113.9, 192.0.2.7, 10.1.1.1,fd00::1"], "192.0.2.7"),
        (["203.0.113.9", "192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7:51000"], "192.0.2.7"),
        (["[2001:db8::7]:51000"], "2001:db8::7"),
        (["2001:DB8::7"], "2001:db8::7"),
        (["::ffff:192.0.2.7"], "192.0.2.7"),
        (["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
        (["192.0.2.7, unknown"], "127.0.0.1"),
        (["192.0.2.7, host, 10.1.1.1"], "10.1.1.1"),
        (["192.0.2.7,"], "127.0.0.1"),
    ],
)
def test_the_last_that_is_no_proxy_of_ours_is_the_client(values, address):
    assert client(x=values) == address


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["for=192.0.2.7"], "192.0.2.7"),
        (['For="[2001:db8::7]:51000";proto=https;by=10.0.0.1'], "2001:db8::7"),
        (['for="203.0.113.9", for=192.0.2.7;proto=https, by=x;for=10.1.1.1'], "192.0.2.7"),
        (["for=203.0.113.9", "proto=https; for=192.0.2.7"], "192.0.2.7"),
        (['for=192.0.2.7;host="a,b;for=203.0.113.9"'], "192.0.2.7"),
        (['for=192.0.2.7;host="a\\",for=203.0.113.9"'], "192.0.2.7"),
        (["for=unknown"], "127.0.0.1"),
        (["for=192.0.2.7, for=_hidden"], "127.0.0.1"),
        (["for=192.0.2.7, proto=https"], "127.0.0.1"),
        (["for=192.0.2.7, "], "127.0.0.1"),
    ],
)
def test_the_standard_s_header_says_the_same(values, address):
    assert client(f=values) == address


def test_two_headers_that_disagree_are_refused():
    """One of the two is what somebody wrote who wants to be another."""
    assert client(x=["192.0.2.7"], f=["for=192.0.2.7"]) == "192.0.2.7"
    with pytest.raises(HandshakeError, match="bad_forwarded"):
        client(x=["192.0.2.7"], f=["for=203.0.113.9"])


@pytest.mark.parametrize("value", ["10.0.0.1, " * 1600, "," * 16_000, '"' * 16_000, "for=" * 4000, 'for="\\' * 2600])
def test_a_long_list_costs_little(value):
    assert least_s(lambda: (client(x=[value]), client(f=[value])), bound_s=0.1) < 0.1


def test_addresses_are_compared_as_what_they_stand_for():
    assert [plain(text) for text in ("fe80::1%eth0", "::FFFF:192.0.2.7", "localhost", "")] == [
        *("fe80::1", "192.0.2.7", None, None),
    ]
    assert [within(text, PROXIES) for text in ("10.9.9.9", "::ffff:10.9.9.9", "192.0.2.7", "", "x")] == [
        *(True, True, False, False, False),
    ]
    assert [is_loopback(text) for text in ("127.9.9.9", "::1", "::ffff:127.0.0.1", "10.0.0.1", "")] == [
        *(True, True, True, False, False),
    ]
    with pytest.raises(ValueError, match="write a network as"):
        parse_network("10.0.0.0/33")
