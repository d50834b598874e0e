"""Which processes run with a state directory, found out without making anything there."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.daemon import runfile
from bridge.doctor.judge.service import ServiceSeen
from bridge.errors import PostbellError

if TYPE_CHECKING:
    from bridge.config.settings import Settings


def look(settings: Settings) -> ServiceSeen:
    """The facts."""
    return ServiceSeen(
        bridge=_runs(settings, runfile.BRIDGE),
        broker=_runs(settings, runfile.BROKER),
        embedded=settings.broker.embedded,
        elsewhere=_elsewhere(settings),
    )


def _elsewhere(settings: Settings) -> tuple[str, ...]:
    if not settings.store.url or runfile.read(settings.run_dir, runfile.BRIDGE):
        return ()
    from bridge.store import nodes, offline  # noqa: PLC0415 - psycopg, for those who have such a store

    with suppress(PostbellError), offline.reading(settings.store.url) as connection:
        return nodes.alive(connection)
    return ()


def pid(settings: Settings, name: str) -> int | None:
    """The process that runs under a name; None when there is none, or this user may not know."""
    said = runfile.read(settings.run_dir, name).get("pid")
    return said if isinstance(said, int) and runfile.running(settings.run_dir, name) else None


def _runs(settings: Settings, name: str) -> bool | None:
    try:
        if settings.run_dir.exists() and not os.access(settings.run_dir, os.X_OK):
            return None
    except PermissionError:
        return None
    return runfile.running(settings.run_dir, name)
