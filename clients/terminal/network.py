"""Which network the machine is in: by its gateway, whose hardware address tells one 192.168.1.1 from another."""

from __future__ import annotations

import ipaddress
from pathlib import Path

_PROC = Path("/proc/net")
_UP_GATEWAY = 3


def network_of(address: str, *, tables: Path = _PROC) -> str:
    """A name for the network of a connection with this local address; the same when the machine comes back to it.

    `tables` is where Linux shows its routes and neighbours. Elsewhere the address' own net is the name.
    """
    try:
        local = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if local.is_loopback:
        return "loopback"
    gateway = _gateway(tables / "route")
    if not gateway:
        return str(ipaddress.ip_network((local, 24 if local.version == 4 else 64), strict=False))
    return f"{gateway} {_hardware(tables / 'arp', gateway)}".strip()


def _rows(table: Path) -> list[list[str]]:
    try:
        return [line.split() for line in table.read_text("ascii", "replace").splitlines()[1:]]
    except OSError:
        return []


def _gateway(table: Path) -> str:
    """The address of the default route's gateway, the route with the least metric first."""
    found = []
    for row in _rows(table):
        if len(row) > 6 and row[1] == "00000000" and int(row[3], 16) & _UP_GATEWAY == _UP_GATEWAY:
            raw = bytes.fromhex(row[2])[::-1]  # as the kernel has it in memory, on a little-endian machine
            found.append((int(row[6]), str(ipaddress.IPv4Address(raw))))
    return min(found)[1] if found else ""


def _hardware(table: Path, gateway: str) -> str:
    return next((row[3] for row in _rows(table) if len(row) > 3 and row[0] == gateway), "")
