"""The composition root: every part of a bridge is made here and given what it needs; `process.py` runs them."""

from __future__ import annotations

import random
import secrets
import time
from typing import TYPE_CHECKING

from bridge.daemon import runfile
from bridge.daemon.access import Access
from bridge.daemon.actions import Actions
from bridge.daemon.bodies import Bodies
from bridge.daemon.clock import wall_ms
from bridge.daemon.connected import Connected
from bridge.daemon.directory_cache import DirectoryCache
from bridge.daemon.hearing import Hearing
from bridge.daemon.inbound import Inbound
from bridge.daemon.lifetimes import Lifetimes
from bridge.daemon.listening import ingress_settings
from bridge.daemon.notify import Supervisor
from bridge.daemon.presence import Presence
from bridge.daemon.service import Service
from bridge.ingress import Ingress
from bridge.intake import Intake
from bridge.publish.backoff import Backoff
from bridge.publish.link import Link
from bridge.publish.outbox import Outbox
from bridge.publish.replay import Replay
from bridge.requests.requests import Requests
from bridge.spool import Spool
from bridge.store import logins, people
from bridge.store.adapters import Course, Mailbox, OutboxRows, StoredTruth
from bridge.store.bodies import Keeping
from bridge.store.live import Retention
from bridge.store.messages import Terms
from bridge.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.config.settings import Settings
    from bridge.ingress import HandedSockets


class Bridge:
    """The parts of one bridge and how they hang together. Made inside the running loop; the database is there.

    `ready` is called once, when mail can come in and the broker is connected. `supervisor` started this process, and
    may have handed it listening sockets.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ready: Callable[[], None] = lambda: None,
        supervisor: Supervisor | None = None,
        handed: HandedSockets | None = None,
    ) -> None:
        self.settings = settings
        self.supervisor = supervisor or Supervisor(monotonic=time.monotonic)
        self.store = Store(
            settings.database,
            now_ms=wall_ms,
            retention=Retention(settings.retain.count, settings.retain.days),
            changed=self._committed,
        )
        self.mailbox = Mailbox(self.store, Terms(settings.limits.payload, settings.spam.action))
        self.spool = Spool(settings.spool_dir)
        self.outbox = Outbox(
            rows=OutboxRows(self.store, days=settings.retain.days, now_ms=wall_ms),
            root=settings.mqtt.root,
            window=settings.mqtt.window,
            monotonic=time.monotonic,
        )
        self.directory = DirectoryCache(store=self.store, changed=self.outbox.wake)
        self.lifetimes = self._make_lifetimes()
        self.ingress = self._make_ingress(handed)
        self.replay = self._make_replay()
        self.connected = Connected()
        self.listening: dict[str, str] = {}
        """Where else than for mail it listens: each listener's address by its name."""
        self.presence = Presence(
            settings.run_dir,
            addresses=lambda: self.ingress.addresses | self.listening,
            connected=self.connected,
            status=self.supervisor.status,
        )
        self.hearing = Hearing(note=self.store.writing(people.hear), root=settings.mqtt.root, now_ms=wall_ms)
        self.inbound = Inbound(
            requests=self._make_requests(), replay=self.replay, heard=self.hearing.heard, root=settings.mqtt.root
        )
        self.service = Service(
            connected=self.connected,
            presence=self.presence,
            inbound=self.inbound,
            replay=self.replay,
            outbox=self.outbox,
            ready=ready,
        )
        self.actions = Actions(connected=self.connected, replay=self.replay, directory=self.directory)
        self.access = Access(settings, grant=self.store.writing(logins.grant_bridge))
        self.link = self._make_link()

    def _committed(self) -> None:
        self.outbox.wake()  # made behind the store, whose rows it publishes

    def _make_lifetimes(self) -> Lifetimes:
        body = self.settings.body
        return Lifetimes(
            store=self.store,
            course=Course(self.store, days=self.settings.retain.days, now_ms=wall_ms),
            discard=self.spool.discard,
            keeping=Keeping(body.days, body.quota, body.total, body.headers_days),
            most_messages=self.settings.limits.messages,
            now_ms=wall_ms,
            monotonic=time.monotonic,
        )

    def _make_ingress(self, handed: HandedSockets | None) -> Ingress:
        intake = Intake(
            store=self.mailbox,
            directory=self.directory.current,
            discard=self.spool.discard,
            authserv_ids=frozenset(self.settings.smtp.authserv_ids),
            spam_headers=self.settings.spam.headers,
            received_limit=self.settings.limits.received,
            full=lambda: self.lifetimes.full,
        )
        return Ingress(
            intake=intake,
            spool=self.spool,
            settings=ingress_settings(self.settings, before=runfile.read(self.settings.run_dir, runfile.BRIDGE)),
            check_login=self.store.reading(logins.check_sender),
            handed=handed,
        )

    def _make_replay(self) -> Replay:
        return Replay(
            store=StoredTruth(self.store),
            outbox=self.outbox,
            root=self.settings.mqtt.root,
            node=self.settings.node,
            count=self.settings.retain.count,
            days=self.settings.retain.days,
            now_ms=wall_ms,
            new_token=secrets.token_hex,
        )

    def _make_requests(self) -> Requests:
        return Requests(
            store=self.mailbox,
            directory=self.directory.current,
            load=Bodies(self.spool).load,
            reply=self.connected.reply,
            root=self.settings.mqtt.root,
            chunk=self.settings.limits.chunk,
            rate=self.settings.limits.request_rate,
            monotonic=time.monotonic,
        )

    def _make_link(self) -> Link:
        return Link(
            target=self.access.target,
            node=self.settings.node,
            keepalive_s=self.settings.mqtt.keepalive,
            mqtt5=self.settings.mqtt.version == "5",
            backoff=Backoff(),
            jitter=random.random,
            on_message=self.inbound.take,
        )
