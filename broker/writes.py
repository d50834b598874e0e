"""What is written to clients goes out together: one system call, and one TLS record, for all that came at once.

Each would cost as much for a small packet as for sixty, and more than all else that is done for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Flushable(Protocol):
    """A connection that keeps what is written to it."""

    def flush(self) -> None:
        """Hand it over to the network."""


class Writes:
    """The connections that keep something. `call_soon` runs a callback in the loop's next step."""

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._keeping: list[Flushable] = []
        self._called = False

    def add(self, link: Flushable) -> None:
        """Something was written: it goes out with the next `flush`, and with the loop's next step at the latest."""
        if not self._called:
            self._called = True
            self._call_soon(self._step)
        self._keeping.append(link)

    def flush(self) -> None:
        """Have all that was written go out."""
        keeping = self._keeping
        try:
            while keeping:
                keeping.pop().flush()
        finally:  # what fails is one connection's defect, and must not hold up the others
            if keeping and not self._called:
                self._called = True
                self._call_soon(self._step)

    def _step(self) -> None:
        self._called = False
        self.flush()
