"""The installation that a run hits: state directory, users with their devices, logins, addresses."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.store import logins, offline, pairing, people, subscriptions
from tests.crash.messages import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.model import Subscription

USERS = ("alice", "bob")
TERMINAL, PHONE, SLEEPER = "terminal", "phone", "sleeper"
BRIDGE, OBSERVER = "bridge", "observer"


@dataclass(slots=True)
class Site:
    """One state directory with alice and bob, each with a terminal and a phone.

    `passwords` maps MQTT usernames to passwords: the store's own, so the embedded broker knows them,
    and other brokers are told.
    """

    directory: Path
    live_count: int
    users: tuple[str, ...] = USERS
    nodes: tuple[str, ...] = (BRIDGE,)
    """The processes that are bridges, by the names of their MQTT logins, too."""
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def database(self) -> Path | str:
        """Where the store is."""
        return self.state / "postbell.db"

    @property
    def devices(self) -> dict[str, tuple[str, ...]]:
        """The devices of each user, as `user/device`."""
        return {user: (f"{user}/{TERMINAL}", f"{user}/{PHONE}") for user in self.users}

    def prepare(self, rung_at: Callable[[str], Subscription] | None = None) -> None:
        """Make the database with its people; each has a device more, that sleeps, if it is said where that is rung."""
        self.state.mkdir(parents=True, exist_ok=True)
        now_ms = time.time_ns() // 1_000_000
        with offline.transaction(self.database, now_ms=now_ms, count=self.live_count, days=7) as transaction:
            for user in self.users:
                people.add_user(transaction, user, [f"{user}@{DOMAIN}"])
                for device in (TERMINAL, PHONE):
                    self.passwords[f"{user}.{device}"] = pairing.add_device(transaction, user, device)
                if rung_at is not None:
                    pairing.add_device(transaction, user, SLEEPER)
                    subscriptions.put(
                        transaction, people.user_id_of(transaction.connection, user), SLEEPER, rung_at(user)
                    )
            self.passwords[OBSERVER] = logins.grant(transaction, OBSERVER, label="checker", role="admin")
            for node in self.nodes:
                self.passwords[node] = logins.grant(transaction, node, label="checker", role="bridge")
        for username, password in self.passwords.items():
            self.password_file(username).write_text(password)

    def password_file(self, username: str) -> Path:
        return self.directory / f"{username}.password"

    def environment(self) -> dict[str, str]:
        """What every process of this installation is told."""
        return {
            "POSTBELL_STATE_DIR": str(self.state),
            "POSTBELL_SMTP__LISTEN": "127.0.0.1:0",
            "POSTBELL_LMTP__LISTEN": "127.0.0.1:0",
            "POSTBELL_BROKER__LISTEN": "127.0.0.1:0",
            "POSTBELL_RETAIN__COUNT": str(self.live_count),
            "POSTBELL_LOG__FORMAT": "json",
            "POSTBELL_MQTT__KEEPALIVE": "5",
        }

    def told(self, process: str) -> dict[str, object]:
        """What a process wrote into its run file last."""
        return self.facts(self.state / "run" / f"{process}.json")

    @staticmethod
    def facts(path: Path) -> dict[str, object]:
        """What a run file says."""
        try:
            facts: dict[str, object] = json.loads(path.read_text())
        except (OSError, ValueError):
            return {}
        return facts

    def address(self, process: str, listener: str) -> tuple[str, int] | None:
        """Host and port of a listener, or None while it never listened."""
        text = self.told(process).get(listener)
        if not isinstance(text, str):
            return None
        host, _, port = text.rpartition(":")
        return host, int(port)
