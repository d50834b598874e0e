"""How this process says where it listens and whether it is connected: its run file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from bridge.daemon import runfile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bridge.daemon.connected import Connected


class Presence:
    """The bridge's run file.

    `addresses` gives each listener's address by its name, `awaited` why one has none yet; `status` is told in a line.
    `cells` says to which cells beside the first there is a connection.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        addresses: Callable[[], Mapping[str, str]],
        connected: Connected,
        awaited: Callable[[], Mapping[str, str]] = dict,
        status: Callable[[str], None] = lambda _: None,
        cells: Callable[[], Mapping[str, bool]] = dict,
    ) -> None:
        self._run_dir = run_dir
        self._addresses = addresses
        self._awaited = awaited
        self._connected = connected
        self._status = status
        self._cells = cells
        self._log = structlog.get_logger()

    def tell(self) -> None:
        """Write it anew. A disk that is full is no reason to end: mail is refused until there is room again."""
        listening, connection = self._addresses(), self._connected.connection
        facts = {
            "pid": os.getpid(),
            "smtp": listening.get("smtp"),
            "smtps": listening.get("smtps"),
            "lmtp": listening.get("lmtp"),
            "http": listening.get("http"),
            "awaited": (awaited := dict(self._awaited())),
            "connected": (connected := connection is not None),
            "protocol": None if connection is None else connection.granted.version,
            **({"cells": cells} if (cells := dict(self._cells())) else {}),
        }
        mail = {name: address for name, address in listening.items() if name != "http"}
        takes = (
            f"takes mail at {', '.join(f'{name} {address}' for name, address in mail.items())}"
            if mail
            else "takes no mail"
        )
        waits = f"; waits for the address of {', '.join(awaited)}" if awaited else ""
        self._status(f"{takes}{waits}; {'connected to the broker' if connected else 'waits for the broker'}")
        try:
            runfile.write(self._run_dir, runfile.BRIDGE, facts)
        except OSError as error:
            self._log.warning("run_file_not_written", reason=str(error))
