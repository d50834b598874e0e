"""To which addresses a ring may go, whoever names them and however."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from bridge.push.allowing import Allowed, literal

NOBODY = Allowed()
PUBLIC = [
    "93.184.216.34",
    "8.8.8.8",
    "2606:2800:220:1::1",
    "::ffff:93.184.216.34",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]
HIDDEN = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.5", "172.16.0.1", "172.31.255.255", "192.168.1.7", "100.64.0.1"),
    *("169.254.169.254", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
    *(
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
    ),
    *("::ffff:10.0.0.5", "::ffff:7f00:1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.5", "2002:7f00:1::", "2002:a00:5::1"),
    *("::127.0.0.1", "100::1", "4000::1", "no address", "", "127.1", "0x7f.1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_world_is_allowed(address):
    assert NOBODY.reaches(address)


@pytest.mark.parametrize("address", HIDDEN)
def test_what_only_this_machine_reaches_is_not(address):
    assert not NOBODY.reaches(address)
    assert NOBODY.of("push.example.net", [address]) == []


def test_of_several_addresses_those_of_the_world():
    assert NOBODY.of("push.example.net", ["10.0.0.5", "8.8.8.8", "::1"]) == ["8.8.8.8"]


@pytest.mark.parametrize("address", ["10.0.0.5", "::ffff:10.0.0.5", "fd00::7"])
def test_a_network_that_is_listed_is_allowed(address):
    allowed = Allowed(networks=(ip_network("10.0.0.0/24"), ip_network("fd00::/64")))
    assert allowed.reaches(address)
    assert not allowed.reaches("10.0.1.5")


def test_a_host_that_is_listed_is_allowed_wherever_it_is_and_no_other_of_its_address():
    allowed = Allowed(hosts=frozenset({"ntfy.lan"}))
    assert allowed.of("ntfy.lan", ["10.0.0.5"]) == ["10.0.0.5"]
    assert allowed.of("ntfy.lan.", ["10.0.0.5"]) == ["10.0.0.5"]
    assert allowed.of("other.lan", ["10.0.0.5"]) == []
    assert not allowed.reaches("10.0.0.5")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "1.2.3.4."])
def test_what_may_be_taken_for_an_address(host):
    assert literal(host)


@pytest.mark.parametrize("host", ["push.example.net", "0.example.net", "x1", "1.2.3.4.in-addr.arpa"])
def test_what_is_a_name(host):
    assert not literal(host)
