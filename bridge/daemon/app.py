"""The composition root: every part of a bridge is made here and given what it needs; `process.py` runs them."""

from __future__ import annotations

import functools
import random
import time
from typing import TYPE_CHECKING, Any

from bridge.cells import MAIN
from bridge.config import judging
from bridge.daemon import runfile
from bridge.daemon.access import Access
from bridge.daemon.actions import Actions
from bridge.daemon.attendance import EmbeddedAttendance, UnknownAttendance
from bridge.daemon.bodies import Bodies
from bridge.daemon.brokers_reload import reload_broker
from bridge.daemon.cell_map import CellMap
from bridge.daemon.circuit import Circuit, CircuitNeeds
from bridge.daemon.circuits import Circuits
from bridge.daemon.clock import wall_ms
from bridge.daemon.crew import Crew, CrewNeeds, cores, fitting
from bridge.daemon.directory_cache import DirectoryCache
from bridge.daemon.fencing import Fence
from bridge.daemon.fetched import Fetched
from bridge.daemon.figures import BrokerFigures
from bridge.daemon.hearing import Hearing
from bridge.daemon.lifetimes import Lifetimes
from bridge.daemon.listening import ingress_settings
from bridge.daemon.live import Adjustable, worker_settings
from bridge.daemon.logs import Verbosity
from bridge.daemon.mailboxes import Mailboxes, MailboxOptions
from bridge.daemon.moving import moving
from bridge.daemon.notify import Supervisor
from bridge.daemon.other_cell import OtherCell
from bridge.daemon.outside import Outside
from bridge.daemon.posting import Posting
from bridge.daemon.presence import Presence
from bridge.daemon.pushing import Pushing
from bridge.daemon.reload import Reload
from bridge.daemon.uploading import Uploading
from bridge.ingress import Ingress
from bridge.intake import Intake
from bridge.metrics.sys_topics import Figures
from bridge.publish.backoff import Backoff
from bridge.push.delivery import PushDelivery
from bridge.spool import Spool
from bridge.store import logins, pairing
from bridge.store.adapters import Course, Mailbox, NotificationRows
from bridge.store.store import Store
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from bridge.cells import Cell
    from bridge.config.judging import Judgement
    from bridge.config.settings import Settings
    from bridge.daemon.service import Service
    from bridge.daemon.sharing import Sharing
    from bridge.ingress import HandedSockets
    from bridge.intake import Keeper
    from bridge.kept import Committed
    from bridge.publish.target import Target
    from bridge.shards.course import SharedCourse
    from bridge.store.uploads import Uploads

SESSIONS = "sessions.db"
"""The embedded broker's own file in the state directory."""
LISTEN_S = 5.0
"""The longest wait between two tries to listen at an address that is in use or not there."""


