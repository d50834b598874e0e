"""Live sets in PostgreSQL compared with what they should be, of many users in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.box.live_set import horizon
from bridge.store import portions

if TYPE_CHECKING:
    from bridge.box.live_set import Retention

DIFFERENT = """
SELECT user_id FROM (
    SELECT u.user_id, u.live,
        ARRAY(SELECT m.number FROM message m WHERE m.user_id = u.user_id AND m.live = 1 ORDER BY m.number DESC) AS "is",
        ARRAY(SELECT m.number FROM message m WHERE m.user_id = u.user_id AND m.seen = 0 AND m.number >= ?
            ORDER BY m.number DESC LIMIT ?) AS should
    FROM "user" u WHERE u.user_id > ? AND u.user_id <= ?
) box WHERE "is" <> should OR live <> cardinality(should)
"""


def different_of_some(
    connection: Any, /, retention: Retention, *, now_ms: int, behind: int, users: int
) -> tuple[list[int], int | None]:
    """Those of so many users behind one whose live sets are not as they should be, and the last of these users.

    None instead of the last when there are no others behind.
    """
    last = portions.last_of(connection, behind, users)
    until = portions.LAST_USER if last is None else last
    rows = connection.execute(DIFFERENT, (horizon(now_ms, retention.days), retention.count, behind, until)).fetchall()
    return [user_id for (user_id,) in rows], last
