"""A metric: its name, kind, help and labels, and what it is in the readings. Pure. `catalogue.py` has all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bridge.metrics.readings import DiskReadings, Readings, StoreReadings

    Samples = Iterable[tuple[tuple[str, ...], float]]

Kind = Literal["counter", "gauge"]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with all its labels. `samples` gives the values of the labels, and the number."""

    name: str
    kind: Kind
    help: str
    samples: Callable[[Readings], Samples]
    labels: tuple[str, ...] = ()


def one(read: Callable[[Readings], float | None]) -> Callable[[Readings], Samples]:
    """A metric without labels; none at all where there is nothing to tell."""

    def samples(readings: Readings) -> Samples:
        value = read(readings)
        return [] if value is None else [((), value)]

    return samples


def each(read: Callable[[Readings], Mapping[str, float]], *known: str) -> Callable[[Readings], Samples]:
    """A metric with one label; the `known` values are told from the start, so that a first time is seen as a rise."""

    def samples(readings: Readings) -> Samples:
        found = read(readings)
        return [((label,), found.get(label, 0)) for label in (*known, *(each for each in found if each not in known))]

    return samples


def replies(read: Callable[[Readings], Mapping[tuple[int, str], int]]) -> Callable[[Readings], Samples]:
    """A metric of SMTP replies, by code and enhanced code: both are ours, so there are not many."""
    return lambda readings: [((str(code), status), count) for (code, status), count in read(readings).items()]


def stored(read: Callable[[StoreReadings], float]) -> Callable[[Readings], Samples]:
    """A metric of the store; none while the store cannot be read."""
    return one(lambda readings: None if readings.store is None else read(readings.store))


def on_disk(read: Callable[[DiskReadings], float]) -> Callable[[Readings], Samples]:
    """A metric of the disk; none where it cannot be looked at."""
    return one(lambda readings: None if readings.disk is None else read(readings.disk))


def of_broker(name: str) -> Callable[[Readings], Samples]:
    """A figure that the broker publishes of itself; none where it does not."""
    return one(lambda readings: readings.broker.get(name))


def counter(name: str, text: str, samples: Callable[[Readings], Samples], *labels: str) -> Family:
    """What only grows while the process lasts."""
    return Family(f"postbell_{name}_total", "counter", text, samples, labels)


def gauge(name: str, text: str, samples: Callable[[Readings], Samples], *labels: str) -> Family:
    """What goes up and down."""
    return Family(f"postbell_{name}", "gauge", text, samples, labels)
