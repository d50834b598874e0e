"""What the name server says of the names that devices are told, and whether their ports answer."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bridge.doctor.judge.names import NameSeen

if TYPE_CHECKING:
    from bridge.config.endpoints import MqttUrl, WebUrl
    from bridge.config.settings import Settings

CONNECT_S: Final = 2.0
WEB_PORTS: Final = {"http": 80, "https": 443}


def look(settings: Settings) -> list[NameSeen]:
    """The facts."""
    found = []
    if settings.broker.public_url is not None:
        found.append(_seen("broker.public_url", settings.broker.public_url, settings.broker.public_url.address.port))
    if settings.http.public_url is not None:
        url = settings.http.public_url
        found.append(_seen("http.public_url", url, url.port or WEB_PORTS[url.scheme]))
    return found


def _seen(key: str, url: MqttUrl | WebUrl, port: int) -> NameSeen:
    try:
        addresses = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return NameSeen(key, str(url), url.host, port, error=error.strerror or str(error))
    here = any(_is_here(address[4][0]) for address in addresses)
    return NameSeen(key, str(url), url.host, port, here=here, answers=_answers(url.host, port))


def _is_here(address: str | int) -> bool:
    """Whether an address is this machine's: only then can a socket have it."""
    family = socket.AF_INET6 if ":" in str(address) else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
        return True
    return False


def _answers(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=CONNECT_S):
        return True
    return False
