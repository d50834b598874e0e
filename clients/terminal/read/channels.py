"""How `read` asks the bridge: through the device's own connection, or a watcher's."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Protocol

from clients.contract.errors import ContractError
from clients.contract.requests import decode_reply
from clients.errors import RequestError
from clients.journal import records
from clients.journal.file import look
from clients.relay import PACKET_BYTES

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from clients.box.inbox import Gone, Shown
    from clients.contract.requests import Reply
    from clients.device import Device
    from clients.download import Download
    from clients.journal.file import Journal
    from clients.journal.snapshot import Snapshot
    from clients.session import Session


class Channel(Protocol):
    """A way to ask the bridge."""

    @property
    def up(self) -> bool:
        """Whether something can be sent."""

    def send(self, request: bytes) -> None:
        """Send a request."""

    def step(self, timeout_s: float) -> list[Reply]:
        """Wait for replies, at most so long."""


class RecordingDisplay:
    """Takes in mail that comes while something is being read: kept for the next watcher to show."""

    def __init__(self, *, journal: Journal, notice: Callable[[str], None]) -> None:
        self._journal, self._notice = journal, notice
        self.replies: list[Reply] = []

    def show(self, message: Shown) -> None:
        """Keep the message."""
        self._journal.append(records.unshown(message.mail_id, message.payload))

    def come_back(self, mail_id: str) -> None:
        """Nothing: that is on record."""

    def vanish(self, message: Gone) -> None:
        """Nothing: that is on record."""

    def answer(self, reply: Reply, payload: bytes) -> None:
        """Keep the reply for `OwnChannel.step`."""
        del payload
        self.replies.append(reply)

    def notice(self, text: str) -> None:
        """Tell the user, except that all is well."""
        if not text.startswith("connected"):
            self._notice(text)


class OwnChannel:
    """The device's own MQTT session, while no watcher runs."""

    def __init__(
        self,
        *,
        session: Session,
        device: Device,
        journal: Journal,
        display: RecordingDisplay,
        request_topic: str,
    ) -> None:
        self._session, self._device, self._journal, self._display = session, device, journal, display
        self._request_topic = request_topic

    @property
    def up(self) -> bool:
        """Whether the broker has let us in."""
        return self._session.up

    @property
    def caught_up(self) -> bool:
        """Whether all that is live has come."""
        return self._session.up and self._device.caught_up

    def snapshot(self) -> Snapshot:
        """What is known of the box."""
        return self._journal.snapshot

    def send(self, request: bytes) -> None:
        """Publish a request."""
        self._session.publish(self._request_topic, request)

    def step(self, timeout_s: float) -> list[Reply]:
        """Serve the session, and take the replies that came."""
        self._session.step(timeout_s)
        self._device.tend(self._session)
        replies, self._display.replies = self._display.replies, []
        return replies


class GuestChannel:
    """The connection of a watcher that runs for the same device."""

    up = True
    caught_up = True
    """As far as the watcher is; it says itself when it is not."""

    def __init__(self, sock: socket.socket, *, state: Path) -> None:
        self._sock, self._state = sock, state

    def snapshot(self) -> Snapshot:
        """What the watcher has on record; raises StateError."""
        return look(self._state)

    def send(self, request: bytes) -> None:
        """Pass a request to the watcher."""
        try:
            self._sock.send(request)
        except OSError as error:
            raise RequestError("the watcher that passed on the request has ended; try again") from error

    def step(self, timeout_s: float) -> list[Reply]:
        """Take the replies that the watcher passed on."""
        if not select.select([self._sock], (), (), timeout_s)[0]:
            return []
        try:
            packet = self._sock.recv(PACKET_BYTES)
        except OSError:
            packet = b""
        if not packet:
            raise RequestError("the watcher that passed on the request has ended; try again")
        try:
            return [decode_reply(packet)]
        except ContractError:
            return []


def fetch(
    download: Download,
    channel: Channel,
    *,
    clock: Callable[[], float],
    progress: Callable[[int, int | None], None],
) -> None:
    """Run a download to its end, telling `progress` the bytes so far and in all.

    Raises RequestError when the bridge refuses or stays silent, LoginRefusedError.
    """
    was_up = channel.up
    while not download.done:
        now = clock()
        if channel.up and not was_up:
            download.resumed(now)
        was_up = channel.up
        request = download.request(now) if channel.up else None
        if request is not None:
            channel.send(request)
        download.check_patience(now)
        for reply in channel.step(max(0.0, download.due_at(up=channel.up) - now)):
            download.answered(reply, now=clock())
        progress(download.have, download.total)
