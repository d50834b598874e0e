"""What the ingress needs from the rest of the bridge, and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.model import Body, Envelope, Recipient
    from bridge.reply import Reply


class Intake(Protocol):
    """Where mail goes that the ingress has received completely."""

    def known(self, address: str) -> Recipient | None:
        """Whose address this is, if that can be said at once, else it has to be looked up; raises SmtpError."""

    async def resolve(self, address: str) -> Recipient:
        """Whose address this is; raises SmtpError."""

    async def accept(self, envelope: Envelope) -> tuple[Reply, ...]:
        """Keep a mail; one reply for each of `envelope.recipients`, in their order.

        A 2xx reply says that the mail is on stable storage for that recipient. When not one reply
        is a 2xx, nothing was kept and the ingress removes the spool file `envelope.body.spooled`;
        otherwise that file belongs to whoever accepted. Raises no SmtpError. When it fails with a
        defect or is cancelled, the file stays where it is until the next sweep of the spool.
        """


class ArrivingMessage(Protocol):
    """A message whose data is coming in. Not for use by two tasks at once."""

    @property
    def size(self) -> int:
        """Bytes so far."""

    @property
    def in_file(self) -> bool:
        """Whether it is on disk, or on its way there."""

    def take(self, chunk: bytes) -> bool:
        """Append at once; False, and nothing is appended, when memory has no room: then `write`."""

    async def write(self, chunk: bytes) -> None:
        """Append. Raises StoreFullError or StoreUnavailableError; then only `discard` is left."""

    async def finish(self) -> Body:
        """The complete message, on stable storage if it is in a file. Raises as `write`."""

    def whole(self) -> Body:
        """The complete message, of one that is not in a file."""

    def discard(self) -> None:
        """Forget it, finished or not; more than once is no harm."""


class Spool(Protocol):
    """Where messages lie while they arrive."""

    def begin(self) -> ArrivingMessage:
        """A new, empty message; end it with `finish` or `discard`."""


if TYPE_CHECKING:
    LoginCheck = Callable[[str, str], Awaitable[bool]]
    """Whether this username and password may hand in mail; takes its time off the event loop."""
