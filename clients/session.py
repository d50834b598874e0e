"""The MQTT session of a device: connect, subscribe once, resume, acknowledge by hand.

An adapter around paho-mqtt, driven by the caller in one thread (`step`), so that nothing runs
between recording a message, showing it and acknowledging it. MQTT 3.1.1 with a persistent session.

A device resumes like this (`_on_connect`). With *session present*, and these very filters confirmed
before, the broker sends what it queued, and what was not acknowledged again; only what tells whether
all came is subscribed to anew (docs/decisions/0011-the-digest-at-each-connection.md). Otherwise the old
confirmation is void, on record first, and all filters are subscribed to: the retained set comes.
"""

from __future__ import annotations

import select
import socket
import ssl
from typing import TYPE_CHECKING, Any, Protocol

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from clients.errors import LoginRefusedError, UsageError
from clients.schedule import CONNECT_TIMEOUT_S, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clients.backoff import Backoff
    from clients.login import Login

UNACKNOWLEDGED_S = 60.0
"""What was sent and not acknowledged by TCP for this long breaks the connection (Linux only)."""
REFUSALS = 5
"""A login that worked before may be refused this often in a row: its broker may just be starting."""
_LONGEST_STEP_S = 30.0
_REFUSED_BY_LOGIN = {134, 135}  # 3.1.1 return codes 4 and 5 as paho maps them


