"""All circuits of a bridge: that of the first cell, which is always there, and one for each cell that was added.

It follows the table of cells, gives what was committed to whom it concerns, and sees to it that who moved is let in at
the new cell before the old one lets them in no more, and that nothing of theirs stays there.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from bridge.cells import MAIN
from bridge.daemon.reloading import LoginsUntoldError
from bridge.errors import ConfigurationError, LinkDownError, RefusedError, StoreUnavailableError
from bridge.store import placing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bridge.cells import Cell, Leaving
    from bridge.contract.publication import Publication
    from bridge.daemon.cell_map import CellMap
    from bridge.daemon.circuit import Circuit, CircuitNeeds
    from bridge.daemon.live import Adjustable
    from bridge.daemon.login_files import LoginFiles
    from bridge.daemon.other_cell import OtherCell
    from bridge.kept import Committed
    from bridge.publish.target import Target

RETRY_S = 5.0
"""After something kept a user from leaving, or a proxy from being told."""
GONE_S = 1.0
"""So long a broker that looks at the logins by itself may take to end the sessions of those who went."""


class Circuits:
    """Those of one bridge. `make` makes one for a cell, `map` is what a proxy is told, `files` are the first cell's."""

    def __init__(
        self,
        shared: CircuitNeeds,
        main: Circuit,
        *,
        make: Callable[[Cell], OtherCell],
        proxies: CellMap,
        files: LoginFiles | None,
    ) -> None:
        self._store = shared.store
        self._sharing = shared.sharing
        self._main = main
        self._make = make
        self._map = proxies
        self._files = files
        self._others: dict[int, OtherCell] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._one_look = asyncio.Lock()
        self._wake = asyncio.Event()
        self._trouble = ""
        self._log = structlog.get_logger()

    @property
    def all(self) -> Mapping[str, Circuit]:
        """The circuits by the names of their cells, without the first."""
        return {each.cell.name: each.circuit for each in self._others.values()}

    @property
    def connected(self) -> dict[str, bool]:
        """Whether there is a connection to each cell but the first, by name; empty where there is no other."""
        return {name: circuit.connected.connection is not None for name, circuit in self.all.items()}

    @property
    def every(self) -> list[Circuit]:
        """All circuits, the first cell's before the others'."""
        return [self._main, *(each.circuit for each in self._others.values())]

    def committed(self, news: Committed) -> None:
        """A transaction is on disk: each pump is told what concerns its users.

        Where several bridges share the store it may be for others; what is this one's is read with the mark that it may
        be on its way.
        """
        if self._sharing is not None:
            if news.fresh or news.messages or news.views:
                for circuit in self.every:
                    circuit.wake()
            return
        if not self._others:
            self._main.outbox.committed(news)
            return
        fresh: dict[int, list[Publication]] = {}
        for publication in news.fresh:
            fresh.setdefault(publication.cell, []).append(publication)
        self._main.outbox.committed(replace(news, fresh=tuple(fresh.get(MAIN, ()))))
        for key, each in self._others.items():
            each.circuit.outbox.committed(replace(news, fresh=tuple(fresh.get(key, ()))))

    def people_changed(self) -> None:
        """Users or cells changed."""
        self._main.people_changed()
        for each in self._others.values():
            each.circuit.people_changed()
        self._wake.set()

    def wake(self) -> None:
        """Other users are this bridge's: there may be some to be seen off."""
        self._wake.set()

    def target_at(self, cell: int) -> Target:
        """Where the broker of a cell beside the first is; raises LinkDownError when it is not known here yet."""
        other = self._others.get(cell)
        if other is None:
            raise LinkDownError(f"there is no cell of number {cell} here yet")
        return other.access.target()

    def use(self, given: Adjustable) -> None:
        """Have other settings hold, as far as they are live."""
        self._main.use(given)
        for each in self._others.values():
            each.circuit.use(given)

    async def bring_logins_up_to_date(self) -> list[str]:
        """Have every broker know the logins as they are, as `LoginFiles.bring_up_to_date`."""
        left_out = await self._files.bring_up_to_date() if self._files else []
        for each in list(self._others.values()):
            if each.outside is not None:
                left_out += await each.outside.files.bring_up_to_date()
        return left_out

    async def run(self) -> None:
        """Serve the cells beside the first until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for key, each in self._others.items():
                self._start(key, each)
            while True:
                pause_s: float | None = RETRY_S
                try:
                    await self.look()
                    pause_s = await self._keep()
                    self._trouble = ""
                except (StoreUnavailableError, LoginsUntoldError, ConfigurationError, LinkDownError) as error:
                    self._complain(str(error))
                except (RefusedError, TimeoutError) as error:
                    self._complain(str(error) or "the broker did not answer in time")
                await _set_within(self._wake, pause_s)
                self._wake.clear()

    def _complain(self, reason: str) -> None:
        if reason != self._trouble:
            self._log.warning("cells_wait", reason=reason)
        self._trouble = reason

    async def look(self) -> None:
        """Have a circuit for each cell that there is; raises StoreUnavailableError."""
        async with self._one_look:
            cells = {each.cell_id: each for each in await self._store.read(placing.everyone) if each.cell_id != MAIN}
            there = {key: replace(cell, draining=False) for key, cell in cells.items()}  # which is nothing to a circuit
            for key in [key for key, each in self._others.items() if there.get(key) != each.cell]:
                await self._end(key)
            self._main.cell = MAIN if there else None
            for key, cell in there.items():
                if key not in self._others:
                    self._others[key] = self._make(cell)
                    self._log.info("cell_taken_up", cell=cell.name)
                    if self._tasks is not None:
                        self._start(key, self._others[key])

    def _start(self, key: int, cell: OtherCell) -> None:
        assert self._tasks is not None
        self._running[key] = self._tasks.create_task(cell.run(), name=f"cell-{cell.cell.name}")

    async def _end(self, key: int) -> None:
        cell, task = self._others.pop(key), self._running.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        self._log.info("cell_let_go", cell=cell.cell.name)

    async def _keep(self) -> float | None:
        """Have proxies told who is where, and see those off who moved; after how long to look again, None for never.

        Where several bridges share the store each tells its own proxy, and users are seen off by whose they are.
        """
        leaving = await self._store.read(placing.leaving)
        mine = [each for each in leaving if self._sharing is None or self._sharing.owns(each.user_id)]
        staying = [each for each in mine if not each.let_go]
        if staying:
            for cell in sorted({each.now_at for each in staying if each.now_at is not None}):
                await self._tell(cell)
        told = True
        if self._others or self._map.kept:
            told = await self._map.bring_up_to_date(await self._store.read(placing.elsewhere))
        if staying and not told:  # devices would be sent to where they are let in no more
            return RETRY_S
        if staying:
            await self._let_go(staying)
        left = [await self._clear(cell, some) for cell, some in _by_cell(mine).items()]
        return None if told and all(left) and len(mine) == len(leaving) else RETRY_S

    async def _let_go(self, staying: list[Leaving]) -> None:
        """Have them let in at their new cell alone."""
        await self._store.write(placing.let_go, [each.name for each in staying])
        for each in staying:
            self._log.info("user_moved", user=each.name)
        if any(each.cell_id == MAIN for each in staying) and self._files is None:
            await asyncio.sleep(GONE_S)

    async def _tell(self, cell: int) -> None:
        """Have the broker of a cell know its logins, where Postbell keeps them."""
        files = self._files if cell == MAIN else None
        if cell in self._others and (outside := self._others[cell].outside) is not None:
            files = outside.files
        if files is not None:
            await files.bring_up_to_date()

    async def _clear(self, cell: int, leaving: list[Leaving]) -> bool:
        """Have nothing of these left at a cell, once its broker lets them in no more; whether that could be seen to."""
        other = self._others.get(cell)
        circuit = self._main if cell == MAIN else other.circuit if other else None
        names = [each.name for each in leaving]
        if circuit is not None:
            connection = circuit.connected.connection
            if connection is None or not all(self._may_clear(each) for each in leaving):
                return False
            await self._tell(cell)
            await circuit.replay.look_at(connection, names)
        await self._store.write(placing.cleared, cell, names)
        self._log.info("cell_cleared", users=len(names))
        return True

    def _may_clear(self, leaving: Leaving) -> bool:
        """Whether nobody else can publish for them at their old cell any more."""
        return self._sharing is None or self._sharing.serves(leaving.user_id, leaving.cell_id)


def _by_cell(leaving: Iterable[Leaving]) -> dict[int, list[Leaving]]:
    some: dict[int, list[Leaving]] = {}
    for each in leaving:
        some.setdefault(each.cell_id, []).append(each)
    return some


async def _set_within(event: asyncio.Event, pause_s: float | None) -> None:
    """Wait until it is set, or for so long."""
    if pause_s is None:
        await event.wait()
        return
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiting}, timeout=pause_s)
    finally:
        waiting.cancel()
