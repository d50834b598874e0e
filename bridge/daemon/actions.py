"""What commands can ask of a running bridge over its control socket."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bridge.daemon.control import ControlError
from bridge.errors import LinkDownError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bridge.daemon.access import Access
    from bridge.daemon.connected import Connected
    from bridge.daemon.directory_cache import DirectoryCache
    from bridge.daemon.login_files import LoginFiles
    from bridge.daemon.reload import Reload
    from bridge.publish.replay import Replay


class Actions:
    """The actions by their names; each takes the request as a JSON object and gives one back."""

    def __init__(
        self,
        *,
        connected: Connected,
        replay: Replay,
        directory: DirectoryCache,
        reload: Reload,
        figures: Callable[[], dict[str, Any]],
        access: Access,
        mailboxes: Callable[[], list[dict[str, Any]]],
        login_files: LoginFiles | None,
    ) -> None:
        self._connected = connected
        self._replay = replay
        self._directory = directory
        self._reload = reload
        self._figures = figures
        self._access = access
        self._mailboxes = mailboxes
        self._login_files = login_files

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

    async def reconcile(self, request: dict[str, Any]) -> dict[str, Any]:
        """Compare broker and store, and mark what differs unless `dry_run`; raises ControlError."""
        if self._connected.connection is None:
            raise ControlError("the bridge is not connected to its broker now")
        try:
            repair = await self._replay.run(self._connected.connection, dry_run=bool(request.get("dry_run")))
        except (LinkDownError, RefusedError, TimeoutError) as error:
            raise ControlError(f"the broker was lost meanwhile: {str(error) or 'timed out'}") from error
        return asdict(repair)

    async def look(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have a change of people taken up: who made it by a command may rely on it once this returned."""
        del request
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
        if self._login_files is None:
            return {"left_out": []}
        return {"left_out": await self._login_files.bring_up_to_date()}

    async def mailboxes(self, request: dict[str, Any]) -> dict[str, Any]:
        """How following each folder goes."""
        del request
        return {"folders": self._mailboxes()}

    async def renew(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take a new password for the bridge itself."""
        del request
        await self._access.renew()
        return {}
