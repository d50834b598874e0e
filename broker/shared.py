"""What all connections use and none owns: handed to each as one thing, so that a connection stays small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.router import Router
    from broker.sessions import SessionStore
    from broker.settings import BrokerLimits
    from broker.statistics import Statistics
    from broker.turns import Turns
    from broker.writes import Writes


@dataclass(frozen=True, slots=True)
class Shared:
    """The parts of the broker that a connection needs; `limits` are those of its beginning, `clock` is the epoch's."""

    router: Router
    store: SessionStore
    limits: BrokerLimits
    statistics: Statistics
    turns: Turns
    writes: Writes
    clock: Callable[[], float]
