"""The MQTT session of a device: connect, subscribe once, resume, acknowledge by hand.

An adapter around paho-mqtt, driven by the caller in one thread (`step`), so that nothing runs
between recording a message, showing it and acknowledging it. MQTT 5 where the broker offers it, else
3.1.1, with a persistent session (docs/decisions/0035-what-is-used-of-mqtt-5.md).

A device resumes like this (`_on_connect`). With *session present*, and these very filters confirmed
before, the broker sends what it queued, and what was not acknowledged again; only what tells whether
all came is subscribed to anew (docs/decisions/0011-the-digest-at-each-connection.md), and on MQTT 5 all
the rest in a way that repeats nothing unless the broker has lost it. Otherwise the old
confirmation is void, on record first, and all filters are subscribed to: the retained set comes.
"""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING, Any, Protocol

from clients.errors import ClientError, LoginRefusedError, LoginTakenError
from clients.keepalive import Keepalive, Network
from clients.reasons import TAKEN_OVER, in_words
from clients.schedule import Schedule
from clients.transport import ALWAYS, IF_NEW, PINGREQ, PINGRESP, client_for, described, subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import paho.mqtt.client as mqtt

    from clients.backoff import Backoff
    from clients.keepalive import Endured
    from clients.login import Login
    from clients.transport import ObservedClient

UNACKNOWLEDGED_S = 60.0
"""What was sent and not acknowledged by TCP for this long breaks the connection (Linux only)."""
TAKEOVERS = 3
"""So often in a row, each within TAKEOVER_S of the connection, and another program wants this login for good."""
TAKEOVER_S = 600.0
REFUSALS = 5
"""A login that worked before may be refused this often in a row: its broker may just be starting."""
_LONGEST_STEP_S = 30.0
_REFUSED_BY_LOGIN = {0x86, 0x87}  # and 3.1.1 return codes 4 and 5, as paho maps them
_UNSUPPORTED_VERSION = 0x84  # and the return code 1


