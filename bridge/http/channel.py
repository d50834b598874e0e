"""What the bridge and its web server say to one another: a line of JSON each, over a pair of sockets.

From the bridge come the settings that hold, first of all and whenever they change, and pages that were asked for; from
the web server those questions, and how it answered its visitors. Who sees the other's end has nobody to serve any more.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from bridge.http.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.config.endpoints import Networks

LONGEST = 16 * 2**20
"""Bytes of one line. Metrics are the longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """What the web server is told. `origin` is where browsers have the page from, if that was said."""

    upstream: Upstream
    networks: Networks
    proxies: Networks = ()
    origin: str = ""
    tls_certificate: str | None = None
    tls_key: str | None = None
    connections: int = 4096
    connections_per_address: int = 256
    log_level: str = "info"
    log_format: str = "auto"


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page of the bridge's, as its web server hands it on."""

    status: int
    headers: Mapping[str, str]
    text: str


def line(**message: Any) -> bytes:
    """A message as it is sent."""
    return json.dumps(message).encode() + b"\n"


def packed(settings: WebSettings) -> dict[str, Any]:
    """Settings as JSON has them."""
    values = asdict(settings)
    return values | {name: [str(each) for each in values[name]] for name in ("networks", "proxies")}


def unpacked(values: dict[str, Any]) -> WebSettings:
    """The settings that were packed."""
    networks = {name: tuple(ip_network(each) for each in values[name]) for name in ("networks", "proxies")}
    return WebSettings(**values | networks | {"upstream": Upstream(**values["upstream"])})
