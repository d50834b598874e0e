"""What `postbell status` and its like know of an installation: its processes, listeners and store, as they are now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bridge.cells import MAIN_NAME
from bridge.cli import following, lagging
from bridge.daemon import runfile
from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.store import amounts, backlog, copies, offline, placing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.config.settings import Settings
    from bridge.store.engine import StoreConnection

BRIDGES, BROKERS = ("smtp", "smtps", "lmtp", "http"), ("mqtt", "mqtts", "websocket", "secure_websocket")
"""The listeners of each process, by their names in its run file."""


def collect(settings: Settings, *, missing: str) -> dict[str, Any]:
    """Everything that status tells; `missing` says why there is no store to look into, if so."""
    knowable = _may_look(settings.run_dir)
    running = runfile.running(settings.run_dir, runfile.BRIDGE) if knowable else None
    bridge = runfile.read(settings.run_dir, runfile.BRIDGE) if running else {}
    embedded = settings.broker.embedded
    broker_runs = runfile.running(settings.run_dir, runfile.BROKER) if knowable and embedded else None
    broker = runfile.read(settings.run_dir, runfile.BROKER) if broker_runs else {}
    facts: dict[str, Any] = {
        "running": running,
        "listeners": {name: bridge.get(name) for name in BRIDGES} | {name: broker.get(name) for name in BROKERS},
        "configured": configured(settings),
        "awaited": {**broker.get("awaited", {}), **bridge.get("awaited", {})},
        "broker": {
            "connected": bool(bridge.get("connected")),
            "protocol": bridge.get("protocol"),
            "url": broker_url(settings),
            "embedded": embedded,
            "running": broker_runs,
        },
        "outbox": None,
        "live": None,
        "users": None,
        "mailboxes": None,
        "cells": [],
        "nodes": [],
        "unowned": 0,
        "lagging": [],
        "oldest_s": None,
        "here": True,
        "store": missing or "ok",
        "copies": [],
    }
    if not missing:
        there = () if settings.store.url else copies.listed(settings.database)
        facts["copies"] = [{"file": str(copy.path), "schema": copy.schema} for copy in there]
        try:
            facts |= _count(settings, check=not running)  # a running bridge has looked already
            facts["mailboxes"] = following.told(settings, facts["mailboxes"], running=running)
            facts["here"] = bool(running or _ran_here(settings) or not any(each["alive"] for each in facts["nodes"]))
        except (StoreCorruptError, StoreUnavailableError) as error:
            facts["store"] = str(error)
    facts["down"] = down(facts) if knowable else []
    facts["known"] = knowable and not missing
    facts["ok"] = facts["known"] and not facts["down"] and facts["store"] == "ok"
    return facts


def down(facts: Mapping[str, Any]) -> list[str]:
    """What is to be up and is not: `bridge`, `broker`, `connection`, listeners by name, mailboxes by number.

    Where several bridges share the store, `shards` when nobody publishes for some users; and where none was ever run
    here, while others are, it is not known what is up there.
    """
    if not facts["here"]:
        return ["shards"] if facts["unowned"] else []
    broker = facts["broker"]
    up = {
        "bridge": facts["running"],
        "broker": broker["running"] or not broker["embedded"],
        "connection": broker["connected"],
        **{name: facts["listeners"][name] for name, address in facts["configured"].items() if address},
        **{f"cell {each['cell']}": each["connected"] for each in facts["cells"][1:]},
        **({"shards": False} if facts["unowned"] else {}),
    }
    return [*(name for name, there in up.items() if not there), *following.down(facts["mailboxes"] or ())]


def configured(settings: Settings) -> dict[str, str | None]:
    """Where each listener is to be; None for one that is off, and for those of a broker that is not embedded."""
    broker, others = settings.broker, settings.broker.others
    places: dict[str, object] = {
        "smtp": settings.smtp.listen,
        "smtps": settings.smtp.tls_listen,
        "lmtp": settings.lmtp.listen,
        "http": settings.http.listen,
    }
    if broker.embedded:
        places |= {
            "mqtt": broker.listen,
            "mqtts": others.get("tls_listen"),
            "websocket": broker.websocket,
            "secure_websocket": others.get("secure_websocket"),
        }
    return {name: str(places[name]) if places.get(name) else None for name in (*BRIDGES, *BROKERS)}


def broker_url(settings: Settings) -> str:
    """The broker that the bridge uses."""
    return str(settings.mqtt.url) if settings.mqtt.url else f"embedded, {settings.broker.listen}"


def cell_facts(settings: Settings, connection: StoreConnection) -> list[dict[str, Any]]:
    """What is known of each cell; `connected` is None while no bridge runs."""
    running = runfile.running(settings.run_dir, runfile.BRIDGE)
    said = runfile.read(settings.run_dir, runfile.BRIDGE) if running else {}
    leaving = [each.cell_id for each in placing.leaving(connection)]
    connected = {MAIN_NAME: said.get("connected"), **said.get("cells", {})} if running else {}
    return [
        {
            "cell": each.cell.name,
            "url": each.cell.url or broker_url(settings),
            "users": each.users,
            "leaving": leaving.count(each.cell.cell_id),
            "draining": each.cell.draining,
            "connected": connected.get(each.cell.name, False if running else None),
        }
        for each in placing.occupied(connection)
    ]


def cell_state(facts: Mapping[str, Any]) -> str:
    """How a cell is, in words."""
    state = {None: "", True: "connected", False: "not connected"}[facts["connected"]]
    return ", ".join(word for word in (state, "draining" if facts["draining"] else "") if word)


def _may_look(run_dir: Path) -> bool:
    """Whether this user can see which processes run. Where there is no directory none has run."""
    try:
        run_dir.stat()
    except PermissionError:
        return False
    except OSError:
        return True
    return os.access(run_dir, os.R_OK | os.X_OK, effective_ids=True)


def _count(settings: Settings, *, check: bool) -> dict[str, Any]:
    with offline.reading(settings.place, check=check) as connection:
        counted = {
            "outbox": backlog.waiting(connection),
            "live": amounts.live_messages(connection),
            "users": amounts.users(connection),
            "mailboxes": following.watched(connection),
            "cells": cell_facts(settings, connection) if placing.any_others(connection) else [],
            **(_nodes(connection) if settings.store.url else {}),
        }
        return lagging.oldest(connection, counted)


def _ran_here(settings: Settings) -> bool:
    """Whether a bridge was ever run with this state directory: it says so, or it is not running."""
    return bool(runfile.read(settings.run_dir, runfile.BRIDGE))


def _nodes(connection: StoreConnection) -> dict[str, Any]:
    from bridge.store import nodes  # noqa: PLC0415 - most stores have none

    return {
        "nodes": [
            {
                "node": each.name,
                "shards": each.shards,
                "silent_s": round(each.silent_s, 1),
                "alive": each.silent_s <= nodes.SILENT_S,
            }
            for each in nodes.standings(connection)
        ],
        "unowned": nodes.unowned(connection),
    }
