"""Lets a client in or turns it away: from its first byte to the right password.

The order of things is the protection: bounds, then CONNECT within its deadline, then the password,
and only then anything that could touch a session. Whoever is turned away leaves a line in the log, as
far as the address has not filled its share of lines, and a count in the statistics.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from broker import proxy
from broker.errors import HandshakeError, LoginsUnavailableError, ProtocolError
from broker.terms import ALIAS_MAXIMUM, least_packet
from broker.wire import codec
from broker.wire.frames import Frame, Packets
from broker.wire.packets import V5, V31, V311, Terms
from broker.wire.reasons import Reason

if TYPE_CHECKING:
    from broker.admission import Admission
    from broker.credentials import Grant
    from broker.settings import BrokerLimits
    from broker.statistics import Statistics
    from broker.transport import Arriving, Link
    from broker.turns import Turns
    from broker.wire.codec import Codec
    from broker.wire.packets import Connect

_CONNECT_SIZE = 16_384  # bytes that a stranger may make the broker keep
_CONNECT = 32  # units of work (turns.py) that a CONNECT costs, with all that follows from it; it comes in one chunk
_CHUNK = 2  # units of a further chunk of a stranger
_LINGER_S = 2.0  # in which a refused client must take its CONNACK
_LINGER_SIZE = 65_536  # bytes that it may send meanwhile


@dataclass(frozen=True, slots=True)
class Arrival:
    """A client that may come in: what it said in which version, who it is, and the packets it has sent since."""

    connect: Connect
    codec: Codec
    grant: Grant
    packets: Packets


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What CONNACK says, and why; empty where the reason is logged already."""

    code: Reason
    reason: str = ""


class Passwords(Protocol):
    """Who knows whether a password is right."""

    async def check(self, username: str, password: str, *, barred: bool) -> Grant | None:
        """See broker.auth.Logins."""

    def stands(self, grant: Grant) -> bool:
        """See broker.auth.Logins."""


