"""What was counted and what it comes to: rates, percentiles, processor time a mail. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Sequence

Value = TypeVar("Value")


class MiscountError(PostbellError):
    """What was counted on the way of the mails does not agree, so there is no figure."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many mails were seen at each place of their way."""

    offered: int
    accepted: int
    """Answered 250."""
    kept: int
    """In the store."""
    acknowledged: int
    """Published, and acknowledged by the broker."""
    received: int
    """Different ones on the device."""
    twice: int
    """Those that the device had more than once."""
    waiting: int
    """What the outbox still holds at the end."""

    def agree(self) -> None:
        """Raise MiscountError unless all that was offered is everywhere once, and nothing is left over."""
        ways = (self.accepted, self.kept, self.acknowledged, self.received)
        if any(seen != self.offered for seen in ways) or self.twice or self.waiting:
            told = ", ".join(f"{number} {name}" for name, number in asdict(self).items())
            raise MiscountError(f"no figure, as the mails do not add up: {told}")


@dataclass(frozen=True, slots=True)
class Spread:
    """How times are spread, in milliseconds."""

    p50_ms: float
    p99_ms: float
    longest_ms: float

    @classmethod
    def of(cls, times_s: Sequence[float]) -> Spread:
        """Of at least one time in seconds."""
        ordered = sorted(times_s)
        return cls(*(round(1000 * percentile(ordered, percent), 3) for percent in (50, 99, 100)))


def percentile(ordered: Sequence[Value], percent: int) -> Value:
    """The least of the values, which are in order, that so many percent of them do not exceed."""
    return ordered[max(1, -(-percent * len(ordered) // 100)) - 1]


@dataclass(frozen=True, slots=True)
class Latency:
    """The way of a mail in time, from the last byte of its data on."""

    mails: int
    mails_a_second: float
    """How many were handed in, about; 0 where each waited for the one before it."""
    to_250: Spread
    to_device: Spread
    """From the 250 on; a device may have a mail before the sender has its 250, which counts as 0."""
    whole: Spread

    @classmethod
    def of(cls, times: Sequence[tuple[float, float, float]], *, mails_a_second: float) -> Latency:
        """Of the moments when each mail was sent, answered, and received, in seconds of one clock."""
        return cls(
            mails=len(times),
            mails_a_second=round(mails_a_second, 1),
            to_250=Spread.of([answered - sent for sent, answered, _ in times]),
            to_device=Spread.of([max(0.0, received - answered) for _, answered, received in times]),
            whole=Spread.of([received - sent for sent, _, received in times]),
        )


@dataclass(frozen=True, slots=True)
class Throughput:
    """How many mails go the whole way in a second, and what they cost."""

    mails: int
    octets: int
    connections: int
    accepted_a_second: float
    on_device_a_second: float
    bridge_ms: float | None
    """Processor time of the bridge for a mail, in milliseconds; None where the system does not tell."""
    broker_ms: float | None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Everything that was measured."""

    directory: str
    """Where the scratch was, so on whose disk its commits went."""
    throughput: Throughput
    idle: Latency
    half_load: Latency
    counted: Counted

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)