class Bridge:
    """The parts of one bridge and how they hang together. Made inside the running loop; the database is there.

    `ready` is called once, when mail can come in and the broker is connected. `supervisor` started this process, and
    may have handed it listening sockets. `judge` reads the configuration again, and `verbosity` is that of the log:
    both for a reload.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ready: Callable[[], None] = lambda: None,
        supervisor: Supervisor | None = None,
        handed: HandedSockets | None = None,
        judge: Callable[[], Judgement] = judging.judge,
        verbosity: Verbosity | None = None,
    ) -> None:
        self.settings = settings
        self.preparing: list[Callable[[Settings], Callable[[], None]]] = []
        """Parts made elsewhere that have to get ready for other settings; what each returns has them hold."""
        self._verbosity = verbosity or Verbosity(settings.log.level)
        given = Adjustable.of(settings)
        self.supervisor = supervisor or Supervisor(monotonic=time.monotonic)
        self.tally = Tally(monotonic=time.monotonic)
        self.store = Store(
            settings.place, now_ms=wall_ms, retention=given.retention, changed=self._committed, node=settings.node
        )
        self.mailbox = Mailbox(self.store, given.terms)
        self.spool = Spool(settings.spool_dir)
        self.uploads = self._make_uploads()
        self.sharing = self._make_sharing()
        """What there is only where several bridges share a database."""
        self.notification_rows = NotificationRows(self.store, days=given.retention.days, now_ms=wall_ms)
        self.posting = Posting(self.store, subject=given.push_subject, allowed=given.push_allowed, now_s=time.time)
        self.delivery = self._make_delivery(given)
        self.pushing = Pushing(self.store, enabled=given.push_options.enabled, allowed=given.push_allowed)
        watched = None if settings.store.url else settings.state_dir
        self.directory = DirectoryCache(store=self.store, place=watched, changed=self._people_changed)
        self.course = self._make_course(given)
        self.lifetimes = self._make_lifetimes(given)
        self.intake = self._make_intake(given)
        self.mailboxes = self._make_mailboxes()
        self.crew = self._make_crew()
        self.ingress = self._make_ingress(handed)
        self.listening: dict[str, str] = {}
        """Where else than for mail it listens: each listener's address by its name."""
        self.awaited: dict[str, str] = {}
        """Why a listener for something else than mail is not open yet, by its name."""
        self.hearing = Hearing(note=self.store.writing(pairing.hear), root=settings.mqtt.root, now_ms=wall_ms)
        self.figures = Figures()
        self.outside = self._make_outside()
        self.access = self._make_access()
        self.shared = self._make_shared()
        self.main = Circuit(
            self.shared, settings, given, cell=None, target=self.access.target, figures=self.figures.take
        )
        self.circuits = self._make_circuits()
        self.presence = self._make_presence()
        self.service = self._make_service(ready)
        self.reload = self._make_reload(judge)
        self.actions = self._make_actions()

    def use(self, settings: Settings) -> None:
        """Have other settings hold, as far as they are live (`live.KEYS`): from the next mail, session and request on.

        Raises ConfigurationError when a certificate cannot be used; then nothing has changed.
        """
        given = Adjustable.of(settings)
        ready = [self.ingress.prepare(given.ingress), *(prepare(settings) for prepare in self.preparing)]
        for use in ready:  # whatever can fail is behind us
            use()
        self.settings = settings
        self.store.retention = given.retention
        self.mailbox.terms = given.terms
        self.course.days = self.notification_rows.days = given.retention.days
        self.circuits.use(given)
        self.intake.reader.beliefs = given.beliefs
        self.lifetimes.keeping, self.lifetimes.most_messages = given.keeping, given.most_messages
        self.lifetimes.review()
        self.delivery.options, self.pushing.enabled = given.push_options, given.push_options.enabled
        self.pushing.allowed = given.push_allowed
        self.posting.use(subject=given.push_subject, allowed=given.push_allowed)
        self._verbosity.set(given.log_level)
        if self.crew is not None:
            self.crew.tell_settings()

    def _committed(self, news: Committed) -> None:
        self.circuits.committed(news)  # made behind the store, whose rows they publish
        self.delivery.wake(rung=news.rung)
        self.mailboxes.committed(news)

    def _told(self, shards: frozenset[int] | None) -> None:
        self.delivery.wake()
        self.mailboxes.told(shards)

    def _people_changed(self) -> None:
        self.circuits.people_changed()
        self.mailboxes.look()
        if self.crew is not None:
            self.crew.tell_people()

    def _full_changed(self) -> None:
        if self.crew is not None:
            self.crew.tell_full()

    def _make_outside(self) -> Outside | None:
        """What keeps another broker's logins, where that is wanted."""
        if not self.settings.mqtt.logins_for:
            return None
        return Outside(
            self.settings,
            revision=self.store.reading(logins.revision),
            read=self.store.reading(logins.list_first),
            admit=self.store.writing(logins.admit_bridge),
        )

    def _opened(self) -> None:
        self.presence.tell()  # made behind the ingress, whose addresses it tells

    def _delay_s(self, attempt: int) -> float:
        return Backoff(longest_s=LISTEN_S).delay_s(attempt, jitter=random.random())  # noqa: S311 - no secret

    def _make_sharing(self) -> Sharing | None:
        """What keeps leases, where the store is one that several bridges can share."""
        settings = self.settings
        if not settings.store.url:
            return None
        from bridge.daemon.sharing import Sharing  # noqa: PLC0415 - for those who have such a store

        fence = Fence(
            target=self._target_at,  # of parts that are made behind this
            passwords=settings.mqtt.nodes_file,
            cluster=settings.mqtt.cluster,
        )
        return Sharing(
            settings.store.url,
            node=settings.node,
            fence=fence.close,
            circuits=lambda: self.circuits.every,
            wake=lambda: self.delivery.wake(),  # noqa: PLW0108 - as above
            told=self._told,
            actions=lambda: self.actions.by_elsewhere(),  # noqa: PLW0108 - as above
            changed=lambda: self.circuits.wake(),  # noqa: PLW0108 - as above
            monotonic=time.monotonic,
        )

    def _target_at(self, cell: int) -> Target:
        """Where the broker of a cell is; raises LinkDownError."""
        return self.access.target() if cell == MAIN else self.circuits.target_at(cell)

    def for_one(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Coroutine[Any, Any, None]:
        """Work that is for one bridge, where several share a store: it is done while it is for this one."""
        return work() if self.sharing is None else self.sharing.while_first(work)

    def _make_delivery(self, given: Adjustable) -> PushDelivery:
        settings = self.settings
        watching = EmbeddedAttendance(
            settings.state_dir / SESSIONS, run_dir=settings.run_dir, root=settings.mqtt.root, now_ms=wall_ms
        )
        return PushDelivery(
            rows=self.notification_rows,
            carrier=self.posting,
            writing=self.posting,
            watching=watching if settings.broker.embedded else UnknownAttendance(),
            options=given.push_options,
            now_s=time.time,
            jitter=random.random,
            tally=self.tally,
        )

    def _make_course(self, given: Adjustable) -> Course | SharedCourse:
        if self.sharing is None:
            return Course(self.store, days=given.retention.days, now_ms=wall_ms)
        from bridge.shards.course import SharedCourse  # noqa: PLC0415 - psycopg, for those who have such a store

        return SharedCourse(self.store, days=given.retention.days, now_ms=wall_ms)

    def _make_lifetimes(self, given: Adjustable) -> Lifetimes:
        return Lifetimes(
            store=self.store,
            course=self.course,
            clear_spool=self.spool.clear,
            keeping=given.keeping,
            most_messages=given.most_messages,
            tally=self.tally,
            now_ms=wall_ms,
            monotonic=time.monotonic,
            counted=self._full_changed,
            for_all=lambda: self.sharing is None or self.sharing.first,
        )

    def _make_intake(self, given: Adjustable) -> Intake:
        return Intake(
            store=self._whole(self.mailbox),
            directory=self.directory,
            discard=self.spool.discard,
            beliefs=given.beliefs,
            full=lambda: self.lifetimes.full,
            tally=self.tally,
        )

    def _make_uploads(self) -> Uploads | None:
        """What takes large bodies into the database, where the store is one."""
        if not self.settings.store.url:
            return None
        from bridge.store.uploads import Uploads  # noqa: PLC0415 - psycopg, for those who have such a store

        return Uploads(self.settings.store.url, read=self.spool.read, now_ms=wall_ms, node=self.settings.node)

    def _whole(self, keeper: Keeper) -> Keeper:
        """A keeper of mail of any size."""
        if self.uploads is None:
            return keeper
        return Uploading(keeper, uploads=self.uploads, discard=self.spool.discard)

    def _make_crew(self) -> Crew | None:
        """The processes that converse and read mail, where such are wanted."""
        wanted = self.settings.bridge.workers
        count = fitting(cores()) if wanted == "auto" else wanted
        if not count:
            return None
        needs = CrewNeeds(
            settings=lambda name: worker_settings(self.settings, name),
            resolve=self.directory.resolve,
            full=lambda: self.lifetimes.full,
            keep=self.intake.keep,
            check_login=self.store.reading(logins.check_sender),
            gone=lambda address: self.ingress.gone(address),  # noqa: PLW0108 - it is made behind this
            connections=lambda: self.ingress.connections,
            tally=self.tally,
        )
        return Crew(
            count=count,
            at_once=wanted != "auto",
            needs=needs,
            backoff=Backoff(),
            jitter=random.random,
            monotonic=time.monotonic,
        )

    def _make_mailboxes(self) -> Mailboxes:
        return Mailboxes(
            store=self.store,
            taking=Fetched(
                store=self.store, mailbox=self.mailbox, spool=self.spool, intake=self.intake, whole=self._whole
            ),
            options=lambda: MailboxOptions(self.settings.imap, self.settings.smtp.max_size),
        )

    def _make_ingress(self, handed: HandedSockets | None) -> Ingress:
        return Ingress(
            intake=self.intake,
            spool=self.spool,
            settings=ingress_settings(self.settings, before=runfile.read(self.settings.run_dir, runfile.BRIDGE)),
            check_login=self.store.reading(logins.check_sender),
            handed=handed,
            tally=self.tally,
            delay_s=self._delay_s,
            changed=self._opened,
            elsewhere=self.crew,
        )

    def _make_presence(self) -> Presence:
        return Presence(
            self.settings.run_dir,
            addresses=lambda: self.ingress.addresses | self.listening,
            awaited=lambda: self.ingress.awaited | self.awaited,
            connected=self.main.connected,
            cells=lambda: self.circuits.connected,
            status=self.supervisor.status,
        )

    def _make_service(self, ready: Callable[[], None]) -> Service:
        figures = self.settings.http.listen or self.settings.broker.embedded
        beside = {"figures": BrokerFigures(self.figures).listen} if figures else {}
        return self.main.service(presence=self.presence, ready=ready, beside=beside)

    def _make_shared(self) -> CircuitNeeds:
        return CircuitNeeds(
            store=self.store,
            mailbox=self.mailbox,
            pushing=self.pushing,
            directory=self.directory,
            load=Bodies(self.spool).load,
            heard=self.hearing.heard,
            tally=self.tally,
            sharing=self.sharing,
        )

    def _make_circuits(self) -> Circuits:
        return Circuits(
            self.shared,
            self.main,
            make=self._make_cell,
            proxies=CellMap(self.settings.cell_map, haproxy=self.settings.cells.haproxy),
            files=self.outside.files if self.outside else None,
        )

    def _make_cell(self, cell: Cell) -> OtherCell:
        given = Adjustable.of(self.settings)
        return OtherCell(self.shared, self.settings, given, cell=cell, presence=self.presence)

    def _make_reload(self, judge: Callable[[], Judgement]) -> Reload:
        return Reload(
            judge=judge,
            current=lambda: self.settings,
            use=self.use,
            tell_broker=functools.partial(reload_broker, self.settings.run_dir),
            supervisor=self.supervisor,
        )

    def _make_access(self) -> Access:
        return Access(
            self.settings,
            grant=self.store.writing(logins.grant_bridge),
            renew=self.store.writing(logins.renew_node),
            own=self.outside.own if self.outside else None,
        )

    def _make_actions(self) -> Actions:
        return Actions(
            main=self.main,
            circuits=self.circuits,
            directory=self.directory,
            reload=self.reload,
            figures=lambda: moving(self.tally, self.figures.figures()),
            access=self.access,
            mailboxes=self.mailboxes.standings,
        )
