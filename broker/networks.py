"""IP networks as the configuration names them, and whether an address is in one. Pure."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]


def parse_network(text: str) -> Network:
    """The network in `10.0.0.0/8` or `fd00::/8`, or that of one address; raises ValueError."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ValueError("write a network as 10.0.0.0/8 or fd00::/8, or an address") from None


def plain(text: str) -> str | None:
    """An IP address in its one way of writing, so that it is counted as one; None when it is none.

    A zone (RFC 4007 §11) is left out, and IPv6 that stands for IPv4 is that (RFC 4291 §2.5.5.2).
    """
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(parsed)


def within(address: str, networks: Networks) -> bool:
    """Whether an address is in one of these networks; what is no address is in none."""
    if not networks or (known := plain(address)) is None:
        return False
    parsed = ip_address(known)
    return any(parsed in network for network in networks)


def is_loopback(address: str) -> bool:
    """Whether it is an address of this machine alone."""
    known = plain(address)
    return known is not None and ip_address(known).is_loopback
