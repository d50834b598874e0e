"""The composition root: every part is made here, given what it needs, and run in one TaskGroup.

A task that ends with an error ends the process: whoever supervises it starts it again, and the
store knows where to go on.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog

from bridge.contract import topics
from bridge.daemon import control, runfile
from bridge.daemon.access import Access
from bridge.daemon.lifetimes import Lifetimes
from bridge.daemon.listening import ingress_settings
from bridge.daemon.phonebook import Phonebook
from bridge.errors import LinkDownError, RefusedError
from bridge.ingress import Ingress
from bridge.intake import Intake
from bridge.publish.backoff import Backoff
from bridge.publish.link import Link
from bridge.publish.outbox import Outbox
from bridge.publish.replay import Replay
from bridge.requests import Requests, ReturnPath
from bridge.spool import Spool
from bridge.store import database, logins
from bridge.store.bodies import Keeping
from bridge.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.config.settings import Settings
    from bridge.kept import StoredBody
    from bridge.publish.connection import BrokerConnection, Incoming

SUBSCRIBE_AGAIN_S = 30.0


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Bridge:
    """One bridge: its parts, and how they hang together. Made inside the running loop.

    `ready` is called once, when mail can come in and the broker is connected.
    """

    def __init__(self, settings: Settings, *, ready: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._ready = ready
        self._log = structlog.get_logger()
        self._connected = False
        self._connection: BrokerConnection | None = None
        database.prepare(settings.database, check=True)
        self.store = self._make_store()
        self.outbox = Outbox(
            rows=self.store, root=settings.mqtt.root, window=settings.mqtt.window, monotonic=time.monotonic
        )
        self.phonebook = Phonebook(store=self.store, changed=self.outbox.wake)
        self.spool = Spool(settings.spool_dir)
        self.lifetimes = self._make_lifetimes()
        self.ingress = self._make_ingress()
        self.replay = self._make_replay()
        self.requests = self._make_uplink()
        self.access = Access(settings, grant=self._grant)
        self.link = self._make_link()

    # --- the parts --------------------------------------------------------------------------------

    def _make_store(self) -> Store:
        settings = self._settings
        return Store(
            settings.database,
            now_ms=wall_ms,
            count=settings.retain.count,
            days=settings.retain.days,
            payload_limit=settings.limits.payload,
            changed=self._committed,
            spam=settings.spam.action,
        )

    def _make_lifetimes(self) -> Lifetimes:
        settings = self._settings
        return Lifetimes(
            store=self.store,
            discard=self.spool.discard,
            keeping=Keeping(settings.body.days, settings.body.quota, settings.body.total, settings.body.headers_days),
            most_messages=settings.limits.messages,
            now_ms=wall_ms,
            monotonic=time.monotonic,
        )

    def _make_ingress(self) -> Ingress:
        settings = self._settings
        intake = Intake(
            store=self.store,
            directory=self.phonebook.current,
            discard=self.spool.discard,
            authserv_ids=frozenset(settings.smtp.authserv_ids),
            spam_headers=settings.spam.headers,
            received_limit=settings.limits.received,
            full=lambda: self.lifetimes.full,
        )
        return Ingress(
            intake=intake,
            spool=self.spool,
            settings=ingress_settings(settings, before=runfile.read(settings.run_dir, runfile.BRIDGE)),
            check_login=self.store.check_sender,
        )

    def _make_replay(self) -> Replay:
        settings = self._settings
        return Replay(
            store=self.store,
            outbox=self.outbox,
            root=settings.mqtt.root,
            node=settings.node,
            count=settings.retain.count,
            days=settings.retain.days,
            now_ms=wall_ms,
            new_token=secrets.token_hex,
        )

    def _make_uplink(self) -> Requests:
        settings = self._settings
        return Requests(
            store=self.store,
            directory=self.phonebook.current,
            load=self._load,
            reply=self._reply,
            root=settings.mqtt.root,
            chunk=settings.limits.chunk,
            rate=settings.limits.request_rate,
            monotonic=time.monotonic,
        )

    async def _grant(self) -> str:
        return await self.store.grant(logins.BRIDGE_USERNAME, label=self._settings.node, role="bridge")

    def _make_link(self) -> Link:
        settings = self._settings
        return Link(
            target=self.access.target,
            client_id=f"postbell-{settings.node}",
            keepalive_s=settings.mqtt.keepalive,
            mqtt5=settings.mqtt.version == "5",
            status_topic=topics.status(settings.node),
            backoff=Backoff(),
            jitter=random.random,
            on_message=self._on_message,
        )

    # --- at work ----------------------------------------------------------------------------------

    def _committed(self) -> None:
        self.outbox.wake()

    async def run(self) -> None:
        """Take mail and publish it until cancelled; then finish what is under way."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.store.close)
            stack.callback(self.spool.close)
            await self.spool.sweep(await self.store.spooled_files())
            await self.store.refresh_all()
            await self.phonebook.look()
            await self.access.prepare()
            stack.push_async_callback(self.ingress.close)
            await self.ingress.start()
            self._tell()
            if self._settings.http.listen:
                self._log.warning("http_not_served", listen=str(self._settings.http.listen))
            gc.collect()
            gc.freeze()  # all that lives for ever is left out of collections from now on, which stop the loop
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.link.run(self._serve), name="link")
                tasks.create_task(self.phonebook.run(), name="phonebook")
                tasks.create_task(self.lifetimes.run(), name="lifetimes")
                tasks.create_task(self.ingress.follow(), name="certificate")
                actions = {"reconcile": self._reconcile, "look": self._look}
                tasks.create_task(control.listen(self._settings.run_dir, actions), name="control")

    async def _reconcile(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the control socket asks for."""
        if self._connection is None:
            raise control.ControlError("the bridge is not connected to its broker now")
        try:
            repair = await self.replay.run(self._connection, dry_run=bool(request.get("dry_run")))
        except (LinkDownError, RefusedError, TimeoutError) as error:
            raise control.ControlError(f"the broker was lost meanwhile: {error or 'timed out'}") from error
        return asdict(repair)

    async def _look(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have a change of people taken up now: who made it by a command may rely on it from then on."""
        del request
        await self.phonebook.look()
        return {}

    async def _serve(self, connection: BrokerConnection) -> None:
        """What is done on one connection to the broker, until it is lost."""
        self._connection, self._connected = connection, True
        self._tell()
        ready, self._ready = self._ready, lambda: None
        ready()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(connection), name="requests")
                tasks.create_task(self.replay.keep(connection), name="reconcile")
                tasks.create_task(self.outbox.run(connection), name="outbox")
        finally:
            self._connection, self._connected = None, False
            self._tell()

    async def _listen(self, connection: BrokerConnection) -> None:
        """Hear requests: asked for until the broker has confirmed it."""
        while True:
            try:
                await connection.subscribe([topics.request_filter(self._settings.mqtt.root)], qos=1)
            except LinkDownError:
                return
            except (RefusedError, TimeoutError) as error:
                self._log.error("requests_not_heard", reason=str(error) or "no answer to the subscription")
                await asyncio.sleep(SUBSCRIBE_AGAIN_S)
            else:
                return

    async def _on_message(self, message: Incoming) -> None:
        if message.topic == self.replay.marker_topic:
            self.replay.marker_received(message.payload)
        else:
            await self.requests.handle(
                message.topic,
                message.payload,
                response_topic=message.response_topic,
                correlation=message.correlation,
            )

    async def _reply(self, path: ReturnPath, payload: bytes) -> None:
        if self._connection is None:
            raise LinkDownError("not connected")
        await self._connection.publish(path.topic, payload, retain=False, correlation=path.correlation)

    async def _load(self, stored: StoredBody) -> bytes | None:
        if stored.file is None:
            return stored.raw
        return await self.spool.read(stored.file)

    def _tell(self) -> None:
        """Say in the run directory how this process is reached."""
        listening = self.ingress.addresses
        facts = {
            "pid": os.getpid(),
            "smtp": listening.get("smtp"),
            "lmtp": listening.get("lmtp"),
            "http": None,
            "connected": self._connected,
        }
        try:
            runfile.write(self._settings.run_dir, runfile.BRIDGE, facts)
        except OSError as error:  # a full disk is no reason to end: mail is refused until there is room again
            self._log.warning("run_file_not_written", reason=str(error))
