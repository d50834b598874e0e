"""The composition root: settings in, a running broker out, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from broker import logs
from broker.acl import Rules
from broker.admission import Admission
from broker.attendance import Attendance
from broker.auth import Logins
from broker.certificates import Certificates
from broker.entries import Bounds
from broker.holding import Holding
from broker.listeners import configured
from broker.loginreader import LoginReader
from broker.notify import Supervisor
from broker.reception import Reception
from broker.reload import Reload
from broker.restoring import Restoring
from broker.rounds import Rounds
from broker.router import Router
from broker.runfile import RunFile
from broker.server import DeviceBroker
from broker.serving import Serving
from broker.sessions import SessionStore
from broker.shared import Shared
from broker.statistics import Statistics
from broker.turns import Turns
from broker.vitals import Vitals
from broker.writes import Writes

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from broker.credentials import LoginTable
    from broker.listeners import Listener
    from broker.settings import BrokerLimits, Settings

    Work = Callable[[], Coroutine[Any, Any, None]]

DAY_S = 86_400


async def serve(settings: Settings, *, load: Callable[[], Settings], parent_pipe: bool = False) -> None:
    """Run the broker until SIGTERM or SIGINT, or, with `parent_pipe`, until standard input ends.

    SIGHUP has `load` read the configuration again. Raises ConfigurationError, and ListenError when another broker
    uses the state directory.
    """
    stop, supervisor = asyncio.Event(), Supervisor(os.environ, pid=os.getpid())
    _stop_on_signal(stop)
    if parent_pipe:
        _stop_on_end_of_input(stop)
    listeners = configured(settings.broker)
    certificates = Certificates(settings.broker) if any(listener.tls for listener in listeners) else None
    run_file = RunFile(settings.state_dir / "run" / "broker.json")
    await run_file.claim()
    parts = Parts(settings, listeners=listeners, certificates=certificates, run_file=run_file)
    reload = Reload(settings, load=load, use=parts.use, tell=run_file.tell_reload)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.ask)
    parts.store.start()
    await parts.logins.refresh()
    try:
        await parts.broker.start()
        run_file.write(parts.broker.addresses, parts.broker.awaited)
        supervisor.tell("READY=1")
        await _work({**parts.followed(), "watchdog": supervisor.watch, "reload": reload.run}, stop)
        supervisor.tell("STOPPING=1")
        await parts.broker.shutdown()
        parts.attendance.save()
    finally:
        await parts.store.close()
        parts.reader.close()
        structlog.get_logger().info("stopped")


class Parts:
    """The parts of the broker's process and how they hang together, with what was saved of the last one.

    Made inside the running loop, by the only process that has the state directory.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        listeners: list[Listener],
        certificates: Certificates | None,
        run_file: RunFile,
    ) -> None:
        self.certificates, self.run_file = certificates, run_file
        self._log_style = settings.log.format
        self.store = SessionStore(settings.state_dir / "sessions.db")
        self.reader = LoginReader(settings.state_dir / "postbell.db")
        self.vitals = Vitals()
        call_soon = asyncio.get_running_loop().call_soon
        statistics, turns = Statistics(), Turns(call_soon)
        self.router = _router(settings, self.store, statistics)
        self.shared = Shared(self.router, self.store, settings.limits, statistics, turns, Writes(call_soon), time.time)
        self.restoring = Restoring(
            router=self.router, store=self.store, turns=turns, root=settings.mqtt.root, clock=time.time
        )
        self.attendance = Attendance(self.store, statistics=statistics, clock=time.time)
        self._waiting = {session.username: session for session in self.store.load()}
        self.router.restore_retained()
        self.logins = Logins(
            self.reader, on_change=self._logins_changed, concerned=self._concerned, place=settings.state_dir
        )
        self.reception = _reception(settings.limits, self.logins, statistics, turns)
        self.serving = Serving(
            shared=self.shared,
            keep_alive=settings.broker.keep_alive,
            reception=self.reception,
            restoring=self.restoring,
            attendance=self.attendance,
        )
        self.broker = DeviceBroker(
            listeners=listeners,
            ports=run_file.ports(),
            relay=settings.state_dir / "run" / "broker.sock",
            tls=certificates.context if certificates else None,
            proxies=settings.broker.proxies,
            origins=settings.broker.origins,
            reception=self.reception,
            serving=self.serving,
            shared=self.shared,
            rounds=Rounds(self.shared, self.vitals),
        )

    def use(self, newer: Settings) -> None:
        """Have other settings hold; raises ConfigurationError, first of all, where a certificate cannot be used."""
        if self.certificates is not None:
            self.certificates.use(newer.broker)
        self.reception.use(newer.limits)
        self.router.use(holding=_holding(newer), subscriptions=newer.limits.subscriptions)
        self.shared = replace(self.shared, limits=newer.limits)
        self.serving.use(shared=self.shared, keep_alive=newer.broker.keep_alive)
        self.broker.use(shared=self.shared, proxies=newer.broker.proxies, origins=newer.broker.origins)
        logs.configure(level=newer.log.level, style=self._log_style)

    def followed(self) -> dict[str, Work]:
        """What has to run as long as the broker does, each task by its name."""
        work: dict[str, Work] = {
            "listeners": partial(self.broker.listen, opened=self.run_file.write, jitter=random.random),
            "logins": self.logins.follow,
            "sessions": self.store.watch,
            "restoring": self.restoring.follow,
            "attendance": self.attendance.follow,
            "vitals": self.vitals.watch,
        }
        if self.certificates is not None:
            work["certificates"] = self.certificates.follow
        return work

    def _logins_changed(self, table: LoginTable) -> None:
        self._restore(table)
        self.router.roster.revoke(table)
        self.attendance.forget(table.gone)

    def _concerned(self) -> set[str]:
        """Those of whom something here ends with their login."""
        return self._waiting.keys() | self.router.roster.sessions.keys() | self.attendance.known

    def _restore(self, table: LoginTable) -> None:
        """Put back the sessions of the last process, once the logins are known; not those of revoked logins."""
        for username, saved in self._waiting.items():
            saved.credential = table.heir(username, saved.credential)
            who = table.find(username, saved.credential)
            if who is None:
                self.store.forget(username)
            else:
                self.restoring.add(self.router.roster.restore(who, saved))
        if self._waiting:
            sessions, queued = len(self.router.roster.sessions), sum(each.queued for each in self._waiting.values())
            structlog.get_logger().info("sessions_restored", sessions=sessions, read=len(self._waiting), queued=queued)
        self._waiting.clear()