class Listener(Protocol):
    """What the owner of a session is told. It may call the session, but not `step`."""

    def received(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """A message; it is acknowledged when this returns, so it must be on record by then."""

    def connected(self, *, session_present: bool) -> None:
        """The broker has let us in."""

    def subscribing(self) -> None:
        """The broker's session does not have the filters: what `subscribed` said is void.

        That must be on record when this returns, since the session exists from now on, and would
        be taken for a complete one if this process died before the filters reach the broker.
        """

    def subscribed(self, subscription: str) -> None:
        """The broker has confirmed the subscription, which is to be remembered."""

    def disconnected(self, reason: str, *, retry_s: float) -> None:
        """The connection was lost or did not come about; it is tried again after `retry_s`."""


class Session:
    """A persistent session. The client id follows from the username, as the session belongs to the login.

    `renewed` are those of the filters that are subscribed to at each connection, though the broker has
    them: what is retained there says whether something was missed, and a broker that kept the session
    without its filters is found out. `subscription` is what `Listener.subscribed` said last, in this
    process or an earlier one; `asleep` tells the seconds that the machine spent asleep since it was started.
    Raises UsageError if the CA file cannot be used.
    """

    def __init__(
        self,
        login: Login,
        *,
        filters: Sequence[str],
        renewed: Sequence[str] = (),
        subscription: str,
        listener: Listener,
        clock: Callable[[], float],
        asleep: Callable[[], float],
        backoff: Backoff,
    ) -> None:
        self._login, self._filters, self._renewed, self._listener = login, filters, renewed, listener
        self._subscription = subscription
        self._wanted = " ".join((str(login.endpoint), login.username, *filters))
        self._schedule = Schedule(clock=clock, asleep=asleep, backoff=backoff)
        self._subscribe_mid: int | None = None
        self._was_accepted = False
        self._refusals = 0
        self._fatal: LoginRefusedError | None = None
        self._reason = ""
        self._client = self._new_client()

    @property
    def up(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._schedule.connected

    def step(self, timeout_s: float | None, *, also: Sequence[int] = ()) -> list[int]:
        """Wait for the broker, the descriptors in `also` or the timeout, and handle what the broker sent.

        Returns those of `also` that can be read. Raises LoginRefusedError when trying again is of
        no use. Connecting blocks for at most CONNECT_TIMEOUT_S.
        """
        if self._schedule.woke():  # come back at once instead of waiting for a ping to fail
            self.drop("the machine slept")
        if self._client.socket() is None and self._schedule.may_connect:
            self._connect()
        longest_s = min(_LONGEST_STEP_S, self._login.keepalive_s / 4)  # brokers give up at 1.5 times the keepalive
        wait_s = longest_s if timeout_s is None else min(longest_s, timeout_s)
        ready = self._select(self._schedule.wait_s(wait_s, dialled=self._client.socket() is not None), also)
        self._client.loop_misc()
        if self._schedule.unanswered:
            self.drop("the broker does not answer")
        if self._fatal is not None:
            raise self._fatal
        return ready

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message with QoS 1; only while `up`."""
        self._client.publish(topic, payload, qos=1)

    def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe again, for the retained messages that the broker then repeats; only while `up`."""
        self._client.subscribe([(topic_filter, 1) for topic_filter in filters])

    def drop(self, reason: str) -> None:
        """Close a connection that seems dead without a word; a new one is tried."""
        sock = self._client.socket()
        self._reason = reason
        if sock is not None:
            sock.close()
            self._client.loop_read()

    def close(self) -> None:
        """Say goodbye. The broker keeps the session."""
        if self._client.socket() is not None:
            self._client.on_disconnect = None
            self._client.disconnect()

    # --- the socket -------------------------------------------------------------------------------

    def _new_client(self) -> mqtt.Client:
        endpoint = self._login.endpoint
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._login.username.replace(".", ":"),  # NATS refuses a dot in it
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            transport="websockets" if endpoint.websocket else "tcp",
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.username_pw_set(self._login.username, self._login.password)
        if endpoint.websocket:
            client.ws_set_options(path=endpoint.path)
        if endpoint.tls:
            try:
                client.tls_set_context(ssl.create_default_context(cafile=self._login.ca_file))
            except OSError as error:
                raise UsageError(f"--ca-file {self._login.ca_file}: {_describe(error)}") from error
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.connect_async(endpoint.host, endpoint.port, keepalive=self._login.keepalive_s)
        return client

    def _connect(self) -> None:
        try:
            self._client.reconnect()
        except (OSError, ValueError) as error:
            self._retry(_describe(error))
        else:
            self._schedule.dialled()
            sock: Any = self._client.socket()
            if hasattr(sock, "setsockopt") and hasattr(socket, "TCP_USER_TIMEOUT"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNACKNOWLEDGED_S * 1000))

    def _select(self, timeout_s: float, also: Sequence[int]) -> list[int]:
        sock: Any = self._client.socket()
        reading: list[Any] = list(also)
        if sock is None:
            return select.select(reading, (), (), timeout_s)[0]
        pending = hasattr(sock, "pending") and sock.pending() > 0
        writing = [sock] if self._client.want_write() else []
        readable, writable, _ = select.select([*reading, sock], writing, (), 0 if pending else timeout_s)
        if pending or sock in readable:
            self._client.loop_read()
        if writable and self._client.socket() is sock:
            self._client.loop_write()
        return [each for each in readable if each is not sock]

    def _retry(self, reason: str) -> None:
        self._subscribe_mid = None
        self._reason = ""
        self._listener.disconnected(reason, retry_s=self._schedule.retry_s())

    # --- what paho tells --------------------------------------------------------------------------

    def _on_connect(self, _client: Any, _data: Any, flags: Any, code: Any, _properties: Any) -> None:
        self._schedule.answered(accepted=not code.is_failure)
        if code.is_failure:
            self._refused(code)
            return
        self._was_accepted, self._refusals = True, 0
        self._listener.connected(session_present=flags.session_present)
        if not flags.session_present or self._subscription != self._wanted:
            self._subscription = ""
            self._listener.subscribing()
            _, self._subscribe_mid = self._client.subscribe([(each, 1) for each in self._filters])
        elif self._renewed:
            self.subscribe(self._renewed)

    def _refused(self, code: Any) -> None:
        self._reason = f"the broker refused the connection: {code}"
        if code.value not in _REFUSED_BY_LOGIN:
            return
        self._refusals += 1
        if not self._was_accepted or self._refusals >= REFUSALS:
            self._fatal = LoginRefusedError(
                f"{self._login.endpoint} refused the login {self._login.username}: wrong password, "
                "or the device was revoked"
            )

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, codes: Any, _properties: Any) -> None:
        refused = [code for code in codes if code.is_failure]
        if refused:
            self._fatal = LoginRefusedError(
                f"{self._login.endpoint} does not let {self._login.username} subscribe to its own topics"
            )
        elif mid == self._subscribe_mid:
            self._subscription = self._wanted
            self._listener.subscribed(self._wanted)

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._schedule.heard()
        self._listener.received(message.topic, bytes(message.payload), retained=message.retain)
        client.ack(message.mid, message.qos)

    def _on_disconnect(self, *_details: Any) -> None:
        if self._fatal is None:
            self._retry(self._reason or self._guess())

    def _guess(self) -> str:
        """Why the broker may have closed the connection without a word, as MQTT 3.1.1 has it."""
        if self._schedule.keeps_ending:
            return "the broker keeps closing the connection; does another program use this login?"
        return "the connection was lost"


def _describe(error: Exception) -> str:
    """An error of the system or of a library as people say it, without its number and Python's names for it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message}; --ca-file names its authority"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
