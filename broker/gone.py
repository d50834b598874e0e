"""In place of a transport that is lost."""

from __future__ import annotations

import asyncio


class GoneTransport(asyncio.Transport):
    """A transport that takes nothing, so that link and lost transport do not hold one another until a collection.

    With TLS that would be half a megabyte a connection.
    """

    def is_closing(self) -> bool:
        """See asyncio.BaseTransport."""
        return True

    def close(self) -> None:
        """See asyncio.BaseTransport."""

    def abort(self) -> None:
        """See asyncio.WriteTransport."""

    def can_write_eof(self) -> bool:
        """See asyncio.WriteTransport."""
        return False

    def get_write_buffer_size(self) -> int:
        """See asyncio.WriteTransport."""
        return 0


GONE = GoneTransport()
