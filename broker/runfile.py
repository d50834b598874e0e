"""Where a running broker is reached, told to others and to the next run; and that it is the only one."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pwd
from typing import IO, TYPE_CHECKING, Any

import structlog

from broker.address import Address
from broker.errors import ConfigurationError, ListenError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PATIENCE_S = 3.0  # of waiting until another broker is gone
_RETRY_S = 0.1


class RunFile:
    """`<state_dir>/run/broker.json`: where a running broker is reached, and which ports to take again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: dict[str, Any] = {}
        self._lock: IO[str] | None = None

    async def claim(self) -> None:
        """Make sure that no other broker uses this state directory, waiting for one that is just ending.

        Raises ListenError, or ConfigurationError where this user may not. The lock goes with the process, however
        it ends.
        """
        place = self._path.parent.parent
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.geteuid() == 0 and (owner := place.stat().st_uid) != 0:
                raise ConfigurationError(
                    f"state_dir = {str(place)!r}: this belongs to {_name(owner)}, who could not write what root leaves "
                    "there; run the broker as that user"
                )
            self._lock = self._path.with_suffix(".lock").open("w", encoding="utf-8")
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise ConfigurationError(
                f"state_dir = {str(place)!r}: {error.strerror}; make it a directory that this user may write, or run "
                "the broker as the user to whom it belongs"
            ) from error
        give_up_at = asyncio.get_running_loop().time() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if asyncio.get_running_loop().time() > give_up_at:
                    raise ListenError(f"state_dir = {str(place)!r}: another broker is running with it") from None
            else:
                return
            await asyncio.sleep(_RETRY_S)

    def ports(self) -> dict[str, int]:
        """The ports of the last run by listener name; empty when there was none."""
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            return {name: Address.parse(address).port for name, address in told.items() if isinstance(address, str)}
        except (OSError, ValueError, AttributeError):
            return {}

    def write(self, addresses: Mapping[str, str], awaited: Mapping[str, str] | None = None) -> None:
        """Say where this process listens, atomically, and why not yet elsewhere. Listeners that are off are null."""
        names = ("mqtt", "websocket", "mqtts", "secure_websocket")
        told = {"pid": os.getpid(), **{name: addresses.get(name) for name in names}, "awaited": dict(awaited or {})}
        self._tell({**self._told, **told})

    def tell_reload(self, outcome: Mapping[str, Any]) -> None:
        """Say what came of the last reload; a disk that is full is no reason to end."""
        try:
            self._tell({**self._told, "reload": dict(outcome)})
        except OSError as error:
            structlog.get_logger().warning("run_file_not_written", reason=str(error))

    def _tell(self, told: dict[str, Any]) -> None:
        self._told = told
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.replace(self._path)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user with the number {uid}"
