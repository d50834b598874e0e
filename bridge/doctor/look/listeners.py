"""The listeners of bridge and broker: where they should be, where they say they are, and who answers there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from bridge.config.endpoints import TcpAddress, parse_endpoint
from bridge.config.section import value
from bridge.daemon import runfile
from bridge.doctor.judge.check import Check
from bridge.doctor.judge.listeners import ListenerSeen
from bridge.doctor.look.knock import Speech, knock
from bridge.doctor.look.service import pid
from bridge.doctor.look.sockets import holders

if TYPE_CHECKING:
    from bridge.config.endpoints import Endpoint
    from bridge.config.settings import Settings
    from bridge.doctor.judge.service import ServiceSeen

OTHERS_BROKER = "broker.embedded = false: another broker is used"


@dataclass(frozen=True, slots=True)
class Ear:
    """A listener that there can be. `name` is that of the run file."""

    name: str
    key: str
    check: Check
    process: str
    speech: Speech
    tls: bool = False


LISTENERS = (
    Ear("smtp", "smtp.listen", Check.SMTP, runfile.BRIDGE, Speech.MAIL),
    Ear("smtps", "smtp.tls_listen", Check.SMTPS, runfile.BRIDGE, Speech.MAIL, tls=True),
    Ear("lmtp", "lmtp.listen", Check.LMTP, runfile.BRIDGE, Speech.MAIL),
    Ear("mqtt", "broker.listen", Check.MQTT, runfile.BROKER, Speech.MQTT),
    Ear("mqtts", "broker.tls_listen", Check.MQTTS, runfile.BROKER, Speech.MQTT, tls=True),
    Ear("websocket", "broker.websocket", Check.WEBSOCKET, runfile.BROKER, Speech.WEBSOCKET),
    Ear(
        "secure_websocket",
        "broker.secure_websocket",
        Check.SECURE_WEBSOCKET,
        runfile.BROKER,
        Speech.WEBSOCKET,
        tls=True,
    ),
    Ear("http", "http.listen", Check.HTTP, runfile.BRIDGE, Speech.HTTP),
)


def look(settings: Settings, service: ServiceSeen) -> list[ListenerSeen]:
    """The facts of all of them, each asked at the same time."""
    ours = frozenset(number for name in (runfile.BRIDGE, runfile.BROKER) if (number := pid(settings, name)) is not None)
    with ThreadPoolExecutor(len(LISTENERS), thread_name_prefix="doctor-knock") as pool:
        return list(pool.map(lambda listener: _seen(listener, settings, service, ours), LISTENERS))


def address_of(settings: Settings, listener: Ear) -> Endpoint | None:
    """Where it says that it listens, else where it should; None when it is off."""
    written = configured(settings, listener.key)
    said = runfile.read(settings.run_dir, listener.process).get(listener.name)
    return _parsed(said) or _parsed(written)


def configured(settings: Settings, key: str) -> str:
    """What the configuration says of a key, also of the broker's own; empty when it is not set."""
    section, _, name = key.partition(".")
    said = value(getattr(settings, section), name)
    return "" if said is None else str(said)


def _seen(listener: Ear, settings: Settings, service: ServiceSeen, ours: frozenset[int]) -> ListenerSeen:
    written = configured(settings, listener.key)
    if listener.process == runfile.BROKER and not settings.broker.embedded:
        return ListenerSeen(listener.check, listener.key, "", why_off=OTHERS_BROKER)
    runs = service.bridge if listener.process == runfile.BRIDGE else service.broker
    facts = runfile.read(settings.run_dir, listener.process)
    seen = ListenerSeen(listener.check, listener.key, written, runs=runs, ours=ours)
    if not written or runs is None:
        return seen
    said = _parsed(facts.get(listener.name, written) if runs else written)
    if said is None:
        return replace(seen, holders=holders(address) if (address := _parsed(written)) is not None else ())
    seen = replace(seen, listens=str(said) if runs else "", holders=_holders(said))
    if not runs:
        return seen
    proxy = waits_for_proxy(settings, listener, said)
    answer, heard = knock(said, listener.speech, tls=listener.tls, proxy=proxy)
    return replace(seen, answer=answer, heard=heard)


def _holders(address: Endpoint) -> Any:
    return () if isinstance(address, TcpAddress) and address.port == 0 else holders(address)


def _parsed(text: object) -> Endpoint | None:
    with suppress(ValueError):
        return parse_endpoint(text) if isinstance(text, str) and text else None
    return None


def waits_for_proxy(settings: Settings, listener: Ear, address: Endpoint) -> bool:
    """Whether this machine counts as a load balancer there."""
    if not isinstance(address, TcpAddress) or not listener.key.startswith("smtp."):
        return False
    return any(ip_address("127.0.0.1") in network for network in settings.smtp.proxies)
