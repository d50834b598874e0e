"""Whom a web server in front speaks for, by the X-Forwarded-For that it adds. Pure.

Each proxy adds whom it heard a request from behind what was there already. So from the right: as long as those are
listed proxies they are believed, and the first that is none is who came. What stands left of it anybody can have
written.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from bridge.config.endpoints import within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.config.endpoints import Networks

HEADER = "X-Forwarded-For"
HOPS = 16
"""Proxies one behind the other."""


def client(peer: str, values: Sequence[str], proxies: Networks) -> str:
    """Who is behind `peer`, for the values of the header as they came; `peer` itself if it is no listed proxy."""
    known = plain(peer) or peer
    if not within(peer, proxies):
        return known
    for hop in reversed(",".join(values).rsplit(",", HOPS)[-HOPS:]):
        address = plain(hop.strip())
        if address is None:
            break
        known = address
        if not within(address, proxies):
            break
    return known


def plain(text: str) -> str | None:
    """An IP address in its one way of writing, without zone, brackets and port; None when it is none."""
    text = text.partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)
