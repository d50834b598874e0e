"""Where a configuration listens: each key with its address, those of the broker as well, and which of them collide."""

from __future__ import annotations

from contextlib import suppress
from itertools import combinations
from typing import TYPE_CHECKING, Final

from bridge.config.endpoints import Endpoint, TcpAddress
from bridge.config.section import value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.config.settings import Settings

Key = tuple[str, str]

MQTT: Final = ("broker", "listen")
_KEYS: Final = (
    ("smtp", "listen"),
    ("smtp", "tls_listen"),
    ("lmtp", "listen"),
    MQTT,
    ("broker", "websocket"),
    ("broker", "tls_listen"),
    ("broker", "secure_websocket"),
    ("http", "listen"),
)
_ALL: Final = {"0.0.0.0", "::"}  # noqa: S104 - compared, not listened on


def listeners(settings: Settings) -> Iterator[tuple[Key, Endpoint]]:
    """The keys, and their addresses; without those of a broker that is not embedded."""
    for section, name in _KEYS:
        if section == "broker" and not settings.broker.embedded:
            continue
        address = value(getattr(settings, section), name) or ""
        if isinstance(address, str):  # a key of the broker alone, as it is written
            with suppress(ValueError):
                yield (section, name), TcpAddress.parse(address)
        else:
            yield (section, name), address


def collisions(settings: Settings) -> Iterator[tuple[Key, Key]]:
    """Each key whose address another one has already, and that one."""
    for (one, here), (other, there) in combinations(listeners(settings), 2):
        if _collide(here, there):
            yield other, one


def _collide(one: Endpoint, other: Endpoint) -> bool:
    if not isinstance(one, TcpAddress) or not isinstance(other, TcpAddress):
        return one == other
    if one.port != other.port or not one.port:
        return False
    same_family = (":" in one.host) == (":" in other.host)
    return one.host == other.host or (same_family and bool(_ALL & {one.host, other.host}))
