"""The composition root: settings in, a running broker out, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from broker import logs
from broker.acl import Rules
from broker.admission import Admission
from broker.attendance import Attendance
from broker.auth import LoginReader, Logins
from broker.certificates import Certificates
from broker.delivery import Bounds
from broker.listeners import configured
from broker.notify import Supervisor
from broker.reception import Reception
from broker.reload import Reload
from broker.router import Router
from broker.runfile import RunFile
from broker.server import DeviceBroker
from broker.sessions import SessionStore
from broker.statistics import Statistics
from broker.turns import Turns
from broker.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from broker.auth import LoginTable
    from broker.sessions import SavedSession
    from broker.settings import BrokerLimits, Settings


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
    store = SessionStore(settings.state_dir / "sessions.db")
    reader = LoginReader(settings.state_dir / "postbell.db")
    statistics, vitals, turns = Statistics(), Vitals(), Turns(asyncio.get_running_loop().call_soon)
    router = _router(settings, store, statistics)
    attendance = Attendance(store, statistics=statistics, clock=time.time)
    waiting = {session.username: session for session in store.load()}
    router.restore_retained()

    def logins_changed(table: LoginTable) -> None:
        _restore(router, store, waiting, table)
        router.revoke(table)
        attendance.forget_others({who.username for who in table.identities()})

    logins = Logins(reader, on_change=logins_changed)
    reception = _reception(settings.limits, logins, statistics, turns)
    broker = DeviceBroker(
        listeners=listeners,
        ports=run_file.ports(),
        tls=certificates.context if certificates else None,
        limits=settings.limits,
        session_s=settings.broker.session_days * DAY_S,
        reception=reception,
        router=router,
        store=store,
        statistics=statistics,
        vitals=vitals,
        attendance=attendance,
        turns=turns,
    )

    def use(newer: Settings) -> None:
        if certificates is not None:
            certificates.use(newer.broker)
        reception.use(newer.limits)
        router.use(**_bounds(newer.limits))
        broker.use(limits=newer.limits, session_s=newer.broker.session_days * DAY_S)
        logs.configure(level=newer.log.level, style=settings.log.format)

    reload = Reload(settings, load=load, use=use, tell=run_file.tell_reload)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.ask)
    store.start()
    await logins.refresh()
    try:
        await broker.start()
        run_file.write(broker.addresses, broker.awaited)
        supervisor.tell("READY=1")
        followed: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "listeners": partial(broker.listen, opened=run_file.write, jitter=random.random),
            "logins": logins.follow,
            "sessions": store.watch,
            "attendance": attendance.follow,
            "watchdog": supervisor.watch,
            "reload": reload.run,
            "vitals": vitals.watch,
        }
        if certificates is not None:
            followed["certificates"] = certificates.follow
        await _work(followed, stop)
        supervisor.tell("STOPPING=1")
        await broker.shutdown()
        attendance.save()
    finally:
        await store.close()
        reader.close()
        structlog.get_logger().info("stopped")


async def _work(followed: Mapping[str, Callable[[], Coroutine[Any, Any, None]]], stop: asyncio.Event) -> None:
    """Have the tasks run until told to stop; one that fails ends them all, and the broker."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(work(), name=name) for name, work in followed.items()]
        await stop.wait()
        for task in running:
            task.cancel()


def _router(settings: Settings, store: SessionStore, statistics: Statistics) -> Router:
    return Router(
        rules=Rules(settings.mqtt.root),
        store=store,
        statistics=statistics,
        clock=time.time,
        **_bounds(settings.limits),
    )


def _bounds(limits: BrokerLimits) -> dict[str, Any]:
    """The router's, of the limits."""
    return {
        "bounds": Bounds(window=limits.inflight, messages=limits.queue, octets=limits.queue_bytes),
        "subscriptions": limits.subscriptions,
    }


def _reception(limits: BrokerLimits, logins: Logins, statistics: Statistics, turns: Turns) -> Reception:
    admission = Admission(
        clients=limits.clients,
        clients_per_address=limits.clients_per_address,
        login_failures=limits.login_failures,
    )
    return Reception(admission=admission, logins=logins, limits=limits, statistics=statistics, turns=turns)


def _restore(router: Router, store: SessionStore, waiting: dict[str, SavedSession], table: LoginTable) -> None:
    """Put back the sessions of the last process, once the logins are known; not those of revoked logins."""
    for username, saved in waiting.items():
        saved.credential = table.heir(username, saved.credential)
        who = table.find(username, saved.credential)
        if who is None:
            store.forget(username)
        else:
            router.restore(who, saved)
    if waiting:
        structlog.get_logger().info("sessions_restored", sessions=len(router.sessions), read=len(waiting))
    waiting.clear()


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
