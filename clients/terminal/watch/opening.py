"""The journal of a device for who watches it: one at a time, and who comes second is told what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.errors import StateLockedError
from clients.journal.file import Journal

if TYPE_CHECKING:
    from pathlib import Path

    from clients.terminal.settings import Place


def journal_of(place: Place, path: Path) -> Journal:
    """The device's journal; raises StateLockedError with what to do where another watcher has it, and StateError."""
    try:
        return Journal(path)
    except StateLockedError as error:
        raise StateLockedError(
            f"{error}: {place.device} is being watched already, and a login has one connection. Look there, or beside "
            f"it with: postbell inbox {place.device}. A second watcher needs a device of its own: postbell device add"
        ) from error
