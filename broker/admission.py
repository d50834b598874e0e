"""Who may connect at all: counts of connections, failed logins and lines in the log, by address. Pure."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass

_WINDOW_S = 60.0  # for which what an address did is counted
_ADDRESSES = 10_000  # of which something is counted; beyond, the oldest is forgotten
_TOLD = 64  # connections over a bound that are told so; each holds a file descriptor until it has taken its CONNACK
_FLOODS = 3  # of strangers from one address in that time, before others from there have to wait
_FLOOD_S = 0.05  # that they wait for each
_LONGEST_S = 2.0
_LINES = 10  # of the log that those who are turned away from one address fill in that time


@dataclass(slots=True)
class _Tally:
    since_at: float
    count: int = 0


class _Tallies:
    """What each address did of late, for so many addresses."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, _Tally] = OrderedDict()

    def count(self, address: str, now: float) -> int:
        """Count once more; how often it was since the window began."""
        tally = self._by_address.get(address)
        if tally is None or now - tally.since_at >= _WINDOW_S:
            self._by_address.pop(address, None)
            tally = self._by_address[address] = _Tally(now)
            if len(self._by_address) > _ADDRESSES:
                self._by_address.popitem(last=False)
        tally.count += 1
        return tally.count

    def counted(self, address: str, now: float) -> int:
        """How often it was since the window began."""
        tally = self._by_address.get(address)
        return 0 if tally is None or now - tally.since_at >= _WINDOW_S else tally.count


class Admission:
    """Bounds on connections, all and from one address, and on what one address may do in a minute."""

    def __init__(self, *, clients: int, clients_per_address: int, login_failures: int) -> None:
        self.use(clients=clients, clients_per_address=clients_per_address, login_failures=login_failures)
        self._present: Counter[str] = Counter()
        self._total = 0
        self._failures = _Tallies()
        self._floods = _Tallies()
        self._lines = _Tallies()

    def __len__(self) -> int:
        return self._total

    def use(self, *, clients: int, clients_per_address: int, login_failures: int) -> None:
        """Have these bounds hold; who is in stays in."""
        self._clients = clients
        self._per_address = clients_per_address
        self._allowed_failures = login_failures

    def enter(self, address: str, *, bounded: bool = True) -> str | None:
        """Count a connection in; `leave` must follow. Returns why it must be refused, or None.

        An address that is not `bounded` is a proxy's, which speaks for many.
        """
        self._total += 1
        self._present[address] += 1
        if self._total > self._clients:
            return "too_many_clients"
        return "too_many_from_address" if bounded and self._present[address] > self._per_address else None

    def may_tell(self, address: str) -> bool:
        """Whether one who has entered over a bound may stay for its answer, or there are enough of them already."""
        return self._total <= self._clients + _TOLD and self._present[address] <= self._per_address + _TOLD

    def leave(self, address: str) -> None:
        """Count a connection out."""
        self._total -= 1
        self._present[address] -= 1
        if not self._present[address]:
            del self._present[address]

    def failed(self, address: str, now: float) -> bool:
        """Count a failed login; whether it is the one that reached the bound."""
        return self._failures.count(address, now) == self._allowed_failures

    def barred(self, address: str, now: float) -> bool:
        """Whether too many logins from the address failed in this minute."""
        return self._failures.counted(address, now) >= self._allowed_failures

    def flooded(self, address: str, now: float) -> None:
        """Count a stranger that was cut off for what it sent, or how much."""
        self._floods.count(address, now)

    def pause_s(self, address: str, now: float) -> float:
        """How long a stranger from the address has to wait before it is heard.

        To be cut off costs whoever floods nothing if he can come again at once, and each coming costs us a handshake.
        """
        floods = self._floods.counted(address, now)
        return min(_LONGEST_S, floods * _FLOOD_S) if floods > _FLOODS else 0.0

    def may_log(self, address: str, now: float) -> bool:
        """Whether one more line about who was turned away from the address belongs into the log."""
        return self._lines.count(address, now) <= _LINES
