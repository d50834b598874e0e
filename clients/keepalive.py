"""When to ping, and when a connection is dead: the longest silence that a network survives, by search.

CONNECT declares the ceiling [MQTT-3.1.2-22] and pings come earlier, so the interval changes within a connection.
The rule is in docs/protocol.md ("Keepalive"); clients/micropython/postbell.py has it for boards. Pure but for clocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CEILING_S = 1800
"""What CONNECT declares where the interval is searched for: brokers give up after one and a half times that."""
LONGEST_S = 1740
"""No ping comes later: NATs that mean well forget after half an hour or more."""
START_S = 240
SHORTEST_S = 30
LOOK_AGAIN_MS = 7 * 86_400_000
"""After so long what failed is tried once more: networks change for the better, too."""
ANSWER_S = 20.0
"""So long a ping has for its answer."""


@dataclass(frozen=True, slots=True)
class Endured:
    """What is known of a network: `low_s` idle seconds were survived, `high_s` were not (0: not known).

    `found_ms` is when the latter was seen, in Unix milliseconds.
    """

    low_s: int = 0
    high_s: int = 0
    found_ms: int = 0

    def differs(self, other: Endured) -> bool:
        """Whether it is worth writing down in the other's place."""
        return abs(self.low_s - other.low_s) * 20 > other.low_s or self.high_s != other.high_s


UNKNOWN = Endured()
"""Nothing is known."""


@dataclass(frozen=True, slots=True)
class Network:
    """Where a device is connected now, by a name that is the same when it comes back, and what is known of it."""

    name: str = ""
    found: Endured = UNKNOWN


class Search:
    """Which interval comes next. `now_ms` is Unix time, of which only differences count."""

    def __init__(self, found: Endured = UNKNOWN) -> None:
        self.found = found
        self._halved = False

    def interval_s(self, now_ms: int) -> int:
        """After so long without traffic send a ping.

        By half as much again as was survived, up to LONGEST_S; then the middle, until both are within a tenth or half
        a minute.
        """
        low, high = self.found.low_s, self.found.high_s
        if not high:
            return min(low * 3 // 2, LONGEST_S) if low else START_S
        if self._halved:
            return low
        if high - low > max(30, low // 10):
            return max((low + high) // 2, SHORTEST_S)
        if now_ms < self.found.found_ms:  # the clock was set back
            self.found = Endured(low, high, now_ms)
        if now_ms - self.found.found_ms >= LOOK_AGAIN_MS:
            return min(high, LONGEST_S)
        return max(low, SHORTEST_S)

    def survived(self, idle_s: float) -> None:
        """Something came after so long without traffic: the answer to a ping, or mail."""
        idle = int(idle_s)
        if idle >= self.found.low_s:
            self._halved = False
            high = self.found.high_s if self.found.high_s > idle else 0
            self.found = Endured(min(idle, CEILING_S), high, self.found.found_ms)

    def died(self, idle_s: float, now_ms: int) -> None:
        """A ping after so long without traffic was never answered. At or below `low_s` the network has changed."""
        idle, low, high = int(idle_s), self.found.low_s, self.found.high_s
        if idle <= low:
            low = max(idle // 2, SHORTEST_S)
            self._halved = True
        self.found = Endured(low, min(high or idle, max(idle, SHORTEST_S)), now_ms)


class Keepalive:
    """The pings of one device's connections, one after the other.

    `clock` gives seconds that only grow, `wall_ms` Unix milliseconds. With `fixed_s` nothing is searched for: a ping
    comes after so long without traffic.
    """

    def __init__(self, *, clock: Callable[[], float], wall_ms: Callable[[], int], fixed_s: int | None = None) -> None:
        self._clock, self._wall_ms, self._fixed_s = clock, wall_ms, fixed_s
        self._search = Search()
        self._network: str | None = None
        self._bound_s = float(CEILING_S)
        self._traffic_at = clock()
        self._suspect_s: float | None = None
        """The idle time before the ping that waits for its answer."""
        self._answer_at = 0.0
        self._accused_s: float | None = None
        """The idle time that seems to have cost the last connection."""

    @property
    def found(self) -> Endured:
        """What is known of the network that the device is in."""
        return self._search.found

    @property
    def interval_s(self) -> float:
        """After so long without traffic a ping is sent."""
        if self._fixed_s is not None:
            return min(self._fixed_s, self._bound_s)
        return min(self._search.interval_s(self._wall_ms()), self._bound_s)

    @property
    def due_s(self) -> float:
        """How long there is nothing to do: then a ping is due or, if one waits, the connection `dead`."""
        due_at = self._traffic_at + self.interval_s if self._suspect_s is None else self._answer_at
        return max(0.0, due_at - self._clock())

    @property
    def waits(self) -> bool:
        """Whether a ping waits for its answer."""
        return self._suspect_s is not None

    @property
    def stale(self) -> bool:
        """Whether a ping should go before whatever is sent now, which must not hide that the connection is dead."""
        return self._suspect_s is None and self._clock() - self._traffic_at >= min(SHORTEST_S, self.interval_s)

    # --- what happens -----------------------------------------------------------------------------

    def connected(self, network: Network, *, bound_s: int = 0) -> None:
        """CONNACK has come on this network; `bound_s` is the longest silence that the broker grants, 0 if it says none.

        If this was the first try after an unanswered ping, the network was there and had forgotten the connection.
        """
        if network.name != self._network:
            self._network, self._search = network.name, Search(network.found)
        elif self._accused_s is not None:
            self._search.died(self._accused_s, self._wall_ms())
        self._bound_s = float(bound_s or CEILING_S)
        self._traffic_at, self._suspect_s, self._accused_s = self._clock(), None, None

    def sent(self, *, ping: bool = False) -> None:
        """A packet goes out. A ping never moves the deadline of the one before it."""
        now = self._clock()
        if ping and self._suspect_s is None:
            self._suspect_s = now - self._traffic_at
            self._answer_at = now + min(ANSWER_S, self.interval_s)
        self._traffic_at = now

    def heard(self, *, pong: bool = False) -> None:
        """A packet came. While a ping waits it is a sign of life, but only the answer says how long was survived."""
        now = self._clock()
        if self._suspect_s is None:
            self._search.survived(now - self._traffic_at)
        elif pong:
            self._search.survived(self._suspect_s)
            self._suspect_s = None
        else:
            self._answer_at = now + min(ANSWER_S, self.interval_s)
        self._traffic_at = now

    def lost(self) -> None:
        """The connection is lost. If a ping waited, its idle time may be why."""
        self._accused_s, self._suspect_s = self._suspect_s, None

    def forgive(self) -> None:
        """The connection ends, or did not come about, for another reason: the machine slept, the network is away."""
        self._accused_s = self._suspect_s = None
