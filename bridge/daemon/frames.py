"""What bridge and worker say to each other: frames of MessagePack over a socket pair, those of a turn in one write.

A frame is a list of its name and its values. Only the two ends of one release speak with each other, so nothing of it
is for anybody else.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import msgpack

from bridge.errors import MalformedAddressError, UnknownUserError
from bridge.intake import ReadMail
from bridge.model import Body, Envelope, Header, Recipient
from bridge.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Frame = tuple[Any, ...]

_UNBOUNDED = 0
"""A frame is as large as a mail in memory; who says it is a process of our own."""
_ANY_TEXT = "surrogatepass"


class WorkerLine(asyncio.Protocol):
    """One end. `heard` gets each frame, in their order; `lost` is called once when the other end is gone."""

    def __init__(self, *, heard: Callable[[Frame], None], lost: Callable[[], None]) -> None:
        self._heard = heard
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._unpacker = msgpack.Unpacker(use_list=False, max_buffer_size=_UNBOUNDED, unicode_errors=_ANY_TEXT)
        self._packer = msgpack.Packer(autoreset=False, unicode_errors=_ANY_TEXT)
        self._due = False
        self.said = self.heard = 0
        """How many frames, so that what goes another way can say behind which of them it belongs."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand on the frames that are complete."""
        self._unpacker.feed(data)
        for frame in self._unpacker:
            self.heard += 1
            self._heard(frame)

    def connection_lost(self, error: Exception | None) -> None:
        """The other end is gone."""
        del error
        self._transport = None
        self._lost()

    def say(self, *frame: Any) -> None:
        """Send a frame at the end of this turn; to one who is gone nothing is said."""
        if self._transport is None:
            return
        self._packer.pack(frame)
        self.said += 1
        if not self._due:
            self._due = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Hang up, when what was said has gone out."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def _flush(self) -> None:
        self._due = False
        if self._transport is not None:
            self._transport.write(self._packer.bytes())
        self._packer.reset()


def mail(envelope: Envelope, read: ReadMail) -> Frame:
    """A mail that was read, as values."""
    body, header = envelope.body, read.header
    return (
        envelope.sender,
        [(to.address, to.user_id, to.user, to.detail) for to in envelope.recipients],
        (body.head, body.size, body.digest, body.spooled),
        envelope.protocol,
        envelope.peer,
        (
            header.flags,
            header.from_name,
            header.from_address,
            header.subject,
            header.snippet,
            header.size,
            header.detail,
            header.date,
        ),
        read.message_id,
        read.list_id,
    )


def mail_of(values: Frame) -> tuple[Envelope, ReadMail]:
    """A mail that was read, from its values."""
    sender, recipients, body, protocol, peer, header, message_id, list_id = values
    envelope = Envelope(sender, tuple(Recipient(*to) for to in recipients), Body(*body), protocol, peer)
    return envelope, ReadMail(Header(*header), message_id, list_id)


def recipient(found: Recipient | UnknownUserError | MalformedAddressError) -> Frame:
    """Whose an address is, or why it is nobody's, as values."""
    if isinstance(found, Recipient):
        return (found.address, found.user_id, found.user, found.detail)
    return (isinstance(found, UnknownUserError), str(found))


def recipient_of(values: Frame) -> Recipient:
    """Whose an address is, from its values; raises UnknownUserError or MalformedAddressError."""
    if len(values) == 2:
        unknown, why = values
        raise (UnknownUserError if unknown else MalformedAddressError)(why)
    return Recipient(*values)


def replies(some: Sequence[Reply]) -> Frame:
    """Replies, as values."""
    return tuple((reply.code, reply.status, reply.text) for reply in some)


def replies_of(values: Frame) -> tuple[Reply, ...]:
    """Replies, from their values."""
    return tuple(Reply(*each) for each in values)
