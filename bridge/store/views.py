"""Which of the optional views a user has, as the database keeps them: one text, in the order of the contract."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from bridge.contract import topics

if TYPE_CHECKING:
    from collections.abc import Collection

ALL: Final = frozenset(topics.OPTIONAL_VIEWS)
DISCOVERED: Final = "discovery="
"""What stands before the name of each device for which Home Assistant is told of the user."""


@lru_cache(maxsize=64)
def parse(text: str) -> frozenset[str]:
    """The views that are switched on. Cached: the outbox reads them with every row."""
    return frozenset(text.split(",")) - {""}


def write(views: Collection[str]) -> str:
    """The text to keep for these views, and the devices behind them."""
    devices = sorted(each for each in views if each.startswith(DISCOVERED))
    return ",".join([*(view for view in topics.OPTIONAL_VIEWS if view in views), *devices])
