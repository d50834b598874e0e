"""A whole Postbell for benchmarks: in processes of its own, with many users, and counted at every place."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.bench import processor
from bridge.daemon import control
from bridge.store import amounts, logins, offline, pairing, people
from tests.bench.onlooker import Onlooker
from tests.bench.result import agree
from tests.integration.test_reconcile import fill
from tests.support.system import System
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ADDRESS = "u@example.org"
"""The mail addresses are this one and those with a number before it, as smtp-source has them."""
ROOM = {"POSTBELL_LOG__LEVEL": "warning", "POSTBELL_BODY__QUOTA": "10G", "POSTBELL_SMTP__MAX_SIZE": "64M"}


@dataclass(frozen=True)
class Whole:
    """One that runs."""

    system: System
    onlooker: Onlooker
    logins: dict[str, tuple[str, str]]
    """Of the device of each user."""
    before: dict[str, int]
    """Mails that were in the store and acknowledged when it began."""

    @property
    def smtp(self) -> tuple[str, int]:
        host, _, port = self.system.facts("bridge")["smtp"].rpartition(":")
        return host, int(port)

    @property
    def mqtt(self) -> tuple[str, int]:
        return "127.0.0.1", self.system.mqtt_port()

    def used_s(self) -> tuple[float, float]:
        """Seconds of processor time so far, of the bridge and of its broker."""
        broker = processor.family(self.system.facts("broker")["pid"])
        bridge = processor.family(self.system.facts("bridge")["pid"]) - broker
        used = processor.used_s(bridge), processor.used_s(broker)
        assert used[0] is not None, "the bridge has ended"
        assert used[1] is not None, "the broker has ended"
        return used[0], used[1]

    def check(self, what: str, expected: int) -> None:
        """Raise MiscountError unless so many came since the start: kept, acknowledged, seen once, and nothing waits."""
        self.onlooker.settled(expected)
        self.system.wait_drained()
        counted = {name: count - self.before[name] for name, count in counts(self.system).items()}
        topics = self.onlooker.topics()
        agree(what, expected, **counted, received=len(topics), different=len(set(topics)))


def counts(system: System) -> dict[str, int]:
    """Mails in the store, and headers that the broker acknowledged since the start."""
    with offline.reading(system.state_dir / "postbell.db") as connection:
        kept = amounts.live_messages(connection)
    return {"kept": kept, "acknowledged": control.ask(system.state_dir / "run", {"do": "figures"})["headers"]}


@contextmanager
def postbell(settings: Mapping[str, str], *, users: int = 1, addresses: int = 1, before: int = 0) -> Iterator[Whole]:
    """One with so many users, who take turns at so many numbered addresses, and so many mails of others already."""
    with tempfile.TemporaryDirectory() as directory, System(Path(directory), **ROOM | dict(settings)) as system:
        if before:
            fill(system, users=before // 100, mails=100)
        found, admin = populate(system, users, addresses)
        system.serve()
        until(lambda: system.waiting() == 0, what="all to be published", patience_s=3600)
        # Else what comes in while the first comparison runs is published twice.
        control.ask(system.state_dir / "run", {"do": "reconcile", "dry_run": False}, deadline_s=600)
        system.wait_drained()
        topic = "mail/u0/msg/+" if users == 1 else "mail/+/msg/+"
        with Onlooker(("127.0.0.1", system.mqtt_port()), topic, login=("looker", admin)) as onlooker:
            yield Whole(system, onlooker, found, counts(system))


def populate(system: System, users: int, addresses: int) -> tuple[dict[str, tuple[str, str]], str]:
    """Users u0 … with a device each: their logins, and the password of an administrator `looker`."""
    now_ms, path = time.time_ns() // 1_000_000, system.state_dir / "postbell.db"
    found = {}
    with offline.transaction(path, now_ms=now_ms, count=1000, days=7) as transaction:
        for number in range(users):
            numbers = range(number + 1, addresses + 1, users)
            named = [ADDRESS] if not number else []
            people.add_user(transaction, f"u{number}", [*named, *(f"{each}{ADDRESS}" for each in numbers)])
            found[f"u{number}"] = (f"u{number}.phone", pairing.add_device(transaction, f"u{number}", "phone"))
        return found, logins.add_admin(transaction, "looker")
