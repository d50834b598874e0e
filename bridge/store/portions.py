"""All users, some at a time by their ids: so that of very many none is waited for long, whatever is asked of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bridge.store.engine import StoreConnection

T = TypeVar("T")

AT_ONCE = 50_000
"""Users that a count goes through at once: some ten milliseconds, in which nobody else can look into the store."""
LAST_USER = 2**63 - 1
ALL = (0, LAST_USER)
"""Behind which id, and up to which: everybody."""
LAST_OF = "SELECT max(user_id) FROM (SELECT user_id FROM user WHERE user_id > ? ORDER BY user_id LIMIT ?) AS w"


class Lookable(Protocol):
    """What is asked of a store."""

    def read(self, look: Callable[..., T], *arguments: Any, **options: Any) -> Awaitable[T]:
        """What a look at the database returns; raises store errors."""


def last_of(connection: StoreConnection, behind: int, users: int) -> int | None:
    """The last of so many users behind one; None when there are no others behind."""
    last: int | None = connection.execute(LAST_OF, (behind, users)).fetchone()[0]
    if last is None or connection.execute(LAST_OF, (last, 1)).fetchone()[0] is None:
        return None
    return last


async def everybody(store: Lookable) -> AsyncIterator[tuple[int, int]]:
    """Portions of all users: behind which id, and up to which. Raises store errors."""
    behind: int | None = 0
    while behind is not None:
        last = await store.read(last_of, behind, AT_ONCE)
        yield behind, LAST_USER if last is None else last
        behind = last
