"""`postbell status`: what it does now, from the store and the run directory; works while it is down, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from bridge.cli import opening, options, output
from bridge.daemon import runfile
from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.store import copies, live, offline, outbox, people

if TYPE_CHECKING:
    from bridge.config.settings import Settings


def status(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Show listeners, users, live messages, and what waits for the broker."""
    try:
        settings, missing = opening.existing(context, config), ""
    except opening.NoStoreError as error:
        settings, missing = options.settings(context, config), str(error)
    facts = collect(settings, missing=missing)
    if as_json:
        output.print_json(facts)
    else:
        typer.echo("\n".join(describe(facts)))
    if facts["store"] != "ok":
        raise typer.Exit(2 if missing else 1)


def collect(settings: Settings, *, missing: str) -> dict[str, Any]:
    """Everything that status tells; `missing` says why there is no store to look into, if so."""
    running = runfile.running(settings.run_dir, runfile.BRIDGE)
    bridge = runfile.read(settings.run_dir, runfile.BRIDGE) if running else {}
    broker_runs = runfile.running(settings.run_dir, runfile.BROKER)
    broker = runfile.read(settings.run_dir, runfile.BROKER) if broker_runs else {}
    facts: dict[str, Any] = {
        "running": running,
        "listeners": {
            "smtp": bridge.get("smtp"),
            "lmtp": bridge.get("lmtp"),
            "mqtt": broker.get("mqtt") if settings.broker.embedded else None,
            "websocket": broker.get("websocket") if settings.broker.embedded else None,
            "http": bridge.get("http"),
        },
        "broker": {"connected": bool(bridge.get("connected")), "url": broker_url(settings)},
        "outbox": None,
        "live": None,
        "users": None,
        "store": missing or "ok",
        "copies": [],
    }
    if not missing:
        facts["copies"] = [{"file": str(copy.path), "schema": copy.schema} for copy in copies.listed(settings.database)]
        try:
            facts |= _count(settings, check=not running)  # a running bridge has looked already
        except (StoreCorruptError, StoreUnavailableError) as error:
            facts["store"] = str(error)
    return facts


def _count(settings: Settings, *, check: bool) -> dict[str, int]:
    with offline.reading(settings.database, check=check) as connection:
        return {
            "outbox": outbox.waiting(connection),
            "live": live.count_all(connection),
            "users": people.count_users(connection),
        }


def broker_url(settings: Settings) -> str:
    """The broker that the bridge uses."""
    return str(settings.mqtt.url) if settings.mqtt.url else f"embedded, {settings.broker.listen}"


def describe(facts: dict[str, Any]) -> list[str]:
    """The same for people."""
    lines = [f"bridge     {'running' if facts['running'] else 'not running'}"]
    lines += [f"{name:10} {address}" for name, address in facts["listeners"].items() if address]
    lines.append(f"broker     {'connected' if facts['broker']['connected'] else 'not connected'}")
    if facts["store"] == "ok":
        lines.append(f"users      {facts['users']}")
        lines.append(f"live       {facts['live']} messages")
        lines.append(f"outbox     {facts['outbox']} topics wait for the broker")
    else:
        lines.append(f"store      {facts['store']}")
    lines += [f"copy       {copy['file']}, of before a migration" for copy in facts["copies"]]
    return lines
