"""The circuits of a bridge: who is told of what was committed, which cells there are, what keeps users from leaving."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from bridge.cells import Cell, Leaving
from bridge.config.settings import Settings
from bridge.contract.publication import header_of
from bridge.daemon import circuits as circuits_module
from bridge.daemon import other_cell as other_cell_module
from bridge.daemon.circuit import Circuit, CircuitNeeds
from bridge.daemon.circuits import Circuits
from bridge.daemon.live import Adjustable
from bridge.daemon.other_cell import OtherCell
from bridge.daemon.reloading import LoginsUntoldError
from bridge.directory import User
from bridge.errors import RefusedError, StoreUnavailableError
from bridge.kept import Committed
from bridge.store import placing
from bridge.store.outbox_at import Since
from bridge.tally import Tally
from tests.support.waiting import until_on_loop

MAIN = Cell(cell_id=0, name="main", url="")
EAST = Cell(cell_id=1, name="east", url="mqtt://192.0.2.1:1883")
WEST = Cell(cell_id=2, name="west", url="mqtt://192.0.2.2:1883")


class FakeStore:
    """Cells and who leaves them; `trouble` is raised once."""

    def __init__(self, *cells):
        self.cells, self.leaving, self.trouble, self.written = [MAIN, *cells], [], [], []

    async def read(self, look, *_arguments, **_options):
        if self.trouble:
            raise self.trouble.pop()
        return {placing.everyone: self.cells, placing.leaving: self.leaving, placing.elsewhere: [("bob", "east")]}[look]

    async def write(self, operation, *arguments):
        self.written.append((operation.__name__, *arguments))
        if operation is placing.let_go:
            self.leaving = [Leaving(each.cell_id, each.name, True, each.now_at) for each in self.leaving]
        if operation is placing.cleared:
            self.leaving = [each for each in self.leaving if each.cell_id != arguments[0]]


class FakeCircuit:
    """What it was told; `looked` are the users whose topics were looked at."""

    def __init__(self):
        self.cell, self.news, self.looked, self.troubles = None, [], [], []
        self.outbox = SimpleNamespace(committed=self.news.append)
        self.replay = SimpleNamespace(look_at=self.look_at)
        self.connected = SimpleNamespace(connection=object())
        self.people_changed = self.use = lambda *_: None

    async def look_at(self, _connection, names):
        if self.troubles:
            raise self.troubles.pop()
        self.looked += names


class FakeCell:
    def __init__(self, cell, files=None):
        self.cell, self.circuit = cell, FakeCircuit()
        self.outside = files and SimpleNamespace(files=files)
        self.runs = 0

    async def run(self):
        self.runs += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.runs -= 1


class FakeFiles:
    def __init__(self, *troubles):
        self.troubles, self.told = list(troubles), 0

    async def bring_up_to_date(self):
        if self.troubles:
            raise self.troubles.pop()
        self.told += 1
        return ["old.phone"]


class FakeMap:
    kept = True

    def __init__(self):
        self.known, self.now = True, []

    async def bring_up_to_date(self, now):
        self.now = now
        return self.known


class World:
    def __init__(self, *cells, files=None):
        self.store, self.main, self.map, self.files = FakeStore(*cells), FakeCircuit(), FakeMap(), files
        self.made: dict[str, FakeCell] = {}
        needs: Any = SimpleNamespace(store=self.store, sharing=None)
        parts: dict[str, Any] = {"make": self.make, "proxies": self.map, "files": None}
        self.circuits = Circuits(needs, self.main, **parts)  # type: ignore[arg-type]

    def make(self, cell):
        self.made[cell.name] = FakeCell(cell, self.files)
        return self.made[cell.name]

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.circuits.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def until(self, holds, what):
        await until_on_loop(holds, what=what)


def header(user, cell):
    return header_of(user, 1, 1, b"", expiry_s=1, cell=cell)


def test_each_is_told_of_its_own_users_and_the_first_of_all_where_it_is_alone():
    async def story():
        world = World()
        news = Committed(fresh=(header("alice", 0), header("bob", 1)), messages=True)
        await world.circuits.look()
        world.circuits.committed(news)
        assert (world.main.news, world.main.cell) == ([news], None)

        world.store.cells.append(EAST)
        await world.circuits.look()
        world.circuits.committed(news)
        assert world.main.cell == 0
        assert world.main.news[1] == Committed(fresh=(header("alice", 0),), messages=True)
        assert world.made["east"].circuit.news == [Committed(fresh=(header("bob", 1),), messages=True)]

    asyncio.run(story())


def test_cells_come_change_and_go():
    async def story():
        world = World(EAST)
        await world.circuits.look()
        async with world.running():
            await world.until(lambda: world.made["east"].runs, "the cell to be served")
            first = world.made["east"]
            assert world.circuits.connected == {"east": True}
            world.store.cells[1] = Cell(cell_id=1, name="east", url="mqtt://192.0.2.9:1883")
            world.store.cells.append(WEST)
            world.circuits.people_changed()
            await world.until(lambda: "west" in world.made and world.made["west"].runs, "the next one")
            assert (first.runs, world.made["east"].runs) == (0, 1)
            world.store.cells = [MAIN]
            world.circuits.people_changed()
            await world.until(lambda: not world.circuits.all, "both to go")
            assert (world.made["east"].runs, world.main.cell) == (0, None)

    asyncio.run(story())


def test_who_leaves_does_so_when_everybody_was_told(monkeypatch):
    monkeypatch.setattr(circuits_module, "RETRY_S", 0.01)
    monkeypatch.setattr(circuits_module, "GONE_S", 0.0)

    async def story():
        files = FakeFiles(LoginsUntoldError("no hook"))
        world = World(EAST, files=files)
        world.store.trouble = [StoreUnavailableError("full")]
        world.map.known = False
        world.store.leaving = [Leaving(0, "alice", False, 1), Leaving(7, "carol", True, None)]
        world.main.troubles = [RefusedError("no replay"), TimeoutError()]
        async with world.running():
            await world.until(lambda: files.told, "the new cell to be told")
            assert world.store.written == [], "and the proxy was not"
            world.main.connected.connection = None
            world.map.known = True
            await world.until(lambda: ("let_go", ["alice"]) in world.store.written, "the old one to let go")
            await world.until(lambda: ("cleared", 7, ["carol"]) in world.store.written, "a cell that is no more")
            assert world.main.looked == [], "it is not connected"
            world.main.connected.connection = object()
            await world.until(lambda: ("cleared", 0, ["alice"]) in world.store.written, "the old one to be cleared")
            assert world.main.looked == ["alice"]
        assert world.map.now == [("bob", "east")]

    with capture_logs() as said:
        asyncio.run(story())
    reasons = [event["reason"] for event in said if event["event"] == "cells_wait"]
    assert reasons == ["full", "no hook", "the broker did not answer in time", "no replay"]


def test_logins_are_told_everywhere():
    async def story():
        world = World(EAST, WEST, files=FakeFiles())
        await world.circuits.look()
        assert await world.circuits.bring_logins_up_to_date() == ["old.phone", "old.phone"]

    asyncio.run(story())


# --- one circuit ----------------------------------------------------------------------------------


def needs(**parts):
    nothing: Any = None
    given = {"store": nothing, "mailbox": nothing, "pushing": nothing, "load": nothing, "heard": lambda _topic: None}
    return CircuitNeeds(**{**given, "tally": Tally(), **parts})


def test_a_broker_asks_for_its_own_users_alone(tmp_path):
    async def named(_name):
        return User(1, "bob", 2)

    async def story(cell):
        settings, tally = Settings(state_dir=tmp_path), Tally()
        shared = needs(directory=SimpleNamespace(named=named), tally=tally)
        circuit = Circuit(shared, settings, Adjustable.of(settings), cell=cell, target=lambda: None)  # type: ignore[arg-type, return-value]
        await circuit.requests.handle("mail/bob/do/phone", b"nonsense")
        return sum(tally.requests.values())

    assert [asyncio.run(story(cell)) for cell in (None, 2, 1, 0)] == [1, 1, 0, 0]


def test_a_cell_whose_password_cannot_be_read_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(other_cell_module, "RETRY_S", 0.01)
    password = tmp_path / "password"

    async def story():
        settings = Settings(state_dir=tmp_path)
        cell = Cell(cell_id=1, name="east", url="mqtt://127.0.0.1:1", password_file=str(password))
        presence: Any = SimpleNamespace(tell=lambda: None)
        shared = needs(directory=None)
        east = OtherCell(shared, settings, Adjustable.of(settings), cell=cell, presence=presence)
        with capture_logs() as said:
            task = asyncio.create_task(east.run())
            await until_on_loop(
                lambda: [each for each in said if each["event"] == "cell_not_usable"], what="the trouble"
            )
            password.write_text("secret\n")
            await until_on_loop(lambda: [each for each in said if each["event"] == "broker_unreachable"], what="a try")
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(story())


def test_when_people_changed_what_waits_is_walked_from_the_start(tmp_path):
    """Whoever came from another cell has rows that are older than those that were here."""

    async def story():
        settings = Settings(state_dir=tmp_path)
        circuit = Circuit(needs(directory=None), settings, Adjustable.of(settings), cell=1, target=lambda: None)  # type: ignore[arg-type, return-value]
        circuit.rows.since = Since(7, 8, 9)
        circuit.people_changed()
        return circuit.rows.since

    assert asyncio.run(story()) == Since(0, 0, 0)
