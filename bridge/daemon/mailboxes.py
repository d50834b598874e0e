"""The mailboxes that are followed: a task for each folder, made and ended as mailboxes come and go.

What speaks IMAP is imported when the first mailbox is there: most bridges follow none.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from bridge.daemon.clock import wall_ms
from bridge.daemon.mail_events import MailEvents
from bridge.errors import StoreUnavailableError
from bridge.metrics.readings import MailboxReadings
from bridge.publish.backoff import Backoff
from bridge.setup import dovecot_events
from bridge.shards.plan import shard_of
from bridge.store import mailboxes

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.config.sections import Imap
    from bridge.imap.following import Follower
    from bridge.imap.needs import Taking
    from bridge.kept import Committed
    from bridge.mailbox.account import Watched
    from bridge.store.store import Store

AT_LEAST_S, AT_MOST_S = 1.0, 300.0
"""The first wait between two tries to connect, and the longest."""


@dataclass(frozen=True, slots=True)
class MailboxOptions:
    """How mailboxes are followed; a mail that is fetched has `most_bytes` at most."""

    imap: Imap
    most_bytes: int


class Mailboxes:
    """Followers by their folders. `look` has it take up what commands changed, `committed` what was committed."""

    def __init__(self, *, store: Store, taking: Taking, options: Callable[[], MailboxOptions]) -> None:
        """`options` gives how mailboxes are followed, and `taking` takes what is fetched."""
        self._store = store
        self._taking = taking
        self._options = options
        self._followers: dict[Watched, tuple[Follower, asyncio.Task[None]]] = {}
        self._connections = self._marked = 0
        self._changed = asyncio.Event()
        self._tls: ssl.SSLContext | None = None
        self._log = structlog.get_logger()

    @property
    def followers(self) -> list[Follower]:
        """All of them."""
        return [follower for follower, _ in self._followers.values()]

    def look(self) -> None:
        """People, or mailboxes, may have changed."""
        self._changed.set()

    def committed(self, news: Committed) -> None:
        """Something was committed that mailboxes may have to be told."""
        if not self._followers:
            return
        users = news.changed.union(publication.user_id for publication in news.fresh)
        for watched, (follower, _) in self._followers.items():
            if watched.account.user_id in users:
                follower.nudge()

    def told(self, shards: frozenset[int] | None) -> None:
        """The same was committed by another bridge, for users of these shards; it may be of all when None."""
        for watched, (follower, _) in self._followers.items():
            if shards is None or shard_of(watched.account.user_id) in shards:
                follower.nudge()

    def called(self, owner: str) -> None:
        """A mail server of this machine says that a mailbox changed."""
        for watched, (follower, _) in self._followers.items():
            if watched.account.owner == owner:
                follower.call()

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            await self._follow()
        finally:
            self._followers.clear()

    async def _follow(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            events: asyncio.Task[None] | None = None
            while True:
                try:
                    self._compare(tasks, await self._store.read(mailboxes.watched))
                except StoreUnavailableError as error:
                    self._log.warning("mailboxes_wait_for_store", reason=str(error))
                    await asyncio.sleep(AT_LEAST_S)
                    continue
                if events is None and any(watched.account.events for watched in self._followers):
                    box = self._options().imap.events_dir or Path(dovecot_events.BOX)
                    events = tasks.create_task(MailEvents(box, called=self.called).run(), name="mail-events")
                await self._changed.wait()
                self._changed.clear()

    def readings(self) -> MailboxReadings:
        """How they go, for metrics; what folders did that are followed no more counts as well."""
        standings = [follower.standing for follower in self.followers]
        lags = [standing.lag_ms for standing in standings if standing.lag_ms is not None]
        return MailboxReadings(
            states=Counter(standing.state.value for standing in standings),
            connections=self._connections + sum(standing.connections for standing in standings),
            marked=self._marked + sum(standing.marked for standing in standings),
            lag_s=max(lags, default=0) / 1000,
        )

    def standings(self) -> list[dict[str, Any]]:
        """How each goes, for commands."""
        return [
            {
                "folder_id": follower.watched.folder_id,
                "state": follower.standing.state.value,
                "reason": follower.standing.reason,
                "since_ms": follower.standing.since_ms,
                "event_ms": follower.standing.event_ms,
                "lag_ms": follower.standing.lag_ms,
                "down": follower.standing.down(wall_ms()),
            }
            for follower in self.followers
        ]

    def _compare(self, tasks: asyncio.TaskGroup, wanted: list[Watched]) -> None:
        for watched in [watched for watched in self._followers if watched not in wanted]:
            follower, task = self._followers.pop(watched)
            task.cancel()
            self._connections += follower.standing.connections
            self._marked += follower.standing.marked
        for watched in wanted:
            if watched not in self._followers:
                follower = self._follower(watched)
                task = tasks.create_task(follower.run(), name=f"folder-{watched.folder_id}")
                self._followers[watched] = follower, task

    def _follower(self, watched: Watched) -> Follower:
        from bridge.imap.following import Follower, FollowOptions  # noqa: PLC0415
        from bridge.store.followed import FollowedFolders  # noqa: PLC0415

        options = self._options()
        backoff = Backoff(first_s=AT_LEAST_S, longest_s=AT_MOST_S)
        return Follower(
            watched,
            counterparts=FollowedFolders(self._store, now_ms=wall_ms),
            taking=self._taking,
            options=FollowOptions(idle_s=options.imap.idle, poll_s=options.imap.poll, most_bytes=options.most_bytes),
            tls=self._context,
            delay_s=lambda attempt: backoff.delay_s(attempt, jitter=random.random()),  # noqa: S311 - no secret
            now_ms=wall_ms,
            monotonic=time.monotonic,
        )

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = context(self._options().imap)
        return self._tls


def context(settings: Imap) -> ssl.SSLContext:
    """What the certificates of mail servers are held against: the authorities of the system, or those of a file."""
    made = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made
