"""The brokers that Postbell is run against, each by its name, and the MQTT that each speaks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.mosquitto import Mosquitto
from tests.support.nats import nats

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEWEST = {"mosquitto": "5", "nats": "3.1.1"}
"""The newest MQTT of each that others make."""


@contextmanager
def outside(name: str, directory: Path) -> Iterator[int]:
    """Run one of them until the block ends, open for everybody; its port."""
    if name == "nats":
        with nats(directory) as port:
            yield port
    else:
        with Mosquitto(directory) as broker:
            yield broker.port