async def _work(followed: Mapping[str, Work], stop: asyncio.Event) -> None:
    """Have the tasks run until told to stop; one that fails ends them all, and the broker."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(work(), name=name) for name, work in followed.items()]
        await stop.wait()
        for task in running:
            task.cancel()


def _router(settings: Settings, store: SessionStore, statistics: Statistics) -> Router:
    return Router(
        rules=Rules(settings.mqtt.root, settings.home),
        holding=_holding(settings),
        subscriptions=settings.limits.subscriptions,
        store=store,
        statistics=statistics,
        clock=time.time,
    )


def _holding(settings: Settings) -> Holding:
    limits = settings.limits
    return Holding(
        bounds=Bounds(window=limits.inflight, messages=limits.queue, octets=limits.queue_bytes),
        total=limits.queue_total,
        session_s=settings.broker.session_days * DAY_S,
    )


def _reception(limits: BrokerLimits, logins: Logins, statistics: Statistics, turns: Turns) -> Reception:
    admission = Admission(
        clients=limits.clients,
        clients_per_address=limits.clients_per_address,
        login_failures=limits.login_failures,
    )
    return Reception(admission=admission, logins=logins, limits=limits, statistics=statistics, turns=turns)


def _stop_on_signal(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _stop_on_end_of_input(stop: asyncio.Event) -> None:
    """A parent that dies, even by SIGKILL, closes the pipe; a thread sees it whatever stdin is."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="parent", daemon=True).start()
