"""What each for itself can be in a configuration, and not together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.config.listening import collisions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.config.sections import Http, Smtp
    from bridge.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Clash:
    """What is wrong with the value of `key`, given those of `others`."""

    key: tuple[str, str]
    others: frozenset[tuple[str, str]]
    problem: str
    cure: str


def clashes(settings: Settings) -> Iterator[Clash]:
    """All of them."""
    yield from _without_broker(settings)
    yield from _logins_for_nobody(settings)
    yield from _broker_without_logins(settings)
    yield from _half_a_certificate("smtp", settings.smtp)
    yield from _half_a_certificate("http", settings.http)
    yield from _relayed_to_a_websocket(settings)
    for key, other in collisions(settings):
        problem = f"{'.'.join(other)} has this address already"
        yield Clash(key, frozenset({other}), problem, 'choose another port, or write "" for off')


def _without_broker(settings: Settings) -> Iterator[Clash]:
    """A bridge has to reach its broker: the embedded one over TCP, or another by its URL."""
    embedded, listen, url = ("broker", "embedded"), ("broker", "listen"), ("mqtt", "url")
    if settings.mqtt.url:
        return
    if not settings.broker.embedded:
        problem = "with broker.embedded = false there is no broker"
        yield Clash(url, frozenset({embedded}), problem, "write where yours is, as mqtt://host:port")
    elif not settings.broker.listen:
        problem = "the bridge itself comes this way"
        yield Clash(listen, frozenset({url}), problem, "write host:port, as 127.0.0.1:1883")


def _logins_for_nobody(settings: Settings) -> Iterator[Clash]:
    """Only another broker has login files; the embedded one reads the store."""
    if settings.mqtt.logins_for and settings.broker.embedded:
        cure = "set broker.embedded = false and mqtt.url, or leave the key out"
        others = frozenset({("broker", "embedded"), ("mqtt", "url")})
        yield Clash(("mqtt", "logins_for"), others, "the broker that comes with Postbell needs no login files", cure)


def _broker_without_logins(settings: Settings) -> Iterator[Clash]:
    """The embedded broker reads its logins in the file of the store, and there is none."""
    if settings.store.url and settings.broker.embedded:
        cure = "set broker.embedded = false, mqtt.url and mqtt.logins_for, or leave the key out"
        others = frozenset({("broker", "embedded"), ("mqtt", "url")})
        problem = "the broker that comes with Postbell keeps to a store that is a file"
        yield Clash(("store", "url"), others, problem, cure)


def _relayed_to_a_websocket(settings: Settings) -> Iterator[Clash]:
    """Pages come over a WebSocket already; what is in it goes to the broker over TCP or TLS."""
    url, http = settings.mqtt.url, settings.http
    if url is not None and url.websocket and not settings.broker.embedded and http.listen is not None and http.web:
        cure = "write the broker's mqtt:// or mqtts:// there, or set http.web = false"
        others = frozenset({("http", "listen"), ("http", "web")})
        yield Clash(("mqtt", "url"), others, "pages of the web client do not go over a WebSocket to the broker", cure)


def _half_a_certificate(name: str, section: Smtp | Http) -> Iterator[Clash]:
    """A certificate and its key go together, and nothing can listen with TLS without them."""
    chain, key, listen = (name, "tls_cert"), (name, "tls_key"), (name, "tls_listen")
    has = {each: getattr(section, each[1], None) is not None for each in (chain, key, listen)}
    if has[chain] and not has[key]:
        cure = f"set {name}.tls_key to the PEM file with its private key"
        yield Clash(chain, frozenset({key}), "a certificate without its key", cure)
    elif has[key] and not has[chain]:
        cure = f"set {name}.tls_cert to the PEM file with its certificate"
        yield Clash(key, frozenset({chain}), "a key without its certificate", cure)
    elif has[listen] and not has[chain]:
        cure = f"set {name}.tls_cert and {name}.tls_key to PEM files"
        yield Clash(listen, frozenset({chain, key}), "needs a certificate", cure)
