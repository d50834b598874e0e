"""The broker, asked over MQTT, and what bridge and files say of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bridge.config.endpoints import MqttUrl, TcpAddress
from bridge.daemon import everywhere, runfile
from bridge.doctor.judge.broker import Backlog, BrokerSeen
from bridge.doctor.look import mosquitto, sessions
from bridge.doctor.look.mqtt import NotLetInError, NotReachedError, ProbeDevice, Way
from bridge.errors import ConfigurationError, PostbellError
from bridge.reconcile import Repair
from bridge.store import backlog, offline, outbox

if TYPE_CHECKING:
    from bridge.config.settings import Settings
    from bridge.doctor.judge.service import ServiceSeen

RECONCILE_S: Final = 5.0
MOVES_S: Final = 1.0
PAUSE_S: Final = 0.05
UNSUPPORTED: Final = "unsupported protocol version"
VERSIONS: Final = {"3.1.1": False, "5": True}


def look(settings: Settings, service: ServiceSeen) -> BrokerSeen:
    """The facts."""
    way = way_of(settings)
    connected = bool(runfile.read(settings.run_dir, runfile.BRIDGE).get("connected")) if service.bridge else None
    error, spoken = _met(way) if way is not None else ("", ())
    conf, unread = _mosquitto(settings)
    repair, unlooked = (None, "nobody answers there") if error else _repair(settings, connected=connected)
    return BrokerSeen(
        url="" if way is None else str(way.url),
        version=settings.mqtt.version,
        embedded=settings.mqtt.url is None,
        error=error,
        spoken=spoken,
        connected=connected,
        refusal=_refusal(settings, way) if connected is False and not error else "",
        mosquitto=conf,
        unread=unread,
        sessions=sessions.look(settings.state_dir) if service.embedded and service.broker else None,
        retain_count=settings.retain.count,
        largest_bytes=max(settings.limits.chunk, settings.limits.payload),
        repair=repair,
        unlooked=unlooked,
        backlog=_backlog(settings) if connected else None,
    )


def way_of(settings: Settings) -> Way | None:
    """How the broker is reached from here; None while the embedded one has not said."""
    if settings.mqtt.url is not None:
        return Way(settings.mqtt.url, settings.mqtt.ca_file)
    said = runfile.read(settings.run_dir, runfile.BROKER).get("mqtt")
    return Way(MqttUrl.of(TcpAddress.parse(said))) if isinstance(said, str) else None


def _met(way: Way) -> tuple[str, tuple[str, ...]]:
    """Why nobody was met, if so, and the versions that are spoken there; it comes without a login."""
    error, spoken = "", []
    for version, mqtt5 in VERSIONS.items():
        try:
            with ProbeDevice(way, "", "", mqtt5=mqtt5).connect():
                spoken.append(version)
        except NotLetInError as refused:
            if str(refused).lower() != UNSUPPORTED:
                spoken.append(version)
        except NotReachedError as trouble:
            error = error or str(trouble)
            if mqtt5 or not spoken:
                break  # who was not met is not there for the next version, either
    return ("" if spoken else error), tuple(spoken)


def _refusal(settings: Settings, way: Way | None) -> str:
    """Why another broker does not let the bridge in, while the bridge is not connected; its session stays as it is."""
    if way is None or settings.own_secret is None:
        return ""
    try:
        password = settings.own_secret.read()
    except OSError as error:
        return f"{settings.own_secret.path}: {error.strerror}"
    except ConfigurationError as error:
        return str(error)
    try:
        client_id = f"postbell-{settings.node}"
        with ProbeDevice(way, settings.broker_login, password, client_id=client_id, resume=True).connect():
            return ""
    except NotLetInError as refused:
        return str(refused)
    except NotReachedError:
        return ""


def _mosquitto(settings: Settings) -> tuple[dict[str, str] | None, str]:
    """The settings of a mosquitto on this machine, or why there are none."""
    if settings.mqtt.url is None:
        return None, ""
    try:
        return mosquitto.settings(settings.mqtt.url.address), ""
    except mosquitto.UnreadError as error:
        return None, str(error)


def _repair(settings: Settings, *, connected: bool | None) -> tuple[Repair | None, str]:
    """What running bridges find to repair, or why it cannot be asked."""
    if not connected and not settings.store.url:
        return None, "no bridge is connected"
    try:
        return Repair(**everywhere.reconcile(settings, dry_run=True, deadline_s=RECONCILE_S)), ""
    except (PostbellError, TypeError) as error:
        return None, f"it could not be compared in this time: {error}"


def _backlog(settings: Settings) -> Backlog:
    """The outbox now, and again as soon as it has moved, or a moment later."""
    before = now = _outbox(settings)
    give_up_at = time.monotonic() + MOVES_S
    while before[0] and now == before and time.monotonic() < give_up_at:
        time.sleep(PAUSE_S)
        now = _outbox(settings)
    return Backlog(before[0], moved=now != before)


def _outbox(settings: Settings) -> tuple[int, int, int, int]:
    """How many topics wait, their first row, how often all were marked, and since when the oldest new one waits."""
    with offline.reading(settings.place) as connection:
        row = connection.execute("SELECT coalesce(min(seq), 0), coalesce(sum(generation), 0) FROM outbox").fetchone()
        return backlog.waiting(connection), *row, outbox.oldest_new_ms(connection) or 0
