"""What waits for some shards, read for the pump that owns them.

Each look also says how far the sequence is from which all that waits has its place: whatever it found is no further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.store import grouped_outbox

if TYPE_CHECKING:
    from bridge.contract.publication import Publication

LAST = "SELECT last_value FROM waiting"


def take_messages(connection: Any, /, **options: Any) -> tuple[list[Publication], int]:
    """The first waiting messages and events, as `grouped_outbox.take_messages`."""
    found = grouped_outbox.take_messages(connection, **options)
    return found, _last(connection)


def take_views(connection: Any, /, **options: Any) -> tuple[list[Publication], int]:
    """The first waiting views, as `grouped_outbox.take_views`."""
    found = grouped_outbox.take_views(connection, **options)
    return found, _last(connection)


def _last(connection: Any) -> int:
    [(seq,)] = connection.execute(LAST).fetchall()
    return int(seq)
