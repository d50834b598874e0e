"""Devices that sleep: they are never connected, and rung by a push service that is no better than others."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.crash.history import Rung
from tests.support.push_service import HOST, Device, PushService, Reaction

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.model import Subscription
    from tests.crash.history import History
    from tests.support.push_service import Post

MOST_MESSAGES = 400
"""A device is rung some twenty times a second: there are none where more mail comes."""
_TAKES, _BUSY, _SILENT = Reaction(), Reaction(status=503, fields=(("Retry-After", "1"),)), Reaction(status=0)


class Sleepers(PushService):
    """The push service, and the sleeping device of each user behind it; a context manager.

    Until it is healed it is too busy for some, and takes some of which it never says so.
    """

    def __init__(self, directory: Path, users: tuple[str, ...], *, history: History, seed: int) -> None:
        super().__init__(directory / "push")
        self._chance = random.Random(seed)
        self._history = history
        self._devices = {user: Device() for user in users}
        self._healed = False
        self._taken: list[Post] = []

    def subscription(self, user: str) -> Subscription:
        """Where the device of a user is rung."""
        return self._devices[user].at(self.endpoint(user))

    def environment(self) -> dict[str, str]:
        """What has the bridge trust the service, and go there."""
        return {
            "SSL_CERT_FILE": str(self.chain),
            "POSTBELL_PUSH__ALLOW": HOST,
            "POSTBELL_PUSH__SUBJECT": "mailto:root@example.org",
        }

    def heal(self) -> None:
        """From now on nothing goes wrong any more."""
        with self._lock:
            self._healed = True

    def report(self) -> None:
        """Write down what the devices were told."""
        for post in self._taken:
            user = post.path.rpartition("/")[2]
            told = self._devices[user].shown(post)["tag"]
            self._history.add(Rung(f"{user}/sleeper", told, post.fields["Topic"]))

    def _take(self, post: Post) -> Reaction:
        with self._lock:
            reaction = _TAKES if self._healed else self._chance.choices((_TAKES, _BUSY, _SILENT), (18, 1, 1))[0]
            if reaction is not _BUSY:
                self._taken.append(post)
            return reaction
