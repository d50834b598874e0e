"""What a process does with a bridge: run it until a signal, with the broker beside it, or reconcile once."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import random
import signal
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, NoReturn

import structlog

from bridge.config import judging
from bridge.daemon import control, control_server, runfile
from bridge.daemon.app import Bridge
from bridge.daemon.child import BrokerChild
from bridge.daemon.clock import wall_ms
from bridge.daemon.notify import Supervisor
from bridge.ingress import HandedSockets
from bridge.publish.backoff import Backoff
from bridge.publish.ending import end
from bridge.store import backlog, database, messages, places

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.config.settings import Settings
    from bridge.daemon.logs import Verbosity
    from bridge.daemon.seeing import Seeing
    from bridge.publish.connection import BrokerConnection
    from bridge.reconcile import Repair

STANDARD_INPUT = 0
CONNECT_ONCE_S = 6.0
"""How long `postbell reconcile` tries to reach the broker where no bridge runs."""
DRAINED_S = 0.05
"""How often it looks whether the outbox is empty."""


async def serve(
    settings: Settings,
    *,
    config: Path | None,
    with_broker: bool,
    ready: Callable[[], None] = lambda: None,
    verbosity: Verbosity | None = None,
) -> None:
    """Run the bridge, and the broker beside it, until SIGTERM or SIGINT; SIGHUP has both reload their configuration.

    On a terminal SIGHUP says that the terminal is gone, and ends them.
    """
    with runfile.only_one(settings.run_dir, runfile.BRIDGE):
        supervisor = Supervisor.of(os.environ, pid=os.getpid(), monotonic=time.monotonic)
        handed = HandedSockets.of(os.environ, pid=os.getpid())
        supervisor.status("looks the database through")
        _make_newest(settings)
        bridge = Bridge(
            settings,
            ready=ready,
            supervisor=supervisor,
            handed=handed,
            judge=functools.partial(judging.judge, config),
            verbosity=verbosity,
        )
        work = asyncio.create_task(_run_beside_broker(bridge, config=config, with_broker=with_broker), name="bridge")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop, work, supervisor)
        if not os.isatty(STANDARD_INPUT):
            loop.add_signal_handler(signal.SIGHUP, bridge.reload.ask)
        try:
            await work
        except asyncio.CancelledError:
            structlog.get_logger().info("stopped")


def _stop(work: asyncio.Task[None], supervisor: Supervisor) -> None:
    supervisor.stopping()
    work.cancel()


def _make_newest(settings: Settings) -> None:
    """Have a sound database of the newest schema; raises store errors."""
    if settings.store.url:
        places.of(settings.place).prepare()
        return
    migration = database.prepare(settings.database, check=True, now_ms=wall_ms)
    if migration is not None:
        structlog.get_logger().warning(
            "database_migrated",
            from_schema=migration.from_schema,
            to_schema=migration.to_schema,
            kept_as=str(migration.kept_as),
        )


async def _run_beside_broker(bridge: Bridge, *, config: Path | None, with_broker: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run(bridge), name="bridge")
        if with_broker:
            child = BrokerChild(config=config, backoff=Backoff(), jitter=random.random, monotonic=time.monotonic)
            tasks.create_task(child.run(), name="broker")


async def run(bridge: Bridge) -> None:
    """Take mail and publish it until cancelled; then finish what is under way.

    A task that ends with an error ends the process: whoever supervises it starts it again, and the
    store knows where to go on.
    """
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bridge.store.close)
        stack.callback(bridge.spool.close)
        if bridge.uploads is not None:
            stack.push_async_callback(bridge.uploads.close)
        stack.push_async_callback(bridge.posting.close)
        await bridge.spool.sweep(await bridge.store.read(messages.spooled_files))
        await bridge.course.take_up()
        await bridge.circuits.look()
        await bridge.directory.look()
        await bridge.access.prepare()
        if bridge.sharing is not None:
            stack.push_async_callback(bridge.sharing.close)
            await bridge.sharing.claim()
        stack.push_async_callback(bridge.ingress.close)
        await bridge.ingress.start()
        bridge.presence.tell()
        seeing = _seeing(bridge)
        gc.collect()
        gc.freeze()  # all that lives for ever is left out of collections from here on, which stop the loop
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bridge.main.link.run(bridge.service.serve), name="link")
            tasks.create_task(bridge.circuits.run(), name="cells")
            tasks.create_task(bridge.supervisor.announce(bridge.main.connected.met), name="ready")
            tasks.create_task(bridge.supervisor.watch(), name="watchdog")
            tasks.create_task(bridge.directory.run(), name="directory")
            tasks.create_task(bridge.lifetimes.run(), name="lifetimes")
            tasks.create_task(bridge.hearing.run(), name="hearing")
            tasks.create_task(bridge.for_one(bridge.delivery.run), name="push")
            tasks.create_task(bridge.for_one(bridge.mailboxes.run), name="mailboxes")
            tasks.create_task(bridge.ingress.listen(), name="listeners")
            tasks.create_task(bridge.ingress.follow(), name="certificate")
            if bridge.sharing is not None:
                tasks.create_task(bridge.sharing.run(), name="sharing")
            if bridge.crew is not None:
                tasks.create_task(bridge.crew.run(), name="workers")
            tasks.create_task(bridge.reload.run(), name="reload")
            if bridge.outside is not None:
                tasks.create_task(bridge.outside.files.run(), name="logins")
            if seeing is not None:
                tasks.create_task(seeing.run(), name="http")
            tasks.create_task(control_server.listen(bridge.settings.run_dir, bridge.actions.by_name()), name="control")


def _seeing(bridge: Bridge) -> Seeing | None:
    """What serves HTTP, if that is wanted. Its library and all that is only for it are imported only then."""
    listen = bridge.settings.http.listen
    if listen is None:
        return None
    from bridge.daemon.seeing import Seeing  # noqa: PLC0415

    seeing = Seeing(bridge, listen=listen)
    bridge.preparing.append(seeing.prepare)
    return seeing


async def reconcile_once(settings: Settings, *, dry_run: bool) -> Repair:
    """Reconcile a store of one's own while no bridge runs, and publish what was marked.

    Raises AlreadyRunningError or ControlError.
    """
    assert not settings.store.url, "bridges that share a store are asked"
    with runfile.only_one(settings.run_dir, runfile.BRIDGE):
        _make_newest(settings)
        bridge = Bridge(settings)
        try:
            return await _reconcile(bridge, dry_run=dry_run)
        finally:
            await bridge.store.close()
            if bridge.uploads is not None:
                await bridge.uploads.close()
            bridge.spool.close()


async def _reconcile(bridge: Bridge, *, dry_run: bool) -> Repair:
    found: asyncio.Future[Repair] = asyncio.get_running_loop().create_future()

    async def look(connection: BrokerConnection) -> None:
        deadline.reschedule(None)
        if dry_run:
            repair = await bridge.main.replay.run(connection, dry_run=True)
        else:
            repair = await _repair_all(bridge, connection)
        if not found.done():
            found.set_result(repair)

    await bridge.circuits.look()
    if bridge.circuits.all:
        raise control.ControlError("there are cells, and a running bridge alone reaches them: start it, and ask again")
    await bridge.access.prepare()
    if not dry_run:
        await bridge.course.take_up()
    deadline = asyncio.timeout(CONNECT_ONCE_S)
    linking = asyncio.create_task(bridge.main.link.run(look), name="link")
    try:
        async with deadline:
            ends: set[asyncio.Future[Any]] = {found, linking}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            return found.result() if found.done() else await _failed(linking)
    except TimeoutError as error:
        raise control.ControlError(
            f"the broker cannot be reached: {bridge.main.link.trouble or 'timed out'}"
        ) from error
    finally:
        await end(linking)


async def _repair_all(bridge: Bridge, connection: BrokerConnection) -> Repair:
    """Reconcile and publish until nothing waits any more."""
    pump = asyncio.create_task(bridge.main.outbox.run(connection), name="outbox")
    try:
        repair = await bridge.main.replay.run(connection)
        while await bridge.store.read(backlog.waiting):
            await asyncio.wait({pump}, timeout=DRAINED_S)
            if pump.done():
                pump.result()
        return repair
    finally:
        await end(pump)


async def _failed(task: asyncio.Task[None]) -> NoReturn:
    await task
    raise control.ControlError("the link to the broker ended")
