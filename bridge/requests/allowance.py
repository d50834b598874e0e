"""How many requests a device may make."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

BURST_S = 4.0
"""A device may save up this many seconds of its rate."""
DEVICES_REMEMBERED = 10_000


@dataclass(slots=True)
class _Allowance:
    tokens: float
    refilled_at: float


class Allowances:
    """How many requests each device may make: `rate` a second, saved up for BURST_S seconds at most.

    The devices that asked longest ago are forgotten first, and begin with a full allowance again. `rate` may be
    replaced at any time.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._by_device: OrderedDict[str, _Allowance] = OrderedDict()

    def spend(self, device: str, *, now: float) -> bool:
        """Take one request from a device's allowance; False when it has none left. `now` never goes back."""
        full = self.rate * BURST_S
        allowance = self._by_device.pop(device, None) or _Allowance(full, now)
        earned = (now - allowance.refilled_at) * self.rate
        allowance.tokens = min(full, allowance.tokens + earned)
        allowance.refilled_at = now
        self._by_device[device] = allowance
        if len(self._by_device) > DEVICES_REMEMBERED:
            self._by_device.popitem(last=False)
        affordable = allowance.tokens >= 1
        if affordable:
            allowance.tokens -= 1
        return affordable
