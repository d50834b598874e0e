"""Who may talk to the context: pure decisions over addresses."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOPBACK = ("127.0.0.0/8", "::1/128")

Networks = tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """Networks that may hand in mail without a login, and load balancers that must send PROXY.

    The address of a peer on a UNIX socket is "": the socket's mode has let it in already.
    """

    networks: Networks
    proxies: Networks = ()

    @classmethod
    def of(cls, networks: Iterable[str] = LOOPBACK, proxies: Iterable[str] = ()) -> Trust:
        """Trust in networks written as `10.0.0.0/8` or `192.0.2.1`; raises ConfigurationError."""
        return cls(_networks(networks), _networks(proxies))

    def admits(self, address: str) -> bool:
        """Whether a peer may hand in mail without a login."""
        return not address or _within(address, self.networks)

    def is_proxy(self, address: str) -> bool:
        """Whether a peer's connection begins with a PROXY header that names the real peer."""
        return bool(address) and _within(address, self.proxies)


def _networks(texts: Iterable[str]) -> Networks:
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError as error:
            raise ConfigurationError(f"{text!r}: write a network as 10.0.0.0/8 or fd00::/8") from error
    return tuple(networks)


def _within(address: str, networks: Networks) -> bool:
    if not networks:
        return False
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)
