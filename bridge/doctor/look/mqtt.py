"""A connection to the broker as a device has one: logs in, hears, asks, and remembers what it heard."""

from __future__ import annotations

import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from bridge.doctor.look.deadline import OutOfTimeError
from bridge.doctor.look.knock import reached
from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.config.endpoints import MqttUrl
    from bridge.doctor.look.deadline import TimeLeft

KEEPALIVE_S: Final = 30
CONNECT_S: Final = 3.0
ACKNOWLEDGED_S: Final = 2.0
REMEMBERED: Final = 500
"""So much of what it hears is kept at most: a broker that gives everything away may give very much."""


class NotLetInError(PostbellError):
    """The broker answered, and did not let the device in."""


class NotReachedError(PostbellError):
    """Nobody who speaks MQTT was met, or not in time."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where the broker is, and whom it is believed by."""

    url: MqttUrl
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that came."""

    topic: str
    payload: bytes


@dataclass(slots=True)
class _Notes:
    """What paho's thread notes for ours."""

    answer: ReasonCode | None = None
    lost: bool = False
    heard: deque[Heard] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    acknowledged: dict[int, list[Any]] = field(default_factory=dict)


class ProbeDevice:
    """One connection. Its session ends with it, unless it resumes one. All waits are bounded; use `with`."""

    def __init__(
        self,
        way: Way,
        username: str,
        password: str,
        *,
        client_id: str = "",
        mqtt5: bool = False,
        resume: bool = False,
        patience: TimeLeft | None = None,
    ) -> None:
        """With an empty username it comes without a login. With `resume` the session stays as it was found.

        When `patience` ends, whatever waits raises OutOfTimeError.
        """
        self.username = username
        self._patience = patience
        self._changed = threading.Condition()
        self._notes = _Notes()
        url = way.url
        self._address = (reached(url.host), url.address.port)
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or username or "postbell-doctor",
            clean_session=None if mqtt5 else not resume,
            protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
            transport="websockets" if url.websocket else "tcp",
            reconnect_on_failure=False,
            manual_ack=resume,  # what waits in the session is for whoever it belongs to
        )
        if username:
            self._client.username_pw_set(username, password)
        if url.encrypted:
            self._client.tls_set_context(ssl.create_default_context(cafile=way.ca_file))
        if url.websocket:
            self._client.ws_set_options(path=url.path or "/mqtt")
        self._client.on_connect = lambda _c, _u, _f, reason, _p: self._note(answer=reason)
        self._client.on_disconnect = lambda *_: self._note(lost=True)
        self._client.on_message = lambda _c, _u, message: self._hear(Heard(message.topic, bytes(message.payload)))
        self._client.on_publish = lambda _c, _u, mid, reason, _p: self._acknowledge(mid, [reason])
        self._client.on_subscribe = lambda _c, _u, mid, reasons, _p: self._acknowledge(mid, list(reasons))

    def connect(self) -> Self:
        """Log in; raises NotLetInError, NotReachedError or OutOfTimeError."""
        try:
            self._client.connect_timeout = self._share_s(CONNECT_S)
            self._client.connect(*self._address, keepalive=KEEPALIVE_S)
        except (OSError, ValueError) as error:
            told = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error) or "timed out"
            self._share_s(0)
            raise NotReachedError(told) from error
        self._client.loop_start()
        try:
            self._until(lambda: self._notes.answer is not None or self._notes.lost, CONNECT_S)
        except OutOfTimeError:
            self.close()
            raise
        answer = self._notes.answer
        if answer is None:
            self.close()
            raise NotReachedError("the connection was closed" if self._notes.lost else "no answer to CONNECT")
        if answer.is_failure:
            self.close()
            raise NotLetInError(str(answer))
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye; its session is gone with that."""
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def lost(self) -> bool:
        """Whether the broker has ended the connection."""
        return self._notes.lost

    @property
    def heard(self) -> list[Heard]:
        """What came so far."""
        with self._changed:
            return list(self._notes.heard)

    def subscribe(self, *filters: str) -> bool:
        """Whether the broker granted all of them; also false when it did not answer."""
        code, mid = self._client.subscribe([(each, 1) for each in filters])
        return self._answered(code, mid or 0)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Whether the broker took it: a PUBACK, which on 3.1.1 it may give for what it drops."""
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        return self._answered(info.rc, info.mid)

    def wait(self, wanted: Callable[[Heard], bool], *, within_s: float) -> Heard | None:
        """The first that came or comes that is wanted; None when none does in time, or the connection ends."""

        def found() -> Heard | None:
            return next((each for each in self._notes.heard if wanted(each)), None)

        self._until(lambda: found() is not None or self._notes.lost, within_s)
        with self._changed:
            return found()

    def _answered(self, code: MQTTErrorCode, mid: int) -> bool:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        self._until(lambda: mid in self._notes.acknowledged or self._notes.lost, ACKNOWLEDGED_S)
        reasons = self._notes.acknowledged.get(mid)
        return reasons is not None and not any(getattr(reason, "is_failure", False) for reason in reasons)

    def _until(self, holds: Callable[[], bool], within_s: float) -> None:
        ends_at = time.monotonic() + self._share_s(within_s)
        with self._changed:
            while not holds() and (left_s := ends_at - time.monotonic()) > 0:
                self._changed.wait(left_s)
            if not holds():
                self._share_s(0)

    def _share_s(self, within_s: float) -> float:
        """How long something may take; raises OutOfTimeError."""
        return within_s if self._patience is None else self._patience.share_s(within_s)

    # --- in paho's thread -------------------------------------------------------------------------

    def _note(self, *, answer: ReasonCode | None = None, lost: bool = False) -> None:
        with self._changed:
            self._notes.answer = answer or self._notes.answer
            self._notes.lost = lost
            self._changed.notify_all()

    def _hear(self, heard: Heard) -> None:
        with self._changed:
            self._notes.heard.append(heard)
            self._changed.notify_all()

    def _acknowledge(self, mid: int, reasons: list[Any]) -> None:
        with self._changed:
            self._notes.acknowledged[mid] = reasons
            self._changed.notify_all()
