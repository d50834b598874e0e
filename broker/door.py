"""From accept to the link on which MQTT begins: who comes is counted, named by his proxy, and only then given TLS.

The order is the protection, as it is behind it (reception.py): a connection costs its address a place from the first
moment on, so that handshakes that are never finished are bounded; whoever comes through a listed proxy is counted as
the address that the PROXY header names; and the work of a TLS handshake, the most that a stranger can ask for, has its
turn.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from broker import forwarded, proxy
from broker.doorstep import NOBODY, Doorstep
from broker.errors import HandshakeError
from broker.networks import is_loopback, within

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from websockets.datastructures import Headers

    from broker.listeners import Listener
    from broker.networks import Networks
    from broker.transport import StreamLink
    from broker.turns import Turns
    from broker.websocket import SocketLink

_SECURING = 96  # units of work (turns.py) that a TLS handshake costs
_TLS_BEGINS = b"\x16"  # a record of the kind handshake (RFC 8446 §5.1)


class Desk(Protocol):
    """Where those who come are counted, and those who are turned away are told of: see broker.reception.Reception."""

    def enter(self, address: str, *, bounded: bool) -> str | None:
        """Count a connection in, by its address as well if `bounded`; why there is no room for it, or None."""

    def leave(self, address: str) -> None:
        """Count it out."""

    def may_tell(self, address: str) -> bool:
        """Whether one for whom there is no room may wait to be told so."""

    def pause_s(self, address: str) -> float:
        """How long whoever comes from there has to wait before he is heard."""

    def turn_away(self, address: str, *, reason: str, error: str = "") -> None:
        """Log and count somebody who is not let in."""


class Doors:
    """Opens the doors of all listeners. `link` makes the link of a listener, to which a connection then belongs.

    A connection is counted in at the desk with its first moment; with its link whoever serves that has to count it out.
    """

    def __init__(
        self,
        *,
        desk: Desk,
        turns: Turns,
        tls: ssl.SSLContext | None,
        proxies: Networks,
        timeout_s: float,
        link: Callable[[Listener], StreamLink],
    ) -> None:
        self._desk = desk
        self._turns = turns
        self._tls = tls
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()  # the loop itself keeps its tasks only weakly
        self.use(proxies=proxies, timeout_s=timeout_s)

    def use(self, *, proxies: Networks, timeout_s: float) -> None:
        """Have these hold for connections that come from now on."""
        self._proxies = proxies
        self._timeout_s = timeout_s

    def door(self, listener: Listener) -> Doorstep:
        """The protocol of a connection that has come in at a listener."""
        return Doorstep(listener, self._came)

    def asked(self, link: SocketLink, headers: Headers) -> None:
        """A WebSocket was asked for: its client is whom a listed proxy speaks for. Raises HandshakeError."""
        if within(link.address, self._proxies):
            address = forwarded.client(
                link.address,
                forwarded_for=headers.get_all("X-Forwarded-For"),
                forwarded=headers.get_all("Forwarded"),
                proxies=self._proxies,
            )
            self._name(link, address)
            if link.excess is not None:
                raise HandshakeError(link.excess)

    def _came(self, door: Doorstep) -> None:
        door.address = _peer(door.transport)
        by_proxy = door.listener.proxied or within(door.address, self._proxies)
        door.excess = self._desk.enter(door.address, bounded=not by_proxy)
        if not self._has_room(door):
            self._desk.turn_away(door.address, reason=str(door.excess))
            self._close(door)
        elif by_proxy or door.listener.tls or self._desk.pause_s(door.address):
            task = self._loop.create_task(self._open(door, by_proxy=by_proxy), name="open-door")
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        else:
            self._hand_over(door)

    def _has_room(self, door: Doorstep) -> bool:
        """Whether it may go on: one too many only where it can be told so, and there are not too many of those."""
        return door.excess is None or (not door.listener.tls and self._desk.may_tell(door.address))

    def _close(self, door: Doorstep) -> None:
        self._desk.leave(door.address)
        door.transport.abort()

    async def _open(self, door: Doorstep, *, by_proxy: bool) -> None:
        late = "tls_timeout"
        try:
            await self._have_wait(door, unless=by_proxy)
            async with asyncio.timeout(self._timeout_s):
                if by_proxy:
                    late = "no_proxy_header"
                    await self._hear_proxy(door)
                    late = "tls_timeout"
                if door.listener.tls:
                    await self._secure(door)
                elif not door.transport.is_closing():
                    self._hand_over(door)
        except EOFError:
            pass  # whoever leaves by himself leaves no line
        except HandshakeError as error:
            self._desk.turn_away(door.address, reason=str(error))
        except TimeoutError:
            if not door.opened:
                self._desk.turn_away(door.address, reason=late)
        except OSError as error:
            why = getattr(error, "reason", None) or "ended by the client"
            self._desk.turn_away(door.address, reason="tls_failed", error=why)
        finally:
            if not door.opened:
                self._close(door)

    async def _hear_proxy(self, door: Doorstep) -> None:
        """Read the header of a listed proxy; raises HandshakeError.

        On this machine others than the proxy connect as well, the bridge above all, so there it is not asked for; nor
        of a WebSocket, whose request may name the client instead.
        """
        data = await door.early()
        if not proxy.begins(data):
            if door.listener.websocket or is_loopback(door.address):
                return
            raise HandshakeError("no_proxy_header")
        while (header := proxy.read(data)) is None:
            data = await door.early(at_least=len(data) + 1)
        door.drop(header.size)
        if header.address is not None:
            self._name(door, header.address)
            if not self._has_room(door):
                raise HandshakeError(str(door.excess))
            await self._have_wait(door)

    async def _have_wait(self, door: Doorstep, *, unless: bool = False) -> None:
        """Hear nothing of those from an address that floods for a while; raises EOFError when it is gone then."""
        pause_s = 0.0 if unless else self._desk.pause_s(door.address)
        if pause_s and not door.transport.is_closing():
            door.transport.pause_reading()
            await asyncio.sleep(pause_s)
        if door.transport.is_closing():
            raise EOFError

    def _name(self, who: Doorstep | StreamLink, address: str) -> None:
        """Count somebody as the address that his proxy names."""
        self._desk.leave(who.address)
        who.address = address
        who.excess = self._desk.enter(address, bounded=not within(address, self._proxies))

    async def _secure(self, door: Doorstep) -> None:
        """Hand over with TLS; raises HandshakeError, EOFError, and OSError as TLS has it."""
        data = await door.early()
        if not data.startswith(_TLS_BEGINS):
            raise HandshakeError("proxy_not_listed" if proxy.shows(data) else "not_tls")
        await self._turns.wait(_SECURING)
        if door.transport.is_closing():
            raise EOFError
        securing = self._loop.create_task(self._start_tls(door), name="tls-handshake")
        # Behind that task's first step, in which TLS takes the place of the door, and before more is read.
        self._loop.call_soon(self._loop.call_soon, self._pass_on_to_tls, door)
        await securing

    async def _start_tls(self, door: Doorstep) -> None:
        assert self._tls is not None
        link = self._link_for(door)
        secured = await self._loop.start_tls(door.transport, link, self._tls, server_side=True)
        if secured is None or secured.is_closing():
            raise ConnectionResetError
        door.opened = True
        link.connection_made(secured)

    def _pass_on_to_tls(self, door: Doorstep) -> None:
        if not door.transport.is_closing():
            door.pass_on(door.transport.get_protocol())

    def _hand_over(self, door: Doorstep) -> None:
        link = self._link_for(door)
        door.opened = True
        door.transport.set_protocol(NOBODY)
        door.transport.set_protocol(link)
        link.connection_made(door.transport)
        door.pass_on(link)
        door.transport.resume_reading()

    def _link_for(self, door: Doorstep) -> StreamLink:
        link = self._link(door.listener)
        link.address, link.excess = door.address, door.excess
        return link


def _peer(transport: asyncio.Transport) -> str:
    """The peer's address without its port; empty when it is gone already."""
    return str((transport.get_extra_info("peername") or ("",))[0])
