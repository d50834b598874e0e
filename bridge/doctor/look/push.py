"""What the store knows of push, and what the push services say to a knock: TLS, and nothing is sent."""

from __future__ import annotations

import functools
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bridge.daemon.live import allowed
from bridge.doctor.judge.push import PushSeen, PushServiceSeen
from bridge.errors import in_words
from bridge.kept import PushState
from bridge.push import signing
from bridge.store import offline, pairing, subscriptions

if TYPE_CHECKING:
    from bridge.config.settings import Settings
    from bridge.push.allowing import Allowed

KNOCK_S: Final = 3.0
MOST: Final = 16
"""So many push services are knocked at: there are a handful, unless somebody runs many."""
HTTPS: Final = 443


def look(settings: Settings) -> PushSeen:
    """The facts. Raises store errors."""
    with offline.reading(settings.place) as connection:
        standings = subscriptions.standings(connection)
        number = subscriptions.read_key(connection)
    places = {
        (standing.subscription.host, urlsplit(standing.subscription.endpoint).port or HTTPS)
        for standing in standings.values()
        if standing.state is not PushState.FORGOTTEN
    }
    may = allowed(settings)
    with ThreadPoolExecutor(MOST) as threads:
        services = tuple(threads.map(functools.partial(_seen, may), sorted(places)[:MOST]))
    web = settings.http.public_url
    return PushSeen(
        enabled=settings.push.enabled,
        subject=settings.push.subject or (str(web) if web is not None and web.scheme == "https" else ""),
        key=None if number is None else _usable(number),
        devices=tuple((pairing.username(*whose), standing) for whose, standing in standings.items()),
        services=services,
    )


def _usable(number: bytes) -> bool:
    with suppress(ValueError):
        return len(number) == signing.KEY_BYTES and bool(signing.public_text(signing.private_key(number)))
    return False


def _seen(may: Allowed, place: tuple[str, int]) -> PushServiceSeen:
    host, port = place
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return PushServiceSeen(host, port, error=error.strerror or str(error))
    every = list(dict.fromkeys(str(each[4][0]) for each in found))
    fitting = may.of(host, every)
    if not fitting:
        return PushServiceSeen(host, port, forbidden=every[0])
    return PushServiceSeen(host, port, refused=_refused(host, port, fitting))


def _refused(host: str, port: int, addresses: list[str]) -> str:
    """Why none of the addresses speaks TLS for this host; "" when one does."""
    said = ""
    for address in addresses[:2]:
        try:
            with closing(socket.create_connection((address, port), timeout=KNOCK_S)) as connection:
                ssl.create_default_context().wrap_socket(connection, server_hostname=host).close()
        except OSError as error:
            said = in_words(error)
        else:
            return ""
    return said
