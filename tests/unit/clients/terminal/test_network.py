"""The name of a network: by its gateway, as Linux tells it."""

from __future__ import annotations

import pytest

from clients.terminal.network import network_of

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
WIRED = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
WIRELESS = "wlan0\t00000000\tFE01A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
LOCAL = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
ARP = (
    "IP address       HW type     Flags       HW address            Mask     Device\n"
    "192.168.1.1      0x1         0x2         aa:bb:cc:00:11:22     *        eth0\n"
)


@pytest.fixture
def tables(tmp_path):
    (tmp_path / "route").write_text(HEAD + WIRELESS + LOCAL + WIRED)
    (tmp_path / "arp").write_text(ARP)
    return tmp_path


def test_the_gateway_of_the_nearest_route_and_its_hardware_name_it(tables):
    assert network_of("192.168.1.20", tables=tables) == "192.168.1.1 aa:bb:cc:00:11:22"


def test_a_gateway_that_was_not_spoken_to_is_a_name_as_well(tables):
    (tables / "arp").write_text("")
    assert network_of("192.168.1.20", tables=tables) == "192.168.1.1"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("10.1.2.3", "10.1.2.0/24"),
        ("2001:db8::7", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a unix socket", ""),
    ],
)
def test_without_a_gateway_the_address_names_it(tmp_path, address, name):
    assert network_of(address, tables=tmp_path) == name
