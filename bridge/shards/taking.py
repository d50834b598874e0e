"""What waits for some shards, read for the pump that owns them.

Each look also says how far the sequence is from which all that waits has its place: whatever it found is no further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.store import grouped_outbox, grouped_outbox_at

if TYPE_CHECKING:
    from bridge.contract.publication import Publication
    from bridge.store.stretch import Stretch

LAST = "SELECT last_value FROM waiting"


def take_messages(connection: Any, /, **options: Any) -> tuple[list[Publication], int]:
    """The first waiting messages and events, as `grouped_outbox.take_messages`."""
    found = grouped_outbox.take_messages(connection, **options)
    return found, _last(connection)


def take_views(connection: Any, /, **options: Any) -> tuple[list[Publication], int]:
    """The first waiting views, as `grouped_outbox.take_views`."""
    found = grouped_outbox.take_views(connection, **options)
    return found, _last(connection)


def take_messages_at(connection: Any, /, **options: Any) -> tuple[Stretch, int]:
    """Those of one cell, as `grouped_outbox_at.take_messages`."""
    walk = grouped_outbox_at.take_messages(connection, **options)
    return walk, _last(connection)


def take_views_at(connection: Any, /, **options: Any) -> tuple[Stretch, int]:
    """Its views, as `grouped_outbox_at.take_views`."""
    walk = grouped_outbox_at.take_views(connection, **options)
    return walk, _last(connection)


def waiting_messages_at(connection: Any, /, **options: Any) -> int:
    """How many wait there, as `grouped_outbox_at.waiting_messages`."""
    return grouped_outbox_at.waiting_messages(connection, **options)


def _last(connection: Any) -> int:
    [(seq,)] = connection.execute(LAST).fetchall()
    return int(seq)
