"""A run with two cells: mosquittos whose logins the bridges keep, and HAProxy, which has devices reach their own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bridge.cells import Cell
from bridge.errors import StoreUnavailableError
from bridge.store import cells, offline, placing
from tests.conftest import need
from tests.crash.brokers import listening
from tests.crash.cluster.installation import ClusterInstallation
from tests.crash.cluster.site import ClusterSite
from tests.crash.history import Fault
from tests.crash.processes import Service
from tests.crash.proxy import Proxy
from tests.support.outside import OutsideBroker
from tests.support.waiting import free_port

if TYPE_CHECKING:
    from contextlib import AbstractContextManager, ExitStack

    from bridge.store.writer import Transaction
    from tests.crash.history import History
    from tests.crash.installation import Options
    from tests.crash.schedule import Schedule

MAIN, EAST = "main", "east"
AGAIN_S = 0.2


class KeptMosquitto:
    """A mosquitto that knows whom the bridges let it know: its logins are Postbell's."""

    reorders: ClassVar[bool] = True
    """So phones heal by their digest: one that was killed, and reads its logins anew, queues nothing for a session that
    it had on its disk until that device is there again."""
    newer: ClassVar[bool] = True

    def __init__(self, place: Path, directory: Path, *, history: History, name: str) -> None:
        self.outside = OutsideBroker(place / name, "mosquitto")
        for file in ("passwords", "acl"):
            (self.outside.logins / file).touch(mode=0o600)
        command = (need("mosquitto"), "-c", str(self.outside.configuration))
        self.services = [Service(name, command, directory=directory, environment={}, history=history)]

    async def start(self) -> None:
        self.services[0].start()
        await listening(self.address)

    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.outside.port


class CellsInstallation(ClusterInstallation):
    """As without cells, with a broker more that is called `cell`; the link of that name is the bridges' way to it."""

    def __init__(self, schedule: Schedule, options: Options, directory: Path, stack: ExitStack) -> None:
        self._front = free_port()
        self._place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postbell-cells-")))
        """Whose path can be named in configurations and commands."""
        super().__init__(schedule, options, directory, stack)
        command = (need("haproxy"), "-db", "-f", str(directory / "haproxy.cfg"))
        self._haproxy = Service("haproxy", command, directory=directory, environment={}, history=self.history)
        for service in (*self._second.services, self._haproxy):
            self.services[service.name] = service
            self._beneath.append(service)

    def _make_broker(self, options: Options) -> KeptMosquitto:
        del options
        made = partial(KeptMosquitto, self._place, self.site.directory, history=self.history)
        self._first, self._second = made(name="broker"), made(name="cell")
        return self._first

    def _make_links(self) -> dict[str, Proxy]:
        return super()._make_links() | {
            "devices": Proxy(lambda: ("127.0.0.1", self._front)),
            "cell": Proxy(self._second.address),
        }

    def _told(self) -> dict[str, str]:
        first = self._first.outside
        return {
            "POSTBELL_MQTT__LOGINS_FOR": "mosquitto",
            "POSTBELL_MQTT__LOGINS_DIR": str(first.logins),
            "POSTBELL_MQTT__LOGINS_HOOK": json.dumps(first.hook),
            "POSTBELL_CELLS__HAPROXY": str(self._place / "admin.sock"),
            "POSTBELL_CELLS__MAP": str(self._place / "cells.map"),
        }

    async def _before_bridges(self) -> None:
        await self._second.start()
        await self.links["cell"].start()
        await asyncio.to_thread(self._prepare_cells)
        self._haproxy.start()

    def _prepare_cells(self) -> None:
        """The second cell, where the second user goes, and what HAProxy has to know."""
        site, second = self.site, self._second.outside
        assert isinstance(site, ClusterSite)
        cell = Cell(
            cell_id=0,
            name=EAST,
            url=f"mqtt://127.0.0.1:{self.links['cell'].port}",
            logins_for="mosquitto",
            logins_dir=str(second.logins),
            logins_hook=tuple(second.hook),
        )
        with self._transaction() as transaction:
            cells.add(transaction, cell)
        self._move(site.users[-1])
        told = site.node_environment(self.bridges[0].name, of_several=False) | self._told()
        told |= {
            "POSTBELL_MQTT__URL": f"mqtt://127.0.0.1:{self._first.outside.port}",
            "POSTBELL_STORE__URL": str(site.database),
        }
        command = [sys.executable, "-m", "bridge", "setup", "haproxy", "--listen", f"127.0.0.1:{self._front}"]
        printed = subprocess.run(command, env=os.environ | told, check=False, capture_output=True, text=True)
        assert not printed.returncode, printed.stderr
        (site.directory / "haproxy.cfg").write_text(printed.stdout)

    def _transaction(self) -> AbstractContextManager[Transaction]:
        now_ms = time.time_ns() // 1_000_000
        return offline.transaction(self.site.database, now_ms=now_ms, count=self.site.live_count, days=7)

    async def move(self, user: str) -> None:
        """Have a user go to the other cell, as soon as the database lets that be."""
        while True:
            try:
                cell = await asyncio.to_thread(self._move, user)
            except StoreUnavailableError:
                await asyncio.sleep(AGAIN_S)
            else:
                self.history.add(Fault(f"move to {cell}", user))
                return

    def _move(self, user: str) -> str:
        with self._transaction() as transaction:
            before = placing.of_user(transaction.connection, user)
            assert before is not None
            there = EAST if before.name == MAIN else MAIN
            cells.move(transaction, user, there)
            return there

    def brokers(self) -> list[tuple[tuple[str, int], frozenset[str]]]:
        with offline.reading(self.site.database) as connection:
            at = {user: placing.of_user(connection, user) for user in self.site.users}
        addresses = {MAIN: self._first.address(), EAST: self._second.address()}
        return [
            (address, frozenset(user for user, cell in at.items() if cell is not None and cell.name == name))
            for name, address in addresses.items()
        ]

    def unrest(self) -> list[str]:
        with offline.reading(self.site.database) as connection:
            leaving = placing.leaving(connection)
        return [f"{len(leaving)} users who leave a cell"] if leaving else []
