"""A cell beside the first: its circuit, the way to its broker and the login files there, as long as it is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bridge.daemon import cell_settings
from bridge.daemon.access import Access
from bridge.daemon.circuit import Circuit
from bridge.daemon.outside import Outside
from bridge.errors import ConfigurationError, StoreUnavailableError
from bridge.store import logins

if TYPE_CHECKING:
    from bridge.cells import Cell
    from bridge.config.settings import Settings
    from bridge.daemon.circuit import CircuitNeeds
    from bridge.daemon.live import Adjustable
    from bridge.daemon.presence import Presence
    from bridge.kept import MqttLogin

RETRY_S = 15.0


class CellLogins:
    """The logins of a cell as its broker has to know them: those of the store, and the bridge's own beside them."""

    def __init__(self, shared: CircuitNeeds, cell: Cell) -> None:
        self._store = shared.store
        self._cell = cell
        self._own: MqttLogin | None = None

    async def admit(self, username: str, password: str, *, node: str) -> None:
        """Have this password open the bridge's login there. It is this cell's, and in no table."""
        del node
        self._own = await asyncio.to_thread(logins.verified, username, password, role="bridge")

    async def read(self) -> list[MqttLogin]:
        """All of them."""
        stored = await self._store.read(logins.list_at, self._cell.cell_id)
        return stored if self._own is None else [*stored, self._own]


class SharedCellLogins:
    """The same where several bridges share the store: their logins stand there, and each is let in everywhere."""

    def __init__(self, shared: CircuitNeeds, cell: Cell) -> None:
        self._store = shared.store
        self._cell = cell
        self.admit = shared.store.writing(logins.admit_bridge)

    async def read(self) -> list[MqttLogin]:
        """All of them."""
        return await self._store.read(logins.list_at, self._cell.cell_id, bridges=True)


class OtherCell:
    """One of the cells that were added. `run` serves it; what is wrong with it is no other's affair."""

    def __init__(
        self, shared: CircuitNeeds, settings: Settings, given: Adjustable, *, cell: Cell, presence: Presence
    ) -> None:
        self.cell = cell
        self.settings = cell_settings.at(settings, cell)
        self._presence = presence
        self.outside = self._make_outside(shared) if cell.logins_for else None
        self.access = Access(
            self.settings,
            grant=_no_grant,
            renew=_no_renewal,
            own=self.outside.own if self.outside else None,
        )
        self.circuit = Circuit(shared, self.settings, given, cell=cell.cell_id, target=self.access.target)
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Keep a connection there, and its login files, until cancelled."""
        await self._prepare()
        async with asyncio.TaskGroup() as tasks:
            serve = self.circuit.service(presence=self._presence, beside={}).serve
            tasks.create_task(self.circuit.link.run(serve), name="link")
            if self.outside is not None:
                tasks.create_task(self.outside.files.run(), name="logins")

    async def _prepare(self) -> None:
        while True:
            try:
                await self.access.prepare()
            except (ConfigurationError, StoreUnavailableError) as error:
                self._log.error("cell_not_usable", cell=self.cell.name, reason=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _make_outside(self, shared: CircuitNeeds) -> Outside:
        known: CellLogins | SharedCellLogins
        known = CellLogins(shared, self.cell) if shared.sharing is None else SharedCellLogins(shared, self.cell)
        return Outside(
            self.settings,
            revision=shared.store.reading(logins.revision),
            read=known.read,
            admit=known.admit,
            lock=f"logins-{self.cell.name}.lock",
        )


async def _no_grant(username: str, *, node: str) -> str:
    """A cell's broker is not the embedded one: nobody asks."""
    raise ConfigurationError(f"{username} of {node} has its password in a file")


async def _no_renewal(node: str) -> tuple[str, str]:
    """As above."""
    raise ConfigurationError(f"the bridge {node} has its password in a file")
