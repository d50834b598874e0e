"""Whom a web server in front speaks for, by what it adds to a request: X-Forwarded-For, or Forwarded (RFC 7239). Pure.

Each proxy on the way adds behind what was there already whom it heard it from. So from the right: as long as those are
listed proxies, they are believed; the first that is none is who came. What stands left of it anybody can have written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from broker.errors import HandshakeError
from broker.networks import plain, within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.networks import Networks

_HOPS = 16  # proxies one behind the other
_PART = re.compile(r'(?:[^",;]|"(?:[^"\\]|\\.)*"?)*[,;]?')  # of Forwarded, with what ends it; nothing in it can fail
_NODE = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[^:]*):\d+")


def client(peer: str, *, forwarded_for: Sequence[str], forwarded: Sequence[str], proxies: Networks) -> str:
    """Who is behind `peer`, itself one of `proxies`, for the values of both headers as they came.

    Raises HandshakeError when the two do not say the same: one of them is not the proxy's own.
    """
    found = {_first_other(peer, hops, proxies) for hops in (_list(forwarded_for), _fors(forwarded)) if hops}
    if len(found) > 1:
        raise HandshakeError("bad_forwarded")
    return found.pop() if found else peer


def _first_other(peer: str, hops: list[str], proxies: Networks) -> str:
    """From the right, the first that is no proxy of ours; the last proxy where nobody can be told behind it."""
    if len(hops) > _HOPS:
        hops = hops[-_HOPS:]
    known = peer
    for hop in reversed(hops):
        address = _address(hop)
        if address is None:
            return known
        known = address
        if not within(address, proxies):
            break
    return known


def _list(values: Sequence[str]) -> list[str]:
    """The last hops of X-Forwarded-For: several headers are one list (RFC 9110 §5.3)."""
    return [hop.strip() for hop in ",".join(values).rsplit(",", _HOPS)[-_HOPS:]] if values else []


def _fors(values: Sequence[str]) -> list[str]:
    """What each element of Forwarded says behind `for=`; an empty text where one says nothing."""
    hops, hop = [], ""
    for match in _PART.finditer(",".join(values)):
        name, _, value = match[0].rstrip(",;").partition("=")
        if name.strip().lower() == "for":
            hop = value.strip()
        if match[0].endswith(",") or (match.end() == len(match.string) and match[0]):
            hops.append(hop)
            hop = ""
    return hops


def _address(hop: str) -> str | None:
    """The address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`, quoted or not; None for others."""
    hop = hop.strip('"').replace("\\", "")
    match = _NODE.fullmatch(hop)
    return plain(match["v6"] or match["v4"] or "" if match else hop)
