"""To which addresses it may go: those of the world, and what the operator listed. Pure.

An endpoint is what a device says, so whoever has the login of a device chooses a host that this machine then connects
to. What only this machine or its neighbours can reach is none of that login's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.config.endpoints import Networks

_TRANSLATED: Final = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1: an IPv4 address is its end
_TUNNELLED: Final = IPv6Network("2002::/16")  # RFC 3056 §2: an IPv4 address follows


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator listed: hosts by name, whatever their address is, and networks."""

    hosts: frozenset[str] = frozenset()
    networks: Networks = ()

    def names(self, host: str) -> bool:
        """Whether a host is listed by its name."""
        return host.rstrip(".") in self.hosts

    def reaches(self, address: str) -> bool:
        """Whether a connection may go to an IP address: it is public, or in a network that is listed."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        meant = _meant(parsed)
        listed = any(each in network for each in {parsed, meant} for network in self.networks)
        return listed or (_public(meant) and "%" not in address)

    def of(self, host: str, addresses: Iterable[str]) -> list[str]:
        """The addresses of a host that a connection may go to."""
        return [address for address in addresses if self.names(host) or self.reaches(address)]


def literal(host: str) -> bool:
    """Whether a host is an address, or may be taken for one by somebody: its last part is a number."""
    return ":" in host or host.rstrip(".").rpartition(".")[2].isdecimal() or host.startswith("0x")


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that one of IPv6 stands for: what is written behind a wall is not beyond it."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.teredo is not None:
        return address.teredo[1]
    if address in _TUNNELLED:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _public(address: IPv4Address | IPv6Address) -> bool:
    hidden = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or (isinstance(address, IPv6Address) and address.is_site_local)
    )
    return address.is_global and not hidden
