"""Who may connect at all: counts of connections and of failed logins, by address. Pure."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass

_WINDOW = 60.0  # seconds for which failed logins are counted
_ADDRESSES = 10_000  # with failed logins; beyond, the oldest is forgotten


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0


class Admission:
    """Bounds on connections, all and from one address, and on failed logins from one address a minute."""

    def __init__(self, *, clients: int, clients_per_address: int, login_failures: int) -> None:
        self._clients = clients
        self._per_address = clients_per_address
        self._allowed_failures = login_failures
        self._present: Counter[str] = Counter()
        self._total = 0
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return self._total

    def enter(self, address: str) -> str | None:
        """Count a connection in; `leave` must follow. Returns why it must be refused, or None."""
        self._total += 1
        self._present[address] += 1
        if self._total > self._clients:
            return "too_many_clients"
        return "too_many_from_address" if self._present[address] > self._per_address else None

    def leave(self, address: str) -> None:
        """Count a connection out."""
        self._total -= 1
        self._present[address] -= 1
        if not self._present[address]:
            del self._present[address]

    def failed(self, address: str, now: float) -> bool:
        """Count a failed login; whether it is the one that reached the bound."""
        failures = self._failures.get(address)
        if failures is None or now - failures.since >= _WINDOW:
            self._failures.pop(address, None)
            failures = self._failures[address] = _Failures(now)
            if len(self._failures) > _ADDRESSES:
                self._failures.popitem(last=False)
        failures.count += 1
        return failures.count == self._allowed_failures

    def barred(self, address: str, now: float) -> bool:
        """Whether too many logins from the address failed in this minute."""
        failures = self._failures.get(address)
        if failures is None or now - failures.since >= _WINDOW:
            return False
        return failures.count >= self._allowed_failures
