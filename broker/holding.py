"""How much the broker keeps for devices that are away, and for how long. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.entries import Bounds


@dataclass(frozen=True, slots=True)
class Holding:
    """`bounds` of each session's queue, bytes for all who are away, and seconds that a session lasts at most."""

    bounds: Bounds
    total: int
    session_s: float