class Listener(Protocol):
    """What the owner of a session is told. It may call the session, but not `step`."""

    def received(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """A message; it is acknowledged when this returns, so it must be on record by then."""

    def connected(self, *, session_present: bool, version: str) -> None:
        """The broker has let us in, and speaks this version of MQTT."""

    def subscribing(self) -> None:
        """The broker's session does not have the filters: what `subscribed` said is void.

        That must be on record when this returns, since the session exists from now on, and would
        be taken for a complete one if this process died before the filters reach the broker.
        """

    def subscribed(self, subscription: str) -> None:
        """The broker has confirmed the subscription, which is to be remembered."""

    def unheard(self, reason: str) -> None:
        """The broker did not take what was published."""

    def disconnected(self, reason: str, *, retry_s: float) -> None:
        """The connection was lost or did not come about; it is tried again after `retry_s`."""


class Networks(Protocol):
    """Remembers what the keepalive found on each network."""

    def enter(self, address: str) -> Network:
        """Where a connection with this local address is, and what is known of it."""

    def remember(self, found: Endured) -> None:
        """That is known of it now."""


class Session:
    """A persistent session. The client id follows from the username, as the session belongs to the login.

    `renewed` are those of the filters that are subscribed to at each connection, though the broker has
    them: what is retained there says whether something was missed, and a broker that kept the session
    without its filters is found out. `subscription` is what `Listener.subscribed` said last, in this
    process or an earlier one; `asleep` tells the seconds that the machine spent asleep since it was started.
    A broker that refuses MQTT 5 is asked for 3.1.1 from then on; one that ends the connection without a word, at
    the next try. Without `keepalive` a ping comes after `login.keepalive_s` without traffic; `networks` remembers what
    it finds.
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
        keepalive: Keepalive | None = None,
        networks: Networks | None = None,
    ) -> None:
        self._login, self._filters, self._renewed, self._listener = login, filters, renewed, listener
        self._subscription = subscription
        self._wanted = " ".join((str(login.endpoint), login.username, *filters))
        self._clock = clock
        self._schedule = Schedule(clock=clock, asleep=asleep, backoff=backoff)
        self._keepalive = keepalive or Keepalive(clock=clock, wall_ms=lambda: 0, fixed_s=login.keepalive_s)
        self._networks = networks
        self._subscribe_mid: int | None = None
        self._was_accepted = False
        self._refusals = self._takeovers = 0
        self._entered_at = 0.0
        self._fatal: ClientError | None = None
        self._reason = ""
        self._answered = False
        self._older = False  # the broker said that it does not speak MQTT 5
        self._mqtt5 = True
        self._client = self._new_client()

    @property
    def up(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._schedule.connected

    def step(self, timeout_s: float | None, *, also: Sequence[int] = ()) -> list[int]:
        """Wait for the broker, the descriptors in `also` or the timeout, and handle what the broker sent.

        Returns those of `also` that can be read. Raises LoginRefusedError or LoginTakenError when trying again is of
        no use. Connecting blocks for at most CONNECT_TIMEOUT_S.
        """
        if self._schedule.woke():  # come back at once instead of waiting for a ping to fail
            self._keepalive.forgive()
            self.drop("the machine slept")
        if self._client.socket() is None and self._schedule.may_connect:
            self._connect()
        wait_s = _LONGEST_STEP_S if timeout_s is None else min(_LONGEST_STEP_S, timeout_s)
        if self.up:
            wait_s = min(wait_s, self._keepalive.due_s)
        ready = self._select(self._schedule.wait_s(wait_s, dialled=self._client.socket() is not None), also)
        if self.up and self._keepalive.due_s <= 0:
            self._ping()
        if self._schedule.unanswered:
            self.drop("the broker does not answer")
        if self._fatal is not None:
            raise self._fatal
        return ready

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message with QoS 1; only while `up`."""
        if self._keepalive.stale:
            self._client.ping()
        self._client.publish(topic, payload, qos=1)

    def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe again, for the retained messages that the broker then repeats; only while `up`."""
        self._client.subscribe([subscription(each, mqtt5=self._mqtt5) for each in filters])

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

    def _new_client(self) -> ObservedClient:
        client = client_for(self._login, mqtt5=self._mqtt5)
        client.packet_goes = lambda kind: self._keepalive.sent(ping=kind == PINGREQ)
        client.packet_came = self._packet_came
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _speak(self, *, mqtt5: bool) -> None:
        """Have the next connection be in this version."""
        if mqtt5 != self._mqtt5:
            self._mqtt5 = mqtt5
            self._client = self._new_client()

    def _ping(self) -> None:
        """Send one, or give up the connection that has not answered the last one."""
        if self._keepalive.waits:
            self.drop("no answer to a ping: the network has lost the connection")
        else:
            self._client.ping()

    def _packet_came(self, kind: int) -> None:
        if not self.up:
            return
        self._keepalive.heard(pong=kind == PINGRESP)
        if kind == PINGRESP and self._networks is not None:
            self._networks.remember(self._keepalive.found)

    def _entered(self, bound_s: int) -> None:
        """The broker has let us in: on which network?"""
        sock: Any = self._client.socket()
        try:
            address = str(sock.getsockname()[0])
        except (OSError, AttributeError, IndexError):
            address = ""
        network = Network() if self._networks is None else self._networks.enter(address)
        self._keepalive.connected(network, bound_s=bound_s)
        if self._networks is not None:
            self._networks.remember(self._keepalive.found)

    def _connect(self) -> None:
        self._answered = False
        try:
            self._client.reconnect()
        except (OSError, ValueError) as error:
            self._retry(described(error))
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
        if self.up:
            self._keepalive.lost()
        else:
            self._keepalive.forgive()
        self._listener.disconnected(reason, retry_s=self._schedule.retry_s())

    # --- what paho tells --------------------------------------------------------------------------

    def _on_connect(self, _client: Any, _data: Any, flags: Any, code: Any, properties: Any) -> None:
        self._answered = True
        self._schedule.answered(accepted=not code.is_failure)
        if code.is_failure:
            self._refused(code.value, _said_by(properties))
            return
        self._was_accepted, self._refusals = True, 0
        self._entered_at = self._clock()
        self._entered(getattr(properties, "ServerKeepAlive", 0))
        self._listener.connected(session_present=flags.session_present, version="5" if self._mqtt5 else "3.1.1")
        if not flags.session_present or self._subscription != self._wanted:
            self._subscription = ""
            self._listener.subscribing()
            self._subscribe_all(retained=ALWAYS)
        elif self._mqtt5:
            self._subscribe_all(retained=IF_NEW)
        elif self._renewed:
            self.subscribe(self._renewed)

    def _subscribe_all(self, *, retained: int) -> None:
        """Subscribe to all filters, those that are to be renewed always for what is retained."""
        _, self._subscribe_mid = self._client.subscribe(
            [
                subscription(each, mqtt5=self._mqtt5, retained=ALWAYS if each in self._renewed else retained)
                for each in self._filters
            ]
        )

    def _refused(self, code: int, said: str) -> None:
        self._reason = f"the broker refused the connection: {in_words(code, said)}"
        self._older = self._older or (self._mqtt5 and code == _UNSUPPORTED_VERSION)
        if code not in _REFUSED_BY_LOGIN:
            return
        self._refusals += 1
        if not self._was_accepted or self._refusals >= REFUSALS:
            self._fatal = LoginRefusedError(
                f"{self._login.endpoint} refused the login {self._login.username}: wrong password, "
                "or the device was revoked"
            )

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, codes: Any, properties: Any) -> None:
        refused = [code for code in codes if code.is_failure]
        if refused:
            why = f": {in_words(refused[0].value, _said_by(properties))}" if self._mqtt5 else ""
            self._fatal = LoginRefusedError(
                f"{self._login.endpoint} does not let {self._login.username} subscribe to its own topics{why}"
            )
        elif mid == self._subscribe_mid and self._subscription != self._wanted:
            self._subscription = self._wanted
            self._listener.subscribed(self._wanted)

    def _on_publish(self, _client: Any, _data: Any, _mid: int, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._listener.unheard(in_words(code.value, _said_by(properties)))

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._schedule.heard()
        self._listener.received(message.topic, bytes(message.payload), retained=message.retain)
        client.ack(message.mid, message.qos)

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, code: Any, properties: Any) -> None:
        if self._fatal is not None:
            return
        if flags.is_disconnect_packet_from_server:
            self._reason = f"the broker ended the connection: {in_words(code.value, _said_by(properties))}"
            self._keepalive.forgive()
            if self._taken_over(code.value):
                return
        if self._mqtt5 and self._older:
            self._reason = ""
            self._speak(mqtt5=False)  # at once: that it was refused is no loss, and nothing to tell
            return
        self._retry(self._reason or self._guess())
        if not self._older:
            self._speak(mqtt5=self._answered or not self._mqtt5)

    def _taken_over(self, code: int) -> bool:
        """Whether another program has thrown this one out once too often, so that one of them has to go."""
        if code != TAKEN_OVER or self._clock() - self._entered_at > TAKEOVER_S:
            self._takeovers = 0
        self._takeovers += code == TAKEN_OVER
        if self._takeovers < TAKEOVERS:
            return False
        self._fatal = LoginTakenError(
            f"another program keeps taking over the login {self._login.username}, and a login has one connection: end "
            "that one, or give each a device of its own (postbell device add)"
        )
        return True

    def _guess(self) -> str:
        """Why the broker may have closed the connection without a word, as MQTT 3.1.1 has it."""
        if self._schedule.keeps_ending:
            return "the broker keeps closing the connection; does another program use this login?"
        return "the connection was lost"


def _said_by(properties: Any) -> str:
    """The reason string that goes along with a reason (MQTT 5 §2.2.2.2), empty without one."""
    return getattr(properties, "ReasonString", "")
