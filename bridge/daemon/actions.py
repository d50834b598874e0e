"""What commands can ask of a running bridge over its control socket."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bridge.daemon.control import ControlError
from bridge.errors import LinkDownError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bridge.daemon.access import Access
    from bridge.daemon.circuit import Circuit
    from bridge.daemon.circuits import Circuits
    from bridge.daemon.directory_cache import DirectoryCache
    from bridge.daemon.reload import Reload
    from bridge.reconcile import Repair


class Actions:
    """The actions by their names; each takes the request as a JSON object and gives one back."""

    def __init__(
        self,
        *,
        main: Circuit,
        circuits: Circuits,
        directory: DirectoryCache,
        reload: Reload,
        figures: Callable[[], dict[str, Any]],
        access: Access,
        mailboxes: Callable[[], list[dict[str, Any]]],
    ) -> None:
        self._main = main
        self._circuits = circuits
        self._directory = directory
        self._reload = reload
        self._figures = figures
        self._access = access
        self._mailboxes = mailboxes

    def by_name(self) -> Mapping[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
        """What the control socket answers to."""
        return {
            "reconcile": self.reconcile,
            "look": self.look,
            "reload": self.reload,
            "figures": self.figures,
            "logins": self.logins,
            "renew": self.renew,
            "mailboxes": self.mailboxes,
        }

    def by_elsewhere(self) -> Mapping[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
        """What is answered to whoever asks all bridges at a database."""
        return {"reconcile": self.reconcile, "mailboxes": self.mailboxes}

    async def reconcile(self, request: dict[str, Any]) -> dict[str, Any]:
        """Compare broker and store, and mark what differs unless `dry_run`; raises ControlError."""
        dry_run = bool(request.get("dry_run"))
        repair = await _reconciled(self._main, "the bridge is not connected to its broker now", dry_run=dry_run)
        for name, circuit in self._circuits.all.items():
            repair += await _reconciled(circuit, f"the bridge is not connected to cell {name} now", dry_run=dry_run)
        return asdict(repair)

    async def look(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have a change of people taken up: who made it by a command may rely on it once this returned."""
        del request
        await self._circuits.look()  # before anybody is at a cell that is not known
        await self._directory.look()
        return {}

    async def reload(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read the configuration again; what came of it."""
        del request
        return asdict(await self._reload.once())

    async def figures(self, request: dict[str, Any]) -> dict[str, Any]:
        """What moves, as counts since the start (moving.py)."""
        del request
        return self._figures()

    async def logins(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have another broker know the logins as they are; `left_out` are those of whom it cannot know."""
        del request
        return {"left_out": await self._circuits.bring_logins_up_to_date()}

    async def mailboxes(self, request: dict[str, Any]) -> dict[str, Any]:
        """How following each folder goes."""
        del request
        return {"folders": self._mailboxes()}

    async def renew(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take a new password for the bridge itself."""
        del request
        await self._access.renew()
        return {}


async def _reconciled(circuit: Circuit, away: str, *, dry_run: bool) -> Repair:
    """Compare one broker and the store; raises ControlError."""
    if circuit.connected.connection is None:
        raise ControlError(away)
    try:
        return await circuit.replay.run(circuit.connected.connection, dry_run=dry_run)
    except (LinkDownError, RefusedError, TimeoutError) as error:
        raise ControlError(f"the broker was lost meanwhile: {str(error) or 'timed out'}") from error