class Reception:
    """Receives clients; `leave` must follow for each that was received, when its connection has ended."""

    def __init__(
        self, *, admission: Admission, logins: Passwords, limits: BrokerLimits, statistics: Statistics, turns: Turns
    ) -> None:
        self._admission = admission
        self._logins = logins
        self._limits = limits
        self._statistics = statistics
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._log = structlog.get_logger()

    def use(self, limits: BrokerLimits) -> None:
        """Have these bounds hold for clients that come from now on."""
        self._limits = limits
        self._admission.use(
            clients=limits.clients,
            clients_per_address=limits.clients_per_address,
            login_failures=limits.login_failures,
        )

    def enter(self, address: str, *, bounded: bool = True) -> str | None:
        """Count a connection in; `leave` must follow. Returns why there is no room for it, or None: see Admission."""
        self._statistics.connections += 1
        return self._admission.enter(address, bounded=bounded)

    def may_tell(self, address: str) -> bool:
        """Whether one for whom there is no room may wait for its answer."""
        return self._admission.may_tell(address)

    def pause_s(self, address: str) -> float:
        """How long whoever comes from the address has to wait: see Admission."""
        return self._admission.pause_s(address, self._loop.time())

    async def receive(self, link: Arriving) -> Arrival | None:
        """Read CONNECT and judge it. Who is refused has been told so when this returns None."""
        packets, frame = Packets(min(self._limits.packet, _CONNECT_SIZE)), None
        try:
            async with asyncio.timeout(_LINGER_S if link.excess else self._limits.connect_timeout):
                frame = await self._first_frame(link, packets)
                if frame is None:
                    self._lost(link)
                    return None
                connect = codec.connect(frame)
                speaks = codec.speaking(connect, alias_maximum=ALIAS_MAXIMUM)
                full = _Refusal(Reason.QUOTA_EXCEEDED, link.excess) if link.excess else None
                answer = full or await self._judge(connect, link.address)
        except TimeoutError:
            self._lost(link, otherwise="no_connect")
            return None
        except HandshakeError as error:
            self.turn_away(link.address, reason=str(error))
            return None
        except ProtocolError as error:
            self._admission.flooded(link.address, self._loop.time())
            self._turned_away("protocol_error", link.address, error=str(error))
            if frame is not None and (connack := codec.refusal(frame, error)):
                await self._refuse(link, connack)
            return None
        if isinstance(answer, _Refusal):
            if answer.reason:
                level = connect.level
                self._turned_away("connection_refused", link.address, reason=answer.reason, protocol_level=level)
            await self._refuse(link, speaks.encode_connack(answer.code, present=False, terms=Terms()))
            return None
        link.known = True
        packets.limit = self._limits.packet
        return Arrival(connect, speaks, answer, packets)

    def welcome(self, link: Link, codec: Codec, terms: Terms, *, present: bool) -> None:
        """Tell the client that it is in, on which terms, and whether it has a session [MQTT-3.2.2-2]."""
        link.write(codec.encode_connack(Reason.SUCCESS, present=present, terms=terms))

    def stands(self, arrival: Arrival) -> bool:
        """Whether a client that had to wait may still come in."""
        return self._logins.stands(arrival.grant)

    def leave(self, address: str) -> None:
        """A connection that was received has ended."""
        self._admission.leave(address)
        self._statistics.connections -= 1

    async def _judge(self, connect: Connect, address: str) -> Grant | _Refusal:
        """Whether a CONNECT is acceptable. Nothing is changed yet."""
        if (refusal := _unacceptable(connect)) is not None:
            return refusal
        username, password = connect.username, _text(connect.password)
        if username is None or connect.password is None:
            return _Refusal(Reason.NOT_AUTHORIZED, "no_login")
        now = self._loop.time()
        barred = self._admission.barred(address, now)
        try:
            grant = None if password is None else await self._logins.check(username, password, barred=barred)
        except LoginsUnavailableError:
            return _Refusal(Reason.SERVER_UNAVAILABLE, "logins_unavailable")
        if grant is not None:
            return grant
        self._statistics.drop("wrong_password")
        if self._admission.failed(address, now):
            self._log.warning("too_many_login_failures", address=address, protocol_level=connect.level)
        elif not barred:
            self._log.warning("login_failed", address=address, protocol_level=connect.level)
        return _Refusal(Reason.BAD_LOGIN)

    async def _refuse(self, link: Link, connack: bytes) -> None:
        """Send the CONNACK, and wait until the client has seen it and gone, or for a short while."""
        link.write(connack)
        link.finish()
        left = _LINGER_SIZE
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while left > 0 and (chunk := await link.chunk()):
                    left -= len(chunk)
                    await self._turns.wait(_CHUNK)

    async def _first_frame(self, link: Link, packets: Packets) -> Frame | None:
        """The first packet, a chunk in a turn; None when the stream ends.

        Raises what `Packets.next` raises, and HandshakeError for the header of a proxy that is not listed.
        """
        begun = False
        while (frame := packets.next()) is None:
            chunk = await link.chunk()
            if not chunk:
                return None
            await self._turns.wait(_CHUNK if begun else _CONNECT)
            if not begun and proxy.shows(chunk):  # the header of a listed proxy has been taken before
                raise HandshakeError("proxy_not_listed")
            begun = True
            packets.feed(chunk)
        return frame

    def _lost(self, link: Arriving, *, otherwise: str | None = None) -> None:
        """The stream has ended, or is ended, without a packet. Who left by himself leaves no line."""
        if reason := link.refusal or link.excess:
            self.turn_away(link.address, reason=reason)
        elif reason := link.fault or otherwise:
            if link.fault:
                self._admission.flooded(link.address, self._loop.time())
            self._turned_away("connection_ended", link.address, reason=reason)

    def turn_away(self, address: str, *, reason: str, error: str = "") -> None:
        """Count and log somebody who is not let in."""
        if error:
            self._turned_away("connection_refused", address, reason=reason, error=error)
        else:
            self._turned_away("connection_refused", address, reason=reason)

    def _turned_away(self, event: str, address: str, **what: str | int) -> None:
        """Count it, and log it unless the address has filled its share of lines: strangers must not fill the log."""
        self._statistics.drop(str(what.get("reason", event)))
        if self._admission.may_log(address, self._loop.time()):
            self._log.warning(event, address=address, **what)


def _unacceptable(connect: Connect) -> _Refusal | None:
    """What of a CONNECT is refused, whoever sends it."""
    if connect.level not in {V31, V311, V5}:
        return _Refusal(Reason.UNSUPPORTED_VERSION, "protocol_version")  # [MQTT-3.1.2-2]
    if connect.authentication is not None:
        return _Refusal(Reason.BAD_AUTHENTICATION_METHOD, "authentication_method")  # [MQTT-4.12.0-1]
    if 0 < connect.packet_maximum < least_packet(connect):
        return _Refusal(Reason.PACKET_TOO_LARGE, "packet_maximum")  # which may not fit either [MQTT-3.1.2-24]
    nameless = not connect.client_id and connect.level < V5
    if nameless and (not connect.clean_start or connect.level == V31):  # [MQTT-3.1.3-8], and never in 3.1
        return _Refusal(Reason.CLIENT_ID_NOT_VALID, "no_client_id")
    return None


def _text(password: bytes | None) -> str | None:
    """A password as the logins have it; None for bytes that are no text, and so nobody's password."""
    try:
        return None if password is None else password.decode()
    except UnicodeDecodeError:
        return None
