"""`postbell serve`, `bridge`, `broker`: the processes that keep running."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
import uvloop

from bridge.cli import context as shared
from bridge.cli import demo
from bridge.daemon import control, logs, runfile

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from bridge.config.settings import Settings

T = TypeVar("T")


def serve(
    context: typer.Context,
    config: shared.Config = None,
    demonstrate: Annotated[
        bool, typer.Option("--demo", help="Keep everything in ./.demo, with a demo user, and say how to try it.")
    ] = False,
) -> None:
    """Run the bridge and, unless broker.embedded is off, the broker beside it."""
    environment = demo.environment(Path.cwd()) if demonstrate else {}
    os.environ.update(environment)  # the broker's process reads the same overrides
    settings = shared.settings(context, config)
    ready: Callable[[], None] = lambda: None  # noqa: E731 - the quiet case of the next line
    if demonstrate:
        ready = demo.announcer(settings)
    _run(settings, config=shared.chosen(context, config), with_broker=settings.broker.embedded, ready=ready)


def bridge(context: typer.Context, config: shared.Config = None) -> None:
    """Run the bridge alone: SMTP and LMTP in, MQTT out."""
    settings = shared.settings(context, config)
    _run(settings, config=shared.chosen(context, config), with_broker=False, ready=lambda: None)


def broker(context: typer.Context, config: shared.Config = None) -> None:
    """Run the embedded MQTT broker alone."""
    shared.settings(context, config)  # the broker tells what is wrong in its own sections only
    chosen = shared.chosen(context, config)
    arguments = [] if chosen is None else ["--config", str(chosen)]
    os.execv(sys.executable, [sys.executable, "-m", "broker", *arguments])  # noqa: S606 - becomes the broker


def reconcile(
    context: typer.Context,
    config: shared.Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be repaired.")] = False,
    as_json: shared.AsJson = False,
) -> None:
    """Compare what the broker holds with what it should hold, and repair the difference."""
    settings = shared.settings(context, config)
    if runfile.running(settings.run_dir, runfile.BRIDGE):
        repair = control.ask(settings.run_dir, {"do": "reconcile", "dry_run": dry_run})
    else:
        from bridge.daemon import process  # noqa: PLC0415 - most commands do without, and it takes a third of a second

        logs.configure(level="error", style=settings.log.format)
        repair = asdict(_run_loop(process.reconcile_once(settings, dry_run=dry_run)))
    if as_json:
        shared.print_json(repair)
        return
    verb = "would repair" if dry_run else "repaired"
    typer.echo(
        f"the broker held {repair['held']} topics; {verb}: {repair['missing']} missing, "
        f"{repair['different']} different, {repair['stale']} stale"
    )


def _run(settings: Settings, *, config: Path | None, with_broker: bool, ready: Callable[[], None]) -> None:
    from bridge.daemon import process  # noqa: PLC0415 - the same

    logs.configure(level=settings.log.level, style=settings.log.format)
    _run_loop(process.serve(settings, config=config, with_broker=with_broker, ready=ready))


def _run_loop(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
