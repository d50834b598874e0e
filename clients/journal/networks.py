"""What the keepalive found on each network, in the device's journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.journal import records
from clients.keepalive import UNKNOWN, Network

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.journal.file import Journal
    from clients.keepalive import Endured


class NetworkMemory:
    """One memory a network. `name_of` names the one that a connection with this local address goes through."""

    def __init__(self, journal: Journal, *, name_of: Callable[[str], str]) -> None:
        self._journal, self._name_of = journal, name_of
        self._name = ""

    def enter(self, address: str) -> Network:
        """Where a connection with this local address is, and what is known of it."""
        self._name = self._name_of(address)
        return Network(self._name, self._journal.snapshot.networks.get(self._name, UNKNOWN))

    def remember(self, found: Endured) -> None:
        """Write down what was found here, when it differs from what is written by more than a twentieth."""
        if found.differs(self._journal.snapshot.networks.get(self._name, UNKNOWN)):
            self._journal.append(records.network(self._name, found))
